"""Checkpoints that survive anything, and the way back from them."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import CheckpointIO

from babelbatch.configuration.identity import differences
from babelbatch.distributed.collectives import max_over_ranks
from babelbatch.records import Batch
from babelbatch.runs.stopping import Stopped
from babelbatch.storage import flush_folder

log = logging.getLogger(__name__)

_KEPT = 2  # if the disk spoils the newest, there is one more
_ORIGIN = "babelbatch"  # the key that says what run a checkpoint belongs to
_SAVE = 1  # below every signal's number
_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class AtomicIO(CheckpointIO):
    """Files that are there whole or not there: a temporary one in the same folder, flushed to the disk, renamed.

    (Lightning's own goes through the system's temporary folder: on another disk that is a plain copy.)
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises OSError if the disk does not take it; nothing of it stays then."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                try:
                    torch.save(checkpoint, file)
                except RuntimeError as error:  # torch's zip writer hides what the disk said
                    raise OSError(f"{path} could not be written: {error}") from error
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        flush_folder(path.parent)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        return torch.load(path, map_location=map_location, weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class Checkpoint(pl.Callback):
    """Saves the run now and then, at the end, and when a signal asks it to stop.

    It saves before a step, when all that belongs to the last one is done, validation included. The last two stay; once
    the run is complete one is enough (`tidy`). SIGTERM and SIGINT let the step in progress end, save and raise
    `Stopped`; a second SIGINT stops at once. With several ranks they stop at the same step.

    folder: where. origin: what run this is, kept in every checkpoint; see `newest_checkpoint`.
    every_minutes: time between two checkpoints. every_n_steps: also whenever so many optimiser steps are done.
    A full disk is told, and training goes on: the checkpoints that there are stay.
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
        # The batch that is about to start does not count: Lightning would do its next validation a batch too early.
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for part in (progress["total"], progress["current"]):
            part["ready"] = part["completed"]
        # Nor is the last batch done, which Lightning would leave out.
        progress["is_last_batch"] = progress["current"]["completed"] >= trainer.num_training_batches

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._saved_at, self._saved_step, self._signum = time.monotonic(), trainer.global_step, 0
        # Lightning counts one too many when it goes on from a checkpoint, and curves would shift by a step.
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._handlers[signum] = signal.signal(signum, self._note)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches:
            return  # half of an optimiser step is no place to come back to
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step
        due = max_over_ranks(self._signum or (_SAVE if trainer.is_global_zero and self._is_due(trainer) else 0))
        if due:
            self._save(trainer)
        if due > _SAVE:
            raise Stopped(due)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._save(trainer)
        due = max_over_ranks(self._signum)
        self._restore_handlers()
        if due:  # asked while the last step, or the validation after it, was under way
            raise Stopped(due)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore_handlers()

    def tidy(self) -> None:
        """Keeps the newest checkpoint only."""
        for path in _by_age(self._folder)[1:]:
            path.unlink()

    def _is_due(self, trainer: pl.Trainer) -> bool:
        if trainer.global_step == self._saved_step:
            return False
        steps = self._every_n_steps
        return time.monotonic() - self._saved_at >= self._seconds or bool(steps and trainer.global_step % steps == 0)

    def _save(self, trainer: pl.Trainer) -> None:
        step = trainer.global_step
        try:
            trainer.save_checkpoint(self._folder / f"step-{step:08}.ckpt", weights_only=False)
        except OSError as error:
            kept = _by_age(self._folder)
            log.error(
                "step %d: no checkpoint could be saved (%s); free some space; training goes on, and an interrupted run "
                "would go on from %s", step, error, kept[0] if kept else "its start",
            )  # fmt: skip
            trainer.strategy.barrier()  # where the other ranks wait for the one that writes
        self._saved_at, self._saved_step = time.monotonic(), step
        if trainer.is_global_zero:
            for path in _by_age(self._folder)[_KEPT:]:
                path.unlink()

    def _note(self, signum: int, frame: object) -> None:
        if self._signum == signum == signal.SIGINT:
            raise KeyboardInterrupt
        self._signum = self._signum or signum
        again = "; once more: at once" if signum == signal.SIGINT else ""
        log.warning("%s: stopping after this step and a checkpoint%s", signal.Signals(signum).name, again)

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())


class Best(ModelCheckpoint):
    """Keeps the weights that a monitored quantity liked best, in `best.ckpt`. A resumed run writes over what it comes
    to again. A full disk is told, and training goes on with the best weights that there are.

    dirpath: the folder. monitor: what decides. mode: `min` or `max`.
    """

    def __init__(self, dirpath: str, monitor: str, mode: str) -> None:
        super().__init__(dirpath, "best", monitor, mode=mode, save_weights_only=True, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The folder may lie elsewhere by now. Lightning would then forget what was the best, and look for its weights
        where they were."""

        def here(path: str) -> str:
            return str(Path(self.dirpath, Path(path).name)) if path else path

        paths = {name: here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")}
        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath})

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        try:
            super()._save_checkpoint(trainer, filepath)
        except OSError as error:
            log.error("step %d: its weights, the best, could not be saved (%s)", trainer.global_step, error)
            trainer.strategy.barrier()  # where the other ranks wait for the one that writes


def disable_lightning_signal_handlers(trainer: pl.Trainer) -> None:
    """Leaves signals to `Checkpoint`. Lightning's handlers talk to other ranks wherever they are, it asks the GPU about
    signals once a batch, and it would requeue Slurm's jobs beside those who started them."""
    trainer._signal_connector.register_signal_handlers = lambda: None
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None


def newest_checkpoint(folder: Path, origin: Mapping[str, Any]) -> Path | None:
    """The newest checkpoint that can be read, or None. Spoiled ones are told and passed over.

    Raises ValueError if it belongs to another run: if its origin differs from this one in any key.
    """
    for path in _by_age(folder):
        try:
            with zipfile.ZipFile(path) as archive:
                spoiled = archive.testzip()  # torch does not look at the check sums
            if spoiled:
                raise zipfile.BadZipFile(f"{spoiled} in it is altered")
            found = torch.load(path, weights_only=True, map_location="cpu", mmap=True)[_ORIGIN]
        except _UNREADABLE as error:
            log.warning("%s cannot be read (%s); passed over", path, str(error).partition("\n")[0])
            continue
        if told := "".join(f"\n  - {difference}" for difference in differences(found, origin)):
            raise ValueError(
                f"{path} is a checkpoint of another run:{told}\nset these as there, choose another output_dir, "
                f"or remove {folder} to begin anew"
            )
        return path
    return None


def checkpoint_step(path: Path | None) -> int:
    """The optimiser steps done when a checkpoint of the run's course was saved; 0 for none."""
    return int(path.stem.removeprefix("step-")) if path is not None else 0


def remove_leftovers(folder: Path, resumed: Path | None) -> None:
    """Removes what a killed run had begun to write, and what it wrote after the checkpoint that is gone on from:
    spoiled ones, which would count among those that are kept."""
    for path in [*folder.glob(".*.ckpt.*"), *_by_age(folder)]:
        if path.name.startswith(".") or checkpoint_step(path) > checkpoint_step(resumed):
            path.unlink()


def _by_age(folder: Path) -> list[Path]:
    """The checkpoints of the run's course (not the best one), newest first."""
    return sorted(folder.glob("step-*.ckpt"), reverse=True)
