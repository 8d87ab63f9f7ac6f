"""`hydra/sweeper=optuna`: proposes the settings of each trial, runs it as a job, and reads its scores from its folder.

The study is in memory. Typing the command again proposes the same trials, because Optuna's samplers are functions of
the seed and of the scores so far; the finished ones are read and not run.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from babelbatch.configuration.rules import directions_of
from babelbatch.configuration.schema import ConfigError
from babelbatch.jobs.elsewhere import OfHydra, composed_job
from babelbatch.jobs.failures import print_error
from babelbatch.jobs.outcome import (
    EXIT_RUNNING_ELSEWHERE,
    EXIT_USER_ERROR,
    FINISHED_EARLIER,
    Outcome,
    command_exit_code,
)
from babelbatch.jobs.overrides import parse_overrides
from babelbatch.jobs.plan import plain_hydra
from babelbatch.jobs.search_space import Options, Space, search_space
from babelbatch.jobs.sweep import JobRunner
from babelbatch.runs.metrics_file import read_metrics

_VALIDATED_ON = "fingerprint/validation_queries"
_TITLES = {"tpe": "TPE", "nsgaii": "NSGA-II", "random": "a random sampler", "grid": "a grid"}

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


@dataclass(frozen=True)
class Settings:
    """`hydra.sweeper`, with a direction for each objective and the number of trials."""

    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    n_trials: int
    n_jobs: int
    seed: int
    sampler: str
    n_startup_trials: int
    population_size: int
    max_failures: int


def search(given: OfHydra, arguments: Sequence[str], launch: Launch) -> None:
    """Runs the trials of a command, and prints each with its scores and the front at the end.

    given: what Hydra gives a sweeper. arguments: the overrides. launch: runs jobs, of which the first has this number.
    Raises SystemExit if the search had to end before its last trial, with the exit code; the reason is printed.
    """
    try:
        space = search_space(parse_overrides(list(arguments)))
        settings = _settings(plain_hydra(given.config, "sweeper"), space)
        study = make_study(settings, space)
        if OmegaConf.select(given.config, "report.select") is None:
            space = replace(space, fixed=(*space.fixed, *_rule_of_report(settings, space)))
    except (ConfigError, ValueError) as error:  # of a value that Optuna refuses
        print_error(str(error))
        sys.exit(EXIT_USER_ERROR)
    folder = Path(given.config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(given.config, folder / "multirun.yaml")
    print_error(_plan_of(settings, space))
    _Search(given, launch, space, settings, study).run()


def make_study(settings: Settings, space: Space) -> optuna.Study:
    """A study without trials. Raises ValueError for an option that the sampler refuses."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=_sampler(settings), directions=list(settings.directions))
    if settings.sampler == "grid":
        for point in _grid(space, settings.seed):
            study.enqueue_trial(point)
    return study


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """The space as Optuna takes it. Options are chosen by their number."""
    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, each in space.dimensions.items():
        if not isinstance(each, Options):
            kind = optuna.distributions.IntDistribution if each.whole else optuna.distributions.FloatDistribution
            found[name] = kind(int(each.low) if each.whole else each.low, each.high, log=each.log)
        elif each.ordered:
            found[name] = optuna.distributions.IntDistribution(0, len(each.texts) - 1)
        else:
            found[name] = optuna.distributions.CategoricalDistribution(range(len(each.texts)))
    return found


def front(study: optuna.Study, texts: Sequence[Mapping[str, str]]) -> list[int]:
    """Numbers of the best trials: those that no other one beats in an objective without losing in another. Of trials
    with the same settings the first. texts: the settings of each trial."""
    found: dict[str, int] = {}
    for trial in sorted(study.best_trials, key=lambda trial: trial.number):
        found.setdefault(_words(texts[trial.number]), trial.number)
    return list(found.values())


