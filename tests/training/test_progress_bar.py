"""How far the training is, in a pipe or a log file: at least a line a minute, however rare validations are."""

import logging
import re
import time
from itertools import pairwise

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks.progress.tqdm_progress import Tqdm
from torch.utils.data import DataLoader

from babelbatch import progress
from babelbatch.training.callbacks import ProgressBar


class Slow(pl.LightningModule):
    """A step takes 0.05 seconds; one may fail."""

    def __init__(self, failing_step: int | None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.failing_step = failing_step

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        if self.global_step == self.failing_step:
            raise ZeroDivisionError
        return self.layer(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Half a second in place of a minute."""
    monkeypatch.setattr(progress, "SHOWN_AFTER", 0.2)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.5)
    monkeypatch.setattr(progress.Lines, "interval", 0.1)
    monkeypatch.setattr(progress.Lines, "_last", float("-inf"))
    caplog.set_level(logging.INFO, "babelbatch.progress")


def fit(failing_step: int | None = None) -> None:
    trainer = pl.Trainer(
        max_steps=40, accelerator="cpu", logger=False, callbacks=[ProgressBar()], enable_checkpointing=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Slow(failing_step), DataLoader(torch.ones(40, 1)))


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "babelbatch.progress"]


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*GPU", "ignore:.*LeafSpec")
def test_lines_while_it_trains(caplog: pytest.LogCaptureFixture) -> None:
    fit()
    lines = lines_of(caplog)
    assert len(lines) >= 4
    steps = [re.fullmatch(r"training: (\d+) of 40 steps.*", line) for line in lines[:-1]]
    assert all(steps), lines
    done = [int(step[1]) for step in steps if step]
    assert done == sorted(done)
    assert done[-1] > 20
    assert re.fullmatch(r"training: done in \d+ s, [\d.]+ steps/s", lines[-1])
    times = [record.created for record in caplog.records]
    assert max(later - earlier for earlier, later in pairwise(times)) < 5


def test_the_bar_at_a_terminal() -> None:
    shown = Tqdm.format_meter(13, 25, 60.0, ncols=80, prefix="training: ", bar_format=ProgressBar.BAR_FORMAT)
    assert shown.startswith("training:  52\xa0%|")
    assert shown.endswith("| 13/25 [01:00<00:55,  0.22it/s]")


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*GPU", "ignore:.*LeafSpec")
def test_no_line_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError):
        fit(failing_step=20)
    lines = lines_of(caplog)
    assert lines[0].startswith("training: ")
    assert not any("done" in line for line in lines)
    time.sleep(1)
    assert lines_of(caplog) == lines
