"""The jobs of one command: what Hydra calls for each of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.home import put_home
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.plain import plain
from babelbatch.configuration.saved import allow_own_targets
from babelbatch.configuration.schema import register
from babelbatch.distributed.ranks import devices_per_node, global_rank, world_size
from babelbatch.jobs.job import run_in_process, skip_finished
from babelbatch.jobs.outcome import EXIT_FAILED, EXIT_USER_ERROR, Outcome
from babelbatch.jobs.workers import run_in_workers
from babelbatch.progress import show_lines_only
from babelbatch.runs.files import is_finished
from babelbatch.runs.stopping import Stopped

_LAUNCHERS_HERE = (".BasicLauncher", ".FreshLauncher")  # others call the jobs in another process
_OURS = "hydra_plugins.babelbatch_launcher."  # which take the outcome of a job, whatever it is
_FRESH = (".FreshLauncher", ".JoblibLauncher", ".RayLauncher")  # whose processes run several jobs, or are killed hard


class JobRunner:
    """Called by Hydra with the configuration of each job.

    root: name of the root configuration. config_dir: the folder with the user's own options, or None. outcomes: folder
        -> outcome, in the order of the jobs.
    """

    def __init__(self, root: str, config_dir: str | None = None) -> None:
        self.root = root
        self._config_dir = None if config_dir is None else str(Path(config_dir).absolute())
        self.outcomes: dict[Path, Outcome] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In the process that unpickles this, configurations are yet to be resolved."""
        register()
        self.__dict__ |= state

    def __call__(self, cfg: DictConfig) -> Outcome:
        put_home(cfg)
        allow_own_targets(self._config_dir)
        hydra = HydraConfig.get()
        folder = Path(hydra.runtime.output_dir)
        finished = is_finished(folder, config_hash(cfg))
        outcome = skip_finished(cfg, folder) if finished else self._run(cfg, folder, hydra)
        self.register(folder, outcome)
        elsewhere = hydra.mode == RunMode.MULTIRUN and not _launcher(hydra).endswith(_LAUNCHERS_HERE)
        if elsewhere and _launcher(hydra).startswith(_OURS):
            return outcome
        if outcome.stopped:
            raise Stopped(outcome.stopped)
        if elsewhere and outcome.code in {EXIT_FAILED, EXIT_USER_ERROR}:
            raise RuntimeError(outcome.reason)  # the only way to report it to Hydra; it is pickled, so it is small
        return outcome

    def register(self, folder: Path, outcome: Outcome) -> None:
        """Of a job that comes twice the first outcome counts, unless it failed: a later trial may succeed."""
        if folder not in self.outcomes or self.outcomes[folder].code:
            self.outcomes[folder] = outcome

    def _run(self, cfg: DictConfig, folder: Path, hydra: HydraConf) -> Outcome:
        if (rank := global_rank()) > 0:
            _log_to(folder / f"rank{rank}.log")
            show_lines_only()
        processes = (devices_per_node(cfg.trainer.devices) or 1) if "trainer" in cfg else 1
        ranks_exist = (world_size() or 1) > 1
        if ranks_exist or (processes == 1 and not _launcher(hydra).endswith(_FRESH)):
            return run_in_process(self.root, cfg, folder)
        return run_in_workers(self.root, cfg, folder, processes, _worker_settings(hydra, self._config_dir))


def _launcher(hydra: HydraConf) -> str:
    return str(hydra.launcher["_target_"])


def _log_to(path: Path) -> None:
    """Redirects the log files, which are opened at their first line, and logs nowhere else: rank 0 has the terminal."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, logging.FileHandler):
            handler.baseFilename = str(path)
        elif isinstance(handler, logging.StreamHandler):
            root.removeHandler(handler)


def _worker_settings(hydra: HydraConf, config_dir: str | None) -> Mapping[str, object]:
    return {
        "config_dir": config_dir,
        "job_logging": OmegaConf.to_container(hydra.job_logging, resolve=True),
        "verbose": plain(hydra, resolve=False)["verbose"],
    }
