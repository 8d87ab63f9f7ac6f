"""A run cut anywhere and started again ends as if nothing had happened: same weights, same scores, same early stop."""

from __future__ import annotations

import errno
import logging
import math
import multiprocessing
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.corpora.mixture import load_corpus
from babelbatch.distributed import collectives
from babelbatch.encoder import tiny
from babelbatch.loss import Contrastive, Mimo
from babelbatch.records import Corpus
from babelbatch.runs.stopping import Stopped
from babelbatch.sampling import Sampling
from babelbatch.storage.checkpoint_file import write_checkpoint
from babelbatch.training.checkpoints import (
    AtomicIO,
    Best,
    Checkpoint,
    ResumedTogether,
    disable_lightning_signal_handlers,
    newest_checkpoint,
    remove_leftovers,
)
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import cosine
from babelbatch.training.telemetry import BatchTelemetry
from conftest import MakeCorpus

STEPS = 6
ORIGIN = {"seed": 0}
EXPECTED = ("your dataloader is not resumable", "LeafSpec", "many workers", "exists and is not empty")
pytestmark = pytest.mark.filterwarnings(*(f"ignore:.*{words}" for words in EXPECTED))


class Cut(pl.Callback):
    """Does something in the middle of a batch."""

    def __init__(self, batch: int, action: Callable[[], None]) -> None:
        self._batch, self._action = batch, action

    def on_after_backward(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready - 1 == self._batch:
            self._action()


class Power(Exception):
    pass


def no_power() -> None:
    raise Power


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus(80, passage_keys=[item // 2 for item in range(80)], negatives=1)


HYBRID = Sampling(name="hybrid", alpha=0.5, batch_size=6)


class Run:
    """A small training run with dropout, learned temperature, early stopping and the best weights kept."""

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        *,
        accumulate: int = 1,
        workers: int = 0,
        patience: int = 9,
        interval: int = 2,
        sampling: Sampling = HYBRID,
        mimo: bool = False,
        clip: str | None = None,
    ) -> None:
        torch.manual_seed(0)
        self.folder = folder
        encoder = tiny([*corpus.query_texts, *corpus.passage_texts], vocab_size=300, hidden_size=16, heads=2)
        loss = Contrastive(0.1, learn_temperature=True)
        if mimo:
            teacher = tiny(corpus.passage_texts, vocab_size=300, hidden_size=12, heads=2)
            loss = Mimo(16, teacher, warmup=0.5, temperature=0.1, learn_temperature=True)
        self.learner = Learner(
            encoder,
            loss,
            partial(torch.optim.AdamW, lr=1e-2),
            partial(cosine, warmup=0.2),
            total_steps=STEPS,
            seed=3,
        )
        inputs = TrainingInputs(
            corpus, sampling, encoder, seed=3, steps=STEPS * accumulate,
            requirements=loss.requirements, teacher=loss.teacher and loss.teacher.encoder,
        )  # fmt: skip
        self.data = PairData(inputs, validation_fraction=0.3, validation_steps=2, num_workers=workers)
        self.telemetry = BatchTelemetry()
        self.checkpoint = Checkpoint(folder, ORIGIN, every_n_steps=1)
        watched = {"monitor": "validation/loss", "mode": "min"}
        self.stopper = EarlyStopping(**watched, patience=patience, check_on_train_epoch_end=False)
        self.best = Best(str(folder), **watched)
        self.accumulate, self.interval, self.clip = accumulate, interval, clip

    def fit(self, *more: pl.Callback) -> Run:
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=1, max_steps=STEPS, logger=False, log_every_n_steps=2,
            val_check_interval=self.interval * self.accumulate, check_val_every_n_epoch=None, num_sanity_val_steps=0,
            accumulate_grad_batches=self.accumulate, gradient_clip_val=1.0, enable_progress_bar=False,
            gradient_clip_algorithm=self.clip, enable_model_summary=False, use_distributed_sampler=False,
            plugins=AtomicIO(),
            callbacks=[self.telemetry, self.stopper, self.best, self.checkpoint, FiniteLoss(), *more],
        )  # fmt: skip
        disable_lightning_signal_handlers(trainer)
        resumed = newest_checkpoint(self.folder, ORIGIN)
        remove_leftovers(self.folder, resumed)
        trainer.fit(self.learner, self.data, ckpt_path=resumed, weights_only=True)
        self.trainer = trainer
        return self

    def outcome(self) -> dict[str, object]:
        best = torch.load(self.best.best_model_path, weights_only=True)
        return {
            "weights": {name: tensor.clone() for name, tensor in self.learner.state_dict().items()},
            "best weights": best["state_dict"],
            "best step": best["global_step"],
            "best score": self.best.best_model_score,
            "steps": self.trainer.global_step,
            "stopped": (self.stopper.stopped_epoch, self.stopper.wait_count, self.stopper.best_score),
            "alpha": self.telemetry.alpha,
            "drawn": self.telemetry.drawn,
            "summed": {kind: {**sums} for kind, sums in self.telemetry.state_dict()["sums"].items()},
        }


def assert_same(one: object, other: object) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize(("accumulate", "workers"), [(1, 0), (2, 2)])
def test_an_exception_in_any_batch(corpus: Corpus, tmp_path: Path, accumulate: int, workers: int) -> None:
    options = {"accumulate": accumulate, "workers": workers}
    expected = Run(corpus, tmp_path / "whole", **options).fit().outcome()
    for batch in range(0, STEPS * accumulate, 1 if workers == 0 else 3):
        folder = tmp_path / str(batch)
        with pytest.raises(Power):
            Run(corpus, folder, **options).fit(Cut(batch, no_power))
        assert_same(expected, Run(corpus, folder, **options).fit().outcome())


def test_a_schedule_over_a_mixture(corpus: Corpus, make_corpus: MakeCorpus, tmp_path: Path) -> None:
    """Cut in the middle: the schedule goes on where it was, and batches of each part are counted once."""
    mixed = load_corpus({"many": corpus, "english": make_corpus(40, ("en",))})
    sampling = Sampling("schedule", 1.0, 6, schedule="linear", alpha_end=0.0, alpha_draw="stratified")
    whole = Run(mixed, tmp_path / "whole", accumulate=2, sampling=sampling).fit()
    plans = [whole.data.training.sampler.plan(step) for step in range(2 * STEPS)]
    counted = Counter(f"batches/{plan.part}/{plan.kind}" for plan in plans)
    assert whole.telemetry.drawn == {**counted, "batches/english/x_y": 0}
    assert len(counted) == 3
    with pytest.raises(Power):
        Run(mixed, tmp_path / "cut", accumulate=2, sampling=sampling).fit(Cut(STEPS, no_power))
    assert_same(whole.outcome(), Run(mixed, tmp_path / "cut", accumulate=2, sampling=sampling).fit().outcome())


def test_a_warm_up_goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    """It is cut before its end. The projection is resumed with the rest; the teacher is in no checkpoint."""
    options = {"accumulate": 2, "mimo": True}
    expected = Run(corpus, tmp_path / "whole", **options).fit().outcome()
    assert not any("teacher" in name for name in expected["weights"])
    with pytest.raises(Power):
        Run(corpus, tmp_path / "cut", **options).fit(Cut(2, no_power))
    assert_same(expected, Run(corpus, tmp_path / "cut", **options).fit().outcome())


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_saves_and_stops(corpus: Corpus, tmp_path: Path, signum: int, accumulate: int) -> None:
    """In the middle of step 3, which may have batches to go. The handlers of before are back afterwards."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    expected = Run(corpus, tmp_path / "whole", accumulate=accumulate).fit().outcome()
    cut = Run(corpus, tmp_path / "cut", accumulate=accumulate)
    cut.checkpoint = Checkpoint(cut.folder, ORIGIN)  # no other checkpoint within ten minutes
    with pytest.raises(Stopped) as stopped:
        cut.fit(Cut(3 * accumulate, partial(os.kill, os.getpid(), signum)))
    assert stopped.value.signum == signum
    assert [path.name for path in cut.folder.glob("step-*")] == ["step-00000004.ckpt"]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert_same(expected, Run(corpus, cut.folder, accumulate=accumulate).fit().outcome())


@pytest.mark.parametrize("interval", [1, 5])
def test_a_cut_in_the_last_batch_after_a_validation(corpus: Corpus, tmp_path: Path, interval: int) -> None:
    expected = Run(corpus, tmp_path / "whole", interval=interval).fit().outcome()
    with pytest.raises(Power):
        Run(corpus, tmp_path / "cut", interval=interval).fit(Cut(STEPS - 1, no_power))
    assert_same(expected, Run(corpus, tmp_path / "cut", interval=interval).fit().outcome())


def test_a_signal_in_the_last_step_is_heeded(corpus: Corpus, tmp_path: Path) -> None:
    """All steps are done then, but the evaluation is not."""
    expected = Run(corpus, tmp_path / "whole").fit().outcome()
    with pytest.raises(Stopped):
        Run(corpus, tmp_path / "cut").fit(Cut(STEPS - 1, partial(os.kill, os.getpid(), signal.SIGTERM)))
    assert_same(expected, Run(corpus, tmp_path / "cut").fit().outcome())


def test_workers_leave_signals_to_the_training_process(corpus: Corpus, tmp_path: Path) -> None:
    """As `kill -- -pgid` or a batch system sends them: to every process of the job."""

    def to_all() -> None:
        workers = [child.pid for child in multiprocessing.active_children()]
        assert len(workers) >= 2
        for pid in [*workers, forkserver._forkserver._forkserver_pid]:
            os.kill(pid, signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    expected = Run(corpus, tmp_path / "whole", workers=2).fit().outcome()
    with pytest.raises(Stopped):
        Run(corpus, tmp_path / "cut", workers=2).fit(Cut(2, to_all))
    assert_same(expected, Run(corpus, tmp_path / "cut", workers=2).fit().outcome())


def test_spoiled_checkpoints_do_not_push_out_good_ones(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(Power):
        Run(corpus, tmp_path).fit(Cut(4, no_power))
    for path in tmp_path.glob("step-*"):
        path.write_bytes(b"spoiled")
    with pytest.raises(Power):
        Run(corpus, tmp_path).fit(Cut(2, no_power))
    assert newest_checkpoint(tmp_path, ORIGIN) == tmp_path / "step-00000002.ckpt"


@pytest.mark.parametrize("clip", ["norm", "value"])
def test_a_gradient_that_is_no_number_spoils_no_checkpoint(corpus: Corpus, tmp_path: Path, clip: str) -> None:
    """The norm is that before clipping, by value too, which would make the number finite."""
    run = Run(corpus, tmp_path, clip=clip)

    def spoil() -> None:
        next(parameter for parameter in run.learner.parameters() if parameter.grad is not None).grad[0] = math.inf

    with pytest.raises(ValueError, match=r"the gradient's norm after batch 3 is (nan|inf): an x_"):
        run.fit(Cut(3, spoil))
    kept = torch.load(newest_checkpoint(tmp_path, ORIGIN), weights_only=True)["state_dict"]
    assert newest_checkpoint(tmp_path, ORIGIN).name == "step-00000003.ckpt"
    assert all(tensor.isfinite().all() for tensor in kept.values())


def test_a_second_interrupt_does_not_wait(corpus: Corpus, tmp_path: Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises((KeyboardInterrupt, SystemExit)):  # Lightning makes the second of the first
        Run(corpus, tmp_path).fit(Cut(3, twice))
    assert max(tmp_path.glob("step-*")).name == "step-00000003.ckpt"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("damage", ["truncated", "empty", "altered", "garbage"])
def test_a_spoiled_checkpoint_is_passed_over(
    corpus: Corpus, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Run(corpus, tmp_path / "whole").fit().outcome()
    folder = tmp_path / "cut"
    with pytest.raises(Power):
        Run(corpus, folder).fit(Cut(4, no_power))
    older, newer = sorted(folder.glob("step-*"))
    assert newest_checkpoint(folder, ORIGIN) == newer
    content = newer.read_bytes()
    place = content.index(b"archive/data/" if b"archive/data/" in content else b"/data/0") + 400
    altered = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    spoiled = {"truncated": content[: len(content) // 2], "empty": b"", "altered": altered, "garbage": b"x" * 999}
    newer.write_bytes(spoiled[damage])
    assert newest_checkpoint(folder, ORIGIN) == older
    assert f"{newer} cannot be read (" in caplog.text
    assert_same(expected, Run(corpus, folder).fit().outcome())


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Whole checkpoints, the newest first."""
    paths = [tmp_path / f"step-0000000{step}.ckpt" for step in (3, 2, 1)]
    for path in paths:
        write_checkpoint({"babelbatch": ORIGIN}, path)
    return paths


def test_a_checkpoint_that_cannot_be_read_for_a_moment_is_not_lost(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def stale(path: Path, *rest: object) -> object:
        if path == three[0]:
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(path, *rest)

    message = (
        f"{three[0]} could not be read ([Errno {errno.ESTALE}] Stale file handle), which does not mean that it is "
        "damaged; run the same command again"
    )
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", stale)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            newest_checkpoint(tmp_path, ORIGIN)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            remove_leftovers(tmp_path, three[1])
    assert sorted(tmp_path.iterdir()) == sorted(three)
    assert newest_checkpoint(tmp_path, ORIGIN) == three[0]


def test_only_damaged_checkpoints_are_leftovers(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / ".step-00000004.ckpt.x").touch()
    three[1].write_bytes(three[1].read_bytes()[:-1])
    remove_leftovers(tmp_path, three[2])
    assert sorted(tmp_path.iterdir()) == [three[2], three[0]]


def test_ranks_that_would_resume_from_different_steps(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = ["2", "3"]

    def gather(values: list[str], own: str, group: object) -> None:
        values[:] = [own, others.pop()]

    monkeypatch.setattr(collectives, "_is_distributed", lambda: True)
    monkeypatch.setattr(collectives, "_cpu_group", lambda: None)
    monkeypatch.setattr(collectives, "world_size", lambda: 2)
    monkeypatch.setattr(collectives.dist, "all_gather_object", gather)
    together = ResumedTogether(tmp_path, three[0])
    together.setup(pl.Trainer(logger=False), pl.LightningModule(), "fit")
    message = (
        f"the processes of this run found different newest checkpoints in {tmp_path}, as if one of them could not read "
        "it; see that all of them can, and run the same command again"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        together.setup(pl.Trainer(logger=False), pl.LightningModule(), "fit")


def test_after_the_last_step_nothing_is_left_to_train(corpus: Corpus, tmp_path: Path) -> None:
    """As after a kill in the final evaluation. The best weights are still known."""
    expected = Run(corpus, tmp_path).fit().outcome()

    def trained() -> None:
        raise AssertionError("trained again")

    assert_same(expected, Run(corpus, tmp_path).fit(*(Cut(batch, trained) for batch in range(STEPS))).outcome())


def test_an_early_stop_is_remembered(corpus: Corpus, tmp_path: Path) -> None:
    """Patience runs out at the second validation without progress, with and without a cut in between."""

    def stubborn(folder: Path) -> Run:
        run = Run(corpus, folder, patience=1)
        run.stopper.best_score = torch.tensor(0.0)  # no loss is lower
        return run

    expected = stubborn(tmp_path / "whole").fit().outcome()
    assert expected["steps"] == 2
    with pytest.raises(Power):
        stubborn(tmp_path / "cut").fit(Cut(1, no_power))
    assert_same(expected, stubborn(tmp_path / "cut").fit().outcome())
    assert_same(expected, stubborn(tmp_path / "cut").fit().outcome())


def test_a_run_whose_folder_was_moved_knows_its_best_weights(corpus: Corpus, tmp_path: Path) -> None:
    expected = Run(corpus, tmp_path / "before").fit().outcome()
    (tmp_path / "before").rename(tmp_path / "after")
    assert_same(expected, Run(corpus, tmp_path / "after").fit().outcome())


def test_a_checkpoint_of_another_run_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(corpus, tmp_path)
    run.checkpoint = Checkpoint(tmp_path, {"sampling.alpha": 0.5, "seed": 0, "encoder.dropout": 0.1})
    run.fit()
    path = tmp_path / "step-00000006.ckpt"
    message = (
        f"{path} is a checkpoint of another run:\n"
        "  - encoder.dropout: 0.1 there, not set here\n"
        "  - sampling.alpha: 0.5 there, 0.25 here\n"
        f"set these as there, choose another output_dir, or remove {tmp_path} to start over"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        newest_checkpoint(tmp_path, {"sampling.alpha": 0.25, "seed": 0})


def test_two_are_kept_and_one_when_done(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(corpus, tmp_path).fit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "step-00000005.ckpt", "step-00000006.ckpt"]
    run.checkpoint.keep_newest_only()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "step-00000006.ckpt"]


@pytest.mark.parametrize("said_by", ["file", "torch"])
def test_a_full_disk_is_told_and_the_last_good_checkpoint_stays(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, said_by: str
) -> None:
    """From step 3 to 5 the disk is full, then there is space again; the run comes to its end."""
    expected = Run(corpus, tmp_path / "whole").fit().outcome()
    save = torch.save
    errors = {
        "file": OSError(errno.ENOSPC, "No space left on device"),
        "torch": RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
    }

    def full(checkpoint: dict, file: object) -> None:
        if 3 <= checkpoint["global_step"] <= 5 and "optimizer_states" in checkpoint:
            file.write(b"as much as fits")
            raise errors[said_by]
        save(checkpoint, file)

    monkeypatch.setattr(torch, "save", full)
    folder = tmp_path / "full"
    seen: list[list[str]] = []
    note = Cut(5, lambda: seen.append(sorted(path.name for path in folder.iterdir() if "best" not in path.name)))
    with caplog.at_level(logging.ERROR):
        assert_same(expected, Run(corpus, folder).fit(note).outcome())
    assert seen == [["step-00000001.ckpt", "step-00000002.ckpt"]]
    assert "step 3: no checkpoint could be saved (" in caplog.text
    resumed = folder / "step-00000002.ckpt"
    assert f"training continues, and an interrupted run would resume from {resumed}" in caplog.text


@pytest.mark.parametrize(
    ("signum", "then"),
    [
        (None, "training is over, and a run that is interrupted before its end would resume from"),
        (signal.SIGTERM, "the run stops, and the same command resumes it from"),
    ],
)
def test_a_full_disk_at_the_end_and_before_a_stop(
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    signum: int | None,
    then: str,
) -> None:
    """The last checkpoint of a run, which does not fit on the disk: training does not continue after it."""
    save, last = torch.save, STEPS if signum is None else 2

    def full(checkpoint: dict, file: object) -> None:
        if checkpoint["global_step"] == last and "optimizer_states" in checkpoint:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(checkpoint, file)

    monkeypatch.setattr(torch, "save", full)
    stop = [] if signum is None else [Cut(1, partial(os.kill, os.getpid(), signum))]
    with caplog.at_level(logging.ERROR), nullcontext() if signum is None else pytest.raises(Stopped):
        Run(corpus, tmp_path).fit(*stop)
    (message,) = (record.getMessage() for record in caplog.records)
    assert message == (
        f"step {last}: no checkpoint could be saved ([Errno 28] No space left on device); free some space; "
        f"{then} {tmp_path / f'step-{last - 1:08}.ckpt'}"
    )


def test_a_file_is_there_whole_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stands until the new one is on the disk."""
    path = tmp_path / "step-00000001.ckpt"
    AtomicIO().save_checkpoint({"step": 1}, path)

    def cut(checkpoint: dict, file: object) -> None:
        file.write(b"half of it")
        file.flush()
        assert torch.load(path, weights_only=True) == {"step": 1}
        raise Power

    monkeypatch.setattr(torch, "save", cut)
    with pytest.raises(Power):
        AtomicIO().save_checkpoint({"step": 2}, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert AtomicIO().load_checkpoint(path) == {"step": 1}


def test_the_seed_of_a_step_is_all_that_matters(corpus: Corpus, tmp_path: Path) -> None:
    """What others draw in between changes no weight."""
    expected = Run(corpus, tmp_path / "one").fit().outcome()["weights"]
    noise = [Cut(batch, lambda: torch.rand(7)) for batch in range(STEPS)]
    assert_same(expected, Run(corpus, tmp_path / "two").fit(*noise).outcome()["weights"])


def test_a_disk_that_is_full_for_the_best_weights(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The earlier best ones stay, and the run comes to the same end."""
    expected = Run(corpus, tmp_path / "whole").fit().outcome()
    assert expected["best step"] > 2
    save = torch.save

    def full(checkpoint: dict, file: object) -> None:
        if checkpoint["global_step"] > 2 and "optimizer_states" not in checkpoint:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(checkpoint, file)

    monkeypatch.setattr(torch, "save", full)
    found = Run(corpus, tmp_path / "full").fit().outcome()
    assert_same(expected["weights"], found["weights"])
    assert found["best step"] == 2
    assert "its weights, the best, could not be saved ([Errno 28] No space left on device)" in caplog.text
