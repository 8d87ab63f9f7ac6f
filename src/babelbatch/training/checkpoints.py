"""Checkpoints that survive crashes, and resuming from them."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import CheckpointIO

from babelbatch.configuration.identity import differences, is_layout
from babelbatch.distributed.collectives import max_over_ranks, require_equal
from babelbatch.records import Batch
from babelbatch.runs.stopping import Stopped
from babelbatch.storage.checkpoint_file import DamagedCheckpoint, read_checkpoint, write_checkpoint

log = logging.getLogger(__name__)

_RETAINED = 2  # if the newest is damaged on the disk, the other one remains
_ORIGIN = "babelbatch"  # the key of the settings and data that a checkpoint was made with
_SAVE = 1  # below every signal's number
_GOES_ON = "training continues, and an interrupted run would resume from"
_STOPS = "the run stops, and the same command resumes it from"
_IS_OVER = "training is over, and a run that is interrupted before its end would resume from"


class AtomicIO(CheckpointIO):
    """Writes files atomically and with a digest, which is verified when they are read.

    Lightning's own writes through the system's temporary folder, which on another disk is a plain copy.
    mapped: map tensors from the file instead of reading them, for a rank that uses a part of each.
    """

    def __init__(self, mapped: bool = False) -> None:
        self._mapped = mapped

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises OSError, and leaves no file, if the disk does not take it."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Raises DamagedCheckpoint for any other content than the written one. Tensors are on the CPU."""
        return read_checkpoint(Path(path), mmap=self._mapped)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class Checkpoint(pl.Callback):
    """Saves the run at intervals, at the end, and when a signal asks it to stop.

    It saves before a step, when the last one is complete, validation included, and retains the last two checkpoints
    until the run is complete. After SIGTERM or SIGINT the current step ends, a checkpoint is saved and `Stopped` is
    raised; a second SIGINT stops at once. Several ranks stop at the same step. A full disk is logged as an error, and
    training continues unless it was to stop.

    folder: of the checkpoints. origin: settings and data of the run, stored in each of them; see `newest_checkpoint`.
    every_minutes: time between two checkpoints. every_n_steps: additionally after every so many optimiser steps.
    """

    def __init__(
        self,
        folder: Path,
        origin: Mapping[str, Any],
        every_minutes: float = 10.0,
        every_n_steps: int | None = None,
    ) -> None:
        self._folder = folder
        self._origin = dict(origin)
        self._seconds = 60 * every_minutes
        self._every_n_steps = every_n_steps
        self._saved_at = 0.0
        self._saved_step = 0
        self._signum = 0
        self._handlers: dict[int, Any] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[_ORIGIN] = self._origin
        # Without the batch that is about to start: with it, Lightning would validate a batch too early after resuming.
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for part in (progress["total"], progress["current"]):
            part["ready"] = part["completed"]
        # Lightning saves it as False before the last batch is over, and would then skip the end of the epoch.
        progress["is_last_batch"] = progress["current"]["completed"] >= trainer.num_training_batches

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._saved_at, self._saved_step, self._signum = time.monotonic(), trainer.global_step, 0
        # Lightning counts one too many after resuming, and curves would shift by a step.
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._handlers[signum] = signal.signal(signum, self._record_signal)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches:
            return  # no checkpoint within an optimiser step
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        due = max_over_ranks(self._signum or (_SAVE if trainer.is_global_zero and self._is_due(trainer) else 0))
        if due:
            self._save(trainer, _STOPS if due > _SAVE else _GOES_ON)
        if due > _SAVE:
            raise Stopped(due)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._save(trainer, _IS_OVER)
        due = max_over_ranks(self._signum)
        self._restore_handlers()
        if due:  # the signal came during the last step or the validation after it
            raise Stopped(due)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore_handlers()

    def keep_newest_only(self) -> None:
        """Removes all checkpoints but the newest."""
        for path in _by_age(self._folder)[1:]:
            path.unlink()

    def _is_due(self, trainer: pl.Trainer) -> bool:
        if trainer.global_step == self._saved_step:
            return False
        steps = self._every_n_steps
        return time.monotonic() - self._saved_at >= self._seconds or bool(steps and trainer.global_step % steps == 0)

    def _save(self, trainer: pl.Trainer, then: str) -> None:
        """then: what happens after it, for the message about a full disk, which ends with a checkpoint."""
        step = trainer.global_step
        try:
            trainer.save_checkpoint(self._folder / f"step-{step:08}.ckpt", weights_only=False)
        except OSError as error:
            saved = _by_age(self._folder)
            log.error(
                "step %d: no checkpoint could be saved (%s); free some space; %s %s",
                step, error, then, saved[0] if saved else "its start",
            )  # fmt: skip
            trainer.strategy.barrier()  # the other ranks wait there for the one that writes
        self._saved_at, self._saved_step = time.monotonic(), step
        if trainer.is_global_zero:
            for path in _by_age(self._folder)[_RETAINED:]:
                path.unlink()

    def _record_signal(self, signum: int, frame: object) -> None:
        if self._signum == signum == signal.SIGINT:
            raise KeyboardInterrupt
        self._signum = self._signum or signum
        again = "; press Ctrl-C again to stop at once" if signum == signal.SIGINT else ""
        log.warning("%s: stopping after this step and a checkpoint%s", signal.Signals(signum).name, again)

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())


