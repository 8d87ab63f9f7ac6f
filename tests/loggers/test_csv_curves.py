"""The CSV file of a run: what it holds, what a resumed run makes of it, and what a bad disk does."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from babelbatch.loggers.csv_curves import csv_logger
from processes import python


def text(folder: Path) -> str:
    return (folder / "csv" / "metrics.csv").read_text()


def log_steps(folder: Path, first: int, last: int, resumed_step: int = 0) -> None:
    """A row a step, another every third one, and a validation after every fourth."""
    logger = csv_logger(str(folder), resumed_step)
    for step in range(first, last):
        logger.log_metrics({"train/loss": 1 / (step + 3), "epoch": 0}, step)
        if step % 3 == 2:
            logger.log_metrics({"train/alpha": 0.5}, step)
        if step % 4 == 3:
            logger.log_metrics({"validation/loss": step / 7}, step)


def test_a_row_a_call_a_column_a_metric(tmp_path: Path) -> None:
    log_steps(tmp_path, 0, 4)
    assert text(tmp_path).splitlines() == [
        "epoch,step,train/alpha,train/loss,validation/loss",
        "0,0,,0.3333333333333333,",
        "0,1,,0.25,",
        "0,2,,0.2,",
        ",2,0.5,,",
        "0,3,,0.16666666666666666,",
        ",3,,,0.42857142857142855",
    ]


def test_a_new_run_starts_a_new_file(tmp_path: Path) -> None:
    log_steps(tmp_path, 0, 20)
    csv_logger(str(tmp_path)).log_metrics({"loss": 1.0}, 0)
    assert text(tmp_path) == "loss,step\n1.0,0\n"


@pytest.mark.parametrize("resumed_step", [1, 3, 4, 8, 9, 11])
def test_a_resumed_run_ends_with_the_rows_of_an_uninterrupted_one(tmp_path: Path, resumed_step: int) -> None:
    log_steps(tmp_path / "whole", 0, 20)
    log_steps(tmp_path / "cut", 0, 11)
    log_steps(tmp_path / "cut", resumed_step, 20, resumed_step)
    assert text(tmp_path / "cut") == text(tmp_path / "whole")


def test_a_validation_that_comes_again_is_one_row(tmp_path: Path) -> None:
    """The checkpoint of step 8 was saved before its validation, the run killed after it."""
    log_steps(tmp_path / "whole", 0, 20)
    log_steps(tmp_path / "cut", 0, 8)
    logger = csv_logger(str(tmp_path / "cut"), resumed_step=8)
    logger.log_metrics({"validation/loss": 1.0}, 7)
    log_steps(tmp_path / "cut", 8, 20, resumed_step=8)
    assert text(tmp_path / "cut") == text(tmp_path / "whole")


def test_a_row_cut_short_is_left_out(tmp_path: Path) -> None:
    log_steps(tmp_path / "whole", 0, 20)
    log_steps(tmp_path / "cut", 0, 8)
    file = tmp_path / "cut" / "csv" / "metrics.csv"
    file.write_bytes(file.read_bytes() + b"0,4,,0.14")  # would be step 4 with a loss of 0.14
    log_steps(tmp_path / "cut", 8, 20, resumed_step=8)
    assert text(tmp_path / "cut") == text(tmp_path / "whole")


def test_only_rank_0_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = csv_logger(str(tmp_path))
    logger.log_metrics({"loss": 1.0}, 0)
    logger.save()
    logger.finalize("success")
    assert not list(tmp_path.iterdir())


def test_a_kill_loses_no_row(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from babelbatch.loggers.csv_curves import csv_logger\n"
        "logger = csv_logger(sys.argv[1])\n"
        "for step in range(100): logger.log_metrics({'loss': 0.5}, step)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    python(script, tmp_path, code=-signal.SIGKILL)
    assert text(tmp_path) == "loss,step\n" + "".join(f"0.5,{step}\n" for step in range(100))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file grows beyond `size` bytes: as on a full disk, a write is cut short, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_costs_a_warning_and_no_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log_steps(tmp_path / "whole", 0, 40)
    logger = csv_logger(str(tmp_path / "cut"))
    logger.log_metrics({"train/loss": 1 / 3, "epoch": 0}, 0)
    with caplog.at_level(logging.WARNING), files_of_at_most(os.path.getsize(tmp_path / "cut" / "csv/metrics.csv") + 30):
        for step in range(1, 30):
            logger.log_metrics({"train/loss": 1 / (step + 3), "epoch": 0}, step)
        assert text(tmp_path / "cut").splitlines() == [
            "epoch,step,train/loss",
            "0,0,0.3333333333333333",
            "0,1,0.25",
            "0,2,0.2",
        ]
    (record,) = caplog.records
    assert record.message == (
        f"{tmp_path}/cut/csv/metrics.csv cannot be written ({record.args[1]}): its rows are kept in memory until it can"
    )
    logger.log_metrics({"train/loss": 1 / 33, "epoch": 0}, 30)
    assert text(tmp_path / "cut").splitlines()[1:] == [f"0,{step},{1 / (step + 3)}" for step in range(31)]


def test_no_folder_can_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "csv").write_text("in the way")
    logger = csv_logger(str(tmp_path))
    for step in range(3):
        logger.log_metrics({"loss": 1.0}, step)
    assert len(caplog.records) == 1
    (tmp_path / "csv").unlink()
    logger.log_metrics({"loss": 1.0}, 3)
    assert text(tmp_path) == "loss,step\n1.0,0\n1.0,1\n1.0,2\n1.0,3\n"


class Line(pl.LightningModule):
    """Fits a line, and logs a training and a validation loss."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        loss = (self.layer(batch) - 2 * batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log("validation/loss", (self.layer(batch) - 2 * batch).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*GPU", "ignore:.*LeafSpec")
