"""`hydra/sweeper=optuna`: the settings of each job follow from the validation scores of those before it. Hydra takes
sweepers only from `hydra_plugins`."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Searches settings with Optuna: each trial is a job, whose validation scores decide what is tried next.

    objectives: validation scores, such as `validation/multilingual/map`; with several, the search is for their front.
    directions: `maximize` or `minimize` for each objective; null for what is better of each.
    n_trials: how many jobs, failed ones included; null with sampler=grid for all of the grid.
    n_jobs: trials that are proposed and run at once.
    seed: of the sampler.
    sampler: `tpe`, `nsgaii`, `random` or `grid`.
    n_startup_trials: with sampler=tpe, how many trials are drawn at random first; null for 10.
    population_size: with sampler=nsgaii, trials of a generation, the first of which is drawn at random; null for 50.
    max_failures: so many failed trials are left out of the study; one more ends the search.
    params: the search space, as in `{sampling.alpha: 'interval(0, 1)'}`; what is typed on the command line comes first.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    launcher: Launcher

    def __init__(
        self,
        objectives: list[str],
        directions: list[str] | None = None,
        n_trials: int | None = 20,
        n_jobs: int = 1,
        seed: int = 0,
        sampler: str = "tpe",
        n_startup_trials: int | None = None,
        population_size: int | None = None,
        max_failures: int = 0,
        params: dict[str, Any] | None = None,
    ) -> None:
        """The settings are read from the configuration, as they are checked; Hydra gives them to the class, too."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Returns when all trials have ended. Raises SystemExit with the exit code of a search that had to end."""
        from babelbatch.jobs.optuna_search import search

        search(self, arguments, self.launcher.launch)