class ResumedTogether(pl.Callback):
    """Raises ValueError if the ranks do not resume from the same step, before any of them reads its checkpoint.

    Each rank looks for the newest one itself, and on another node the folder may look different. resumed: of this rank.
    """

    def __init__(self, folder: Path, resumed: Path | None) -> None:
        self._folder = folder
        self._resumed = resumed

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        require_equal(
            str(checkpoint_step(self._resumed)),
            f"the processes of this run found different newest checkpoints in {self._folder}, as if one of them could "
            "not read it; see that all of them can, and run the same command again",
        )


class Best(ModelCheckpoint):
    """Saves the weights with the best value of a monitored quantity as `best.ckpt`.

    A resumed run overwrites what it repeats. A full disk is logged as an error and training continues.

    dirpath: the folder. monitor: the quantity. mode: `min` or `max`.
    """

    def __init__(self, dirpath: str, monitor: str, mode: str) -> None:
        super().__init__(dirpath, "best", monitor, mode=mode, save_weights_only=True, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state with paths in the current folder: Lightning would look for a moved run's weights in the
        former one."""
        assert self.dirpath is not None
        folder = Path(self.dirpath)

        def moved(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        names = ("best_model_path", "kth_best_model_path", "last_model_path")
        paths = {name: moved(state_dict[name]) for name in names}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath})

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        try:
            super()._save_checkpoint(trainer, filepath)
        except OSError as error:
            log.error("step %d: its weights, the best, could not be saved (%s)", trainer.global_step, error)
            trainer.strategy.barrier()  # the other ranks wait there for the one that writes


def disable_lightning_signal_handlers(trainer: pl.Trainer) -> None:
    """Leaves signals to `Checkpoint`.

    Lightning's handlers communicate with other ranks at any point of a step, wait for the GPU after each batch, and
    requeue Slurm jobs, which their launcher does too.
    """
    for owner, name in (
        (trainer._signal_connector, "register_signal_handlers"),
        (trainer.fit_loop.epoch_loop, "_broadcast_sigterm_tensor"),
    ):
        setattr(owner, name, lambda: None)


def newest_checkpoint(folder: Path, origin: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint that is not damaged, or None. Damaged ones are skipped with a warning.

    Raises ValueError if it cannot be read now, which does not mean that it is damaged, or if it belongs to another run,
    that is if its origin differs in any key. Only the number of devices and how they share the work may differ, with a
    warning.
    """
    for path in _by_age(folder):
        try:
            found = read_checkpoint(path, mmap=True)[_ORIGIN]
        except (DamagedCheckpoint, KeyError) as error:
            log.warning("%s cannot be read (%s); skipped", path, error)
            continue
        changed = differences(found, origin)
        if different := "".join(f"\n  - {each}" for each in changed if not is_layout(each)):
            raise ValueError(
                f"{path} is a checkpoint of another run:{different}\nset these as there, choose another output_dir, "
                f"or remove {folder} to start over"
            )
        if changed:
            log.warning(
                "%s is resumed on other devices (%s): batches and gradients stay the same up to rounding, the draws of "
                "dropout do not", path, "; ".join(changed),
            )  # fmt: skip
        return path
    return None


def checkpoint_step(path: Path | None) -> int:
    """The optimiser steps done when a checkpoint was saved; 0 for none."""
    return int(path.stem.removeprefix("step-")) if path is not None else 0


def remove_leftovers(folder: Path, resumed: Path | None) -> None:
    """Removes unfinished temporary files, and checkpoints later than the one to resume from if they are damaged.

    These are read once more: what was unreachable for a moment is not lost.
    """
    for path in folder.glob(".*.ckpt.*"):
        path.unlink()
    for path in _by_age(folder):
        if checkpoint_step(path) > checkpoint_step(resumed) and _is_damaged(path):
            path.unlink(missing_ok=True)


def _is_damaged(path: Path) -> bool:
    try:
        read_checkpoint(path, mmap=True)
    except DamagedCheckpoint:
        return True
    return False


def _by_age(folder: Path) -> list[Path]:
    """The checkpoints to resume from (not the best one), newest first."""
    return sorted(folder.glob("step-*.ckpt"), reverse=True)