@pytest.mark.filterwarnings("ignore:.*mid-epoch", "ignore:.*exists and is not empty", "ignore:.*resumable")
@pytest.mark.parametrize("when", ["before validation", "after validation"])
def test_a_checkpoint_of_lightning_resumes_the_file(tmp_path: Path, when: str) -> None:
    """Both moments at which a checkpoint is saved; the run went on for a while before it was cut."""

    def fit(folder: Path, steps: int, checkpoint: Path | None, resumed_step: int) -> None:
        torch.manual_seed(0)
        data = DataLoader(torch.linspace(0, 1, 40).unsqueeze(1), batch_size=1)
        saver = ModelCheckpoint(
            dirpath=folder / "checkpoints", filename="{step}", save_top_k=-1,
            **{"every_n_train_steps": 4} if when == "before validation" else {"save_on_train_epoch_end": False},
        )  # fmt: skip
        trainer = pl.Trainer(
            max_steps=steps, val_check_interval=4, limit_val_batches=2, log_every_n_steps=1, accelerator="cpu",
            num_sanity_val_steps=0, logger=csv_logger(str(folder), resumed_step), callbacks=[saver],
            enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        )  # fmt: skip
        trainer.fit(Line(), data, data, ckpt_path=checkpoint, weights_only=True)

    fit(tmp_path / "whole", 16, None, 0)
    fit(tmp_path / "cut", 10, None, 0)
    rows = text(tmp_path / "cut").splitlines()
    fit(tmp_path / "cut", 16, tmp_path / "cut" / "checkpoints" / "step=8.ckpt", resumed_step=8)
    assert [row.split(",")[1] for row in text(tmp_path / "whole").splitlines()[1:]] == [
        str(step) for step in range(16) for _ in range(2 if step % 4 == 3 else 1)
    ]
    assert len(rows) == 1 + 10 + 2
    # Lightning's loader starts again from its first batch: the steps are the same, the losses after step 8 are not.
    steps = [[row.split(",")[1] for row in text(tmp_path / name).splitlines()] for name in ("whole", "cut")]
    assert steps[0] == steps[1]
    assert text(tmp_path / "cut").splitlines()[:11] == text(tmp_path / "whole").splitlines()[:11]
