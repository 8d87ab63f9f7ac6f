"""Checks of `hydra/sweeper=optuna`: only scores on validation items may choose settings, and a run must have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babelbatch.configuration.rules.launchers import is_installed, jobs_at_once
from babelbatch.configuration.rules.report_selection import is_validation_score
from babelbatch.configuration.schema import better
from babelbatch.configuration.signatures import parameters
from babelbatch.distributed.ranks import world_size

_DIRECTIONS = {"max": "maximize", "min": "minimize"}
_LEAST = {"n_trials": 1, "n_jobs": 1, "seed": 0, "n_startup_trials": 1, "population_size": 2, "max_failures": 0}
_SAMPLERS = {"tpe": ("n_startup_trials",), "nsgaii": ("population_size",), "random": (), "grid": ()}
"""Sampler -> the keys that are for it alone."""


def directions_of(sweeper: dict[str, Any]) -> list[str]:
    """`maximize` or `minimize` for each objective."""
    given = sweeper.get("directions")
    return list(given) if given else [_natural(objective) for objective in sweeper["objectives"]]


def problems_of_sweeper(
    cfg: dict[str, Any], schema: str, sweeper: dict[str, Any], launcher: dict[str, Any]
) -> Iterator[str]:
    """Yields `path: problem; remedy`. cfg: of a job. sweeper, launcher: of Hydra, with `_target_`; values of a wrong
    type are reported elsewhere."""
    if not is_installed("optuna"):
        yield "hydra/sweeper: optuna needs optuna; pip install 'babelbatch[optuna]'"
    if schema != "train":
        yield "hydra/sweeper: optuna chooses by validation scores, which only babelbatch-train has; leave it out"
        return
    if (world_size() or 1) > 1:
        yield (
            "hydra/sweeper: optuna starts jobs from one process, and this is one of several ranks; type the command "
            "without torchrun or srun, and set trainer.devices"
        )
    yield from _problems_of_objectives(cfg, sweeper)
    yield from _problems_of_validation(cfg)
    yield from _problems_of_sampler(sweeper)
    for key, least in _LEAST.items():
        value = sweeper.get(key)
        if isinstance(value, int) and value < least:
            yield f"hydra.sweeper.{key}: {value} is less than {least}; raise it"
    at_once, jobs = jobs_at_once(launcher), sweeper.get("n_jobs")
    if at_once is not None and isinstance(jobs, int) and jobs > at_once[0]:
        yield f"hydra.sweeper.n_jobs: {jobs} trials at once, and the launcher runs {at_once[0]}; {at_once[1]}"


def _problems_of_objectives(cfg: dict[str, Any], sweeper: dict[str, Any]) -> Iterator[str]:
    path = "hydra.sweeper.objectives"
    objectives, directions = sweeper.get("objectives"), sweeper.get("directions")
    if not isinstance(objectives, list) or not objectives:
        yield f"{path}: nothing to search for; name validation scores, such as [validation/multilingual/map]"
        return
    own = tuple((cfg.get("evaluation") or {}).get("metrics") or ())
    benchmarks = cfg.get("benchmarks") or {}
    for objective in objectives:
        root = str(objective).partition("/")[0]
        if root in benchmarks:
            yield (
                f"{path}: {objective} is a score on a benchmark; what is chosen by it looks better there than it is; "
                f"name the score on validation items, validation/{str(objective).partition('/')[2]}"
            )
        elif not isinstance(objective, str) or not is_validation_score(objective, own):
            hint = (
                " (a loss is not comparable between temperatures)"
                if str(objective).startswith("validation/loss")
                else ""
            )
            yield f"{path}: {objective!r} is no validation score{hint}; name one, such as validation/multilingual/map"
        elif not is_validation_score(objective, ()) and directions is None:
            yield f"hydra.sweeper.directions: {objective} is of your own; set maximize or minimize for each objective"
    if len(set(map(str, objectives))) < len(objectives):
        yield f"{path}: one is listed twice; name each once"
    if not isinstance(directions, list):
        return
    if len(directions) != len(objectives):
        yield f"hydra.sweeper.directions: {len(directions)} for {len(objectives)} objectives; give each one, or null"
    for objective, direction in zip(objectives, directions, strict=False):
        if direction not in _DIRECTIONS.values():
            yield f"hydra.sweeper.directions: {direction!r} is neither maximize nor minimize; set one of them, or null"
        elif is_validation_score(str(objective), ()) and direction != _natural(objective):
            remedy = f"set {_natural(objective)}"
            yield f"hydra.sweeper.directions: {direction} {objective}, of which the opposite is better; {remedy}"


def _problems_of_validation(cfg: dict[str, Any]) -> Iterator[str]:
    """A run must score validation items."""
    data = cfg.get("data") or {}
    try:
        accepted = parameters(data["_target_"])
    except (KeyError, ValueError):
        return  # reported as such

    def given(key: str) -> Any:
        return data.get(key, accepted[key].value if key in accepted else None)

    if cfg.get("validation") is None and not given("validation_fraction"):
        yield (
            "data.validation_fraction: no items are held out for the objectives of hydra.sweeper; raise it, such as "
            "data.validation_fraction=0.05"
        )
    if not given("validation_queries"):
        yield (
            "data.validation_queries: no validation items are scored for the objectives of hydra.sweeper; raise it, "
            "such as data.validation_queries=500"
        )


def _problems_of_sampler(sweeper: dict[str, Any]) -> Iterator[str]:
    sampler = sweeper.get("sampler")
    if sampler not in _SAMPLERS:
        yield f"hydra.sweeper.sampler: {sampler!r} is none of {', '.join(_SAMPLERS)}; set one of them"
        return
    for other, keys in _SAMPLERS.items():
        for key in keys:
            if other != sampler and sweeper.get(key) is not None:
                yield f"hydra.sweeper.{key}: it is for sampler={other} alone; leave it out"
    if sweeper.get("n_trials") is None and sampler != "grid":
        yield f"hydra.sweeper.n_trials: {sampler} has no end of its own; set a number"


def _natural(objective: str) -> str:
    return _DIRECTIONS[better(objective)]
