"""The jobs of one command: what Hydra calls for each, how they ended, and the exit code that says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.schema import register
from babelbatch.distributed.ranks import devices_per_node, global_rank, world_size
from babelbatch.jobs.job import (
    EXIT_FAILED,
    EXIT_RUNNING_ELSEWHERE,
    EXIT_USER_ERROR,
    FINISHED,
    Outcome,
    run_in_process,
    run_in_workers,
    skip_finished,
)
from babelbatch.runs.files import TRACEBACK_FILE, is_finished
from babelbatch.runs.lock import FolderLocked, locked
from babelbatch.runs.stopping import Stopped

_IN_THIS_PROCESS = (".BasicLauncher", ".FreshLauncher")  # others call the jobs somewhere else
NOT_STARTED = Outcome("not started")


class JobRunner:
    """Called by Hydra with every job's configuration.

    root: of the configuration. ends: how each job ended, by folder, in the order of the jobs.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.ends: dict[Path, Outcome] = {}

    def __setstate__(self, state: dict) -> None:
        """Where another process unpickles the jobs, configurations are yet to be resolved."""
        register()
        self.__dict__ |= state

    def __call__(self, cfg: DictConfig) -> None:
        hydra = HydraConfig.get()
        folder = Path(hydra.runtime.output_dir)
        launcher = hydra.launcher["_target_"]
        # A job may be asked for twice; how it went the first time is what matters.
        end = skip_finished(cfg, folder) if is_finished(folder, config_hash(cfg)) else self._run(cfg, folder, hydra)
        self.ends.setdefault(folder, end)
        if end.stopped:
            raise Stopped(end.stopped)
        if (
            hydra.mode == RunMode.MULTIRUN
            and not launcher.endswith(_IN_THIS_PROCESS)
            and end.code in {EXIT_FAILED, EXIT_USER_ERROR}
        ):
            raise RuntimeError(end.reason)  # only this way does Hydra hear of it, and it must be light to carry

    def _run(self, cfg: DictConfig, folder: Path, hydra: DictConfig) -> Outcome:
        if (rank := global_rank()) > 0:
            for handler in logging.getLogger().handlers:
                if isinstance(handler, logging.FileHandler):
                    handler.baseFilename = str(folder / f"rank{rank}.log")  # not opened before the first line
        processes = (devices_per_node(cfg.trainer.devices) or 1) if "trainer" in cfg else 1
        ranks_exist = (world_size() or 1) > 1
        fresh = hydra.launcher["_target_"].endswith(".FreshLauncher")
        if ranks_exist or (processes == 1 and not fresh):
            return run_in_process(self.root, cfg, folder)
        settings = {
            "job_logging": OmegaConf.to_container(hydra.job_logging, resolve=True),
            "verbose": OmegaConf.to_container(hydra)["verbose"],
        }
        return run_in_workers(self.root, cfg, folder, processes, settings)


def outcome_from_folder(folder: Path, config_hash: str) -> Outcome:
    """How a job stands that ran, if at all, in another process: what its folder tells."""
    if is_finished(folder, config_hash):
        return FINISHED
    if not folder.exists():
        return NOT_STARTED
    try:
        with locked(folder, patience=0):
            reason = (folder / TRACEBACK_FILE).read_text(encoding="utf-8").splitlines()[0]
    except FolderLocked as busy:
        return Outcome("running elsewhere", EXIT_RUNNING_ELSEWHERE, busy.holder)
    except (FileNotFoundError, IndexError):
        return NOT_STARTED
    return Outcome("failed", EXIT_FAILED, reason)


def command_exit_code(ends: Iterable[Outcome]) -> int:
    """What a command says of its jobs: 128 + n if signal n stopped one; 2 if one failed by a mistake of the user, 1 if
    by anything else; 75 (EX_TEMPFAIL) if the only thing amiss is that another command runs some; 0 if all finished."""
    codes = {end.code for end in ends}
    signals = [code for code in codes if code > 128]
    return (
        max(signals)
        if signals
        else next((code for code in (EXIT_USER_ERROR, EXIT_FAILED, EXIT_RUNNING_ELSEWHERE) if code in codes), 0)
    )