class _Search:
    """The trials of one command, in batches of `n_jobs`."""

    def __init__(self, given: OfHydra, launch: Launch, space: Space, settings: Settings, study: optuna.Study) -> None:
        self._given, self._launch, self._space, self._settings, self._study = given, launch, space, settings, study
        self._asked = distributions(space)
        self._texts: list[dict[str, str]] = []
        self._validated_on: object = None
        self._failures = 0

    def run(self) -> None:
        while (first := len(self._texts)) < self._settings.n_trials:
            trials = [
                self._study.ask(self._asked) for _ in range(min(self._settings.n_jobs, self._settings.n_trials - first))
            ]
            for trial in trials:
                texts = self._space.texts(trial.params)
                same = "" if texts not in self._texts else f", as trial {self._texts.index(texts) + 1}"
                self._texts.append(texts)
                self._say(trial.number, f"{_words(texts)}{same}")
            jobs = [self._space.job(self._texts[trial.number]) for trial in trials]
            folders = [composed_job(self._given, job, first + place)[1] for place, job in enumerate(jobs)]
            self._launch(jobs, first)
            self._end(trials, folders)
        self._show_front()

    def _end(self, trials: Sequence[optuna.Trial], folders: Sequence[Path]) -> None:
        """Tells the study how a batch ended. Ends the search after too many failures."""
        outcomes = [self._outcome(folder) for folder in folders]
        for trial, folder, outcome in zip(trials, folders, outcomes, strict=True):
            if outcome.code:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
                self._say(trial.number, f"{outcome.state}{': ' if outcome.reason else ''}{outcome.reason}")
                continue
            try:
                values = self._values(folder, trial.number)
            except ValueError as error:
                print_error(str(error))
                sys.exit(EXIT_USER_ERROR)
            self._study.tell(trial, values)
            earlier = " (finished earlier)" if outcome == FINISHED_EARLIER else ""
            self._say(trial.number, f"{self._scores(values)}; {self._best()}{earlier}")
        if any(outcome.code == EXIT_RUNNING_ELSEWHERE for outcome in outcomes):
            print_error("the search waits for no other command; type this one again when that one has ended")
            sys.exit(EXIT_RUNNING_ELSEWHERE)
        self._failures += sum(bool(outcome.code) for outcome in outcomes)
        if self._failures > self._settings.max_failures:
            print_error(
                f"hydra.sweeper.max_failures: {self._failures} failed, so the search ends here; type the same command "
                f"again to go on with it, or let it pass them over with hydra.sweeper.max_failures={self._failures}"
            )
            sys.exit(command_exit_code(outcomes))

    def _outcome(self, folder: Path) -> Outcome:
        runner = self._given.task_function
        assert isinstance(runner, JobRunner)
        return runner.outcomes[folder]

    def _values(self, folder: Path, number: int) -> list[float]:
        """The objectives of a finished run. Raises ValueError if it lacks one, or was scored on other items."""
        metrics = read_metrics(folder)
        for objective, direction in zip(self._settings.objectives, self._settings.directions, strict=True):
            value = metrics.get(objective)
            if value is None or not math.isfinite(value):
                known = ", ".join(sorted(key for key in metrics if key.startswith("validation/")))
                raise ValueError(
                    f"hydra.sweeper.objectives: {folder} has no {objective}; name one of {known or 'none'}"
                )
            own = metrics.get(f"custom_metric/{objective.split('/', 2)[2]}")
            if own is not None and (own == "lower") != (direction == "minimize"):
                raise ValueError(
                    f"hydra.sweeper.directions: {direction} {objective}, of which {own} is better; set the other"
                )
        validated_on = metrics.get(_VALIDATED_ON)
        if self._validated_on not in (None, validated_on):
            raise ValueError(
                f"hydra.sweeper: trial {number + 1} ({_words(self._texts[number])}) has other validation items than "
                "the first, so their scores cannot be compared; do not search over settings that change them"
            )
        self._validated_on = validated_on
        return [float(metrics[objective]) for objective in self._settings.objectives]

    def _say(self, number: int, what: str) -> None:
        print_error(f"trial {number + 1} of {self._settings.n_trials}: {what}")

    def _scores(self, values: Sequence[float]) -> str:
        return " ".join(f"{name}={value:.4f}" for name, value in zip(self._settings.objectives, values, strict=True))

    def _best(self) -> str:
        numbers = ", ".join(str(number + 1) for number in front(self._study, self._texts))
        return f"{'best' if len(self._settings.objectives) == 1 else 'front'} so far: {numbers}"

    def _show_front(self) -> None:
        trials = {trial.number: trial for trial in self._study.trials}
        several = len(self._settings.objectives) > 1
        ended = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials.values())
        title = "The front on validation" if several else "The best on validation"
        lines = [
            f"  trial {number + 1}: {_words(self._texts[number])}: {self._scores(trials[number].values)}"
            for number in front(self._study, self._texts)
        ]
        failed = f" ({len(trials) - ended} more failed)" if ended < len(trials) else ""
        print(f"\n{title}, of {ended} trials{failed}:", *lines, sep="\n", flush=True)


