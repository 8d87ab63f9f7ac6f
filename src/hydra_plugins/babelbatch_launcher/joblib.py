"""`hydra/launcher=joblib`: several jobs of a sweep at once on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hydra.core.utils import JobReturn

from hydra_plugins.babelbatch_launcher.elsewhere import ElsewhereLauncher


class JoblibLauncher(ElsewhereLauncher):
    """Runs several jobs at once, each in a process of its own.

    n_jobs: how many at once; -1 for one for each core. verbose: how much joblib says about its progress.
    """

    def __init__(self, n_jobs: int = -1, verbose: int = 0) -> None:
        self._run: dict[str, Any] = {"n_jobs": n_jobs, "verbose": verbose}

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from babelbatch.jobs.elsewhere import run_elsewhere
        from babelbatch.jobs.joblib_jobs import run_with_joblib

        return run_elsewhere(self, job_overrides, initial_job_idx, partial(run_with_joblib, **self._run))