def _settings(sweeper: Mapping[str, Any], space: Space) -> Settings:
    """Raises ConfigError for more trials than there are settings, and for a grid of an interval."""
    sampler, wanted = sweeper["sampler"], sweeper["n_trials"]
    if sampler == "grid" and space.size is None:
        endless = [name for name, each in space.dimensions.items() if not isinstance(each, Options)]
        raise ConfigError([f"{name}: an interval has no grid; write range(...) or choice(...)" for name in endless])
    if space.size is not None and wanted is not None and wanted > space.size:
        remedy = f"set {space.size} or less{', or null for all of them' if sampler == 'grid' else ''}"
        raise ConfigError([f"hydra.sweeper.n_trials: {wanted} trials of {space.size} settings; {remedy}"])
    return Settings(
        tuple(sweeper["objectives"]), tuple(directions_of(dict(sweeper))), wanted or space.size or 0,
        sweeper["n_jobs"], sweeper["seed"], sampler, sweeper["n_startup_trials"] or 10,
        sweeper["population_size"] or 50, sweeper["max_failures"],
    )  # fmt: skip


def _rule_of_report(settings: Settings, space: Space) -> list[str]:
    """Overrides by which the report of the runs selects as the search does."""
    if len(settings.objectives) > 1:
        return [f"++report.select=[{','.join(settings.objectives)}]"]
    paths = [name.partition("@")[2] or name for name in space.dimensions]
    paths += [f"{path}._target_" for path in paths if "." not in path]  # of a group
    return [f"++report.select={settings.objectives[0]}", f"++report.select_among=[{','.join(paths)}]"]


def _sampler(settings: Settings) -> optuna.samplers.BaseSampler:
    if settings.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=settings.seed, n_startup_trials=settings.n_startup_trials)
    if settings.sampler == "nsgaii":
        return optuna.samplers.NSGAIISampler(seed=settings.seed, population_size=settings.population_size)
    return optuna.samplers.RandomSampler(settings.seed)


def _grid(space: Space, seed: int) -> list[dict[str, int]]:
    """All settings of a finite space in random order, so that the first ones are spread over it. Optuna's GridSampler
    cannot be asked and told: it ends with an error at its last point."""
    sizes = {name: range(len(each.texts)) for name, each in space.dimensions.items() if isinstance(each, Options)}
    points = [dict(zip(sizes, numbers, strict=True)) for numbers in itertools.product(*sizes.values())]
    random.Random(seed).shuffle(points)
    return points


def _plan_of(settings: Settings, space: Space) -> str:
    """One line on what is searched, and how many trials are drawn at random."""
    first = {"tpe": settings.n_startup_trials, "nsgaii": settings.population_size}.get(settings.sampler, 0)
    drawn = "all" if first >= settings.n_trials else f"the first {first}"
    at_random = f", {drawn} at random" if first else ""
    return (
        f"searching {', '.join(space.dimensions)} with {_TITLES[settings.sampler]} for the "
        f"{'front of' if len(settings.objectives) > 1 else 'best'} {' and '.join(settings.objectives)}: "
        f"{settings.n_trials} trials, {settings.n_jobs} at once{at_random}"
    )


def _words(texts: Mapping[str, str]) -> str:
    return " ".join(f"{name}={text}" for name, text in texts.items())
