"""Groups the runs that differ in the seed alone, and labels each group by the settings that distinguish it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from babelbatch.report.runs import Run
from babelbatch.runs.files import ENCODER_FOLDER

KINDS = {"x_x": "X-X", "x_y": "X-Y", "merged": "Merged"}
ON_THE_CURVE = ("x_x", "x_y", "hybrid")
"""Strategies that differ in alpha only."""
ALPHA = "sampling.alpha"
OF_THE_STRATEGY = (
    "sampling.name", "sampling.alpha", "sampling.schedule", "sampling.alpha_end", "sampling.switch_at",
    "sampling.alpha_steps", "sampling.same_language", "sampling.cross_language", "merged.weights",
)  # fmt: skip
"""Settings that make a strategy; groups that differ in these alone are compared by planned contrasts."""
_SHOWN_FIRST = (
    "sampling.name",
    ALPHA,
    "encoder.name_or_path",
    "checkpoint",
    "encoder._target_",
    "loss._target_",
)
_NAME_OF_ENCODER = {"encoder.name_or_path", "encoder._target_", "checkpoint"}
"""Settings of which any names the encoder of a system that was not trained here."""
_ALIKE = {
    "fingerprint": "other questions or candidates",
    "protocol": "another protocol",
    "metric": "another metric to read first",
    "search": "another way to find candidates",
}
OF_MERGED = re.compile(r"^merged\.\d+\.")
_NAME = 40  # characters of a run's name that a table has room for
_NOT_COMPARED = (
    "benchmarks.", "callbacks.evaluate", "data.validation_queries", "trainer.devices", "trainer.accelerator", "threads",
    "device",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """The settings that a report selects among. paths: a setting counts with all below it, apart from `_target_`, which
    counts where it is named itself."""

    paths: tuple[str, ...] = ()

    def includes(self, path: str) -> bool:
        below = not path.endswith("._target_") and any(path.startswith(f"{each}.") for each in self.paths)
        return below or path in self.paths


NONE = Hyperparameters()


@dataclass(frozen=True, slots=True)
class Group:
    """One strategy (or another setting that was varied) with its runs, one for each seed.

    rest: its other settings, without those of the strategy; groups on the curve with an equal rest are one curve over
        alpha.
    """

    label: str
    strategy: str | None
    alpha: float | None
    runs: tuple[Run, ...]
    rest: str

    @property
    def seeds(self) -> tuple[int | None, ...]:
        return tuple(run.seed for run in self.runs)

    @property
    def fixed(self) -> bool:
        """Whether it is a system without a seed, such as BM25 or an encoder that was not trained here."""
        return self.seeds == (None,)

    @property
    def subject(self) -> str:
        """What a sentence calls it: a single trained run is no strategy."""
        return f"the run of {self.label}" if len(self.runs) == 1 and not self.fixed else self.label

    @property
    def foreign(self) -> bool:
        """Whether it is a system that was measured elsewhere."""
        return self.runs[0].system is not None

    @property
    def on_the_curve(self) -> bool:
        return self.strategy in ON_THE_CURVE and self.alpha is not None

    @property
    def pairing(self) -> tuple[str | None, str | None]:
        """What X-X and X-Y mean in its batches (`sampling.same_language`, `sampling.cross_language`); None for the
        kind that it has no batches of."""
        settings = self.runs[0].settings
        same = settings.get("sampling.same_language", "batch") if self.alpha != 0 else None
        cross = settings.get("sampling.cross_language", "any") if self.alpha != 1 else None
        return same, cross


def like_pairing(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> bool:
    """Whether two strategies mean the same by the kinds of batches that both have."""
    return all(None in both or both[0] == both[1] for both in zip(one, other, strict=True))


def refuse_mixed(runs: Sequence[Run]) -> None:
    """Raises ValueError unless all runs were scored on the same benchmarks, by the same protocol. Scores on other data
    are other quantities."""
    first = runs[0]
    for run in runs[1:]:
        names = " and ".join(str(one.folder) for one in (first, run))
        if set(run.benchmarks) != set(first.benchmarks):
            shared = [name for name in first.benchmarks if name in run.benchmarks]
            remedy = (
                f"compare on what they share with benchmarks={','.join(shared)}" if shared else "report on each alone"
            )
            raise ValueError(
                f"runs: {names} cannot be compared: scored on {', '.join(sorted(first.benchmarks))} and on "
                f"{', '.join(sorted(run.benchmarks))}; {remedy}"
            )
        for name in first.benchmarks:
            for fact, means in _ALIKE.items():
                there, here = (one.metrics.get(f"{fact}/{name}") for one in (first, run))
                if there != here:
                    raise ValueError(
                        f"runs: {names} cannot be compared: {name} has {means} in the second ({fact} {there} and "
                        f"{here}); evaluate both again with one version, or report on each alone"
                    )


def only(runs: Sequence[Run], benchmarks: Sequence[str]) -> tuple[list[Run], list[Run]]:
    """The runs that have all of `benchmarks`, with those alone, and the others. Raises ValueError if none has."""
    having = [run for run in runs if set(benchmarks) <= set(run.benchmarks)]
    found = [replace(run, metrics=run.metrics | {"benchmarks": list(benchmarks)}) for run in having]
    if not found:
        there = sorted({name for run in runs for name in run.benchmarks})
        raise ValueError(f"benchmarks: no run has {', '.join(benchmarks)} (there are: {', '.join(there)})")
    return found, [run for run in runs if not set(benchmarks) <= set(run.benchmarks)]


def grouped(runs: Sequence[Run], hyperparameters: Hyperparameters = NONE) -> list[Group]:
    """The groups, by alpha and name, numbers in it by their value; the runs of each by seed.

    hyperparameters: selected settings, by which groups do not differ; a group has an alpha if all its runs have one.
    Raises ValueError if a group has a seed twice.
    """
    by_settings: dict[str, list[Run]] = {}
    for run in (run for run in runs if run.system is None):
        by_settings.setdefault(_key(strategy_of(compared(run.settings), hyperparameters)), []).append(run)
    members = list(by_settings.values())
    all_settings = [strategy_of(compared(of_group[0].settings), hyperparameters) for of_group in members]
    labels = _labels(all_settings, alpha_selected=hyperparameters.includes(ALPHA))
    groups = []
    for label, settings, of_group in zip(labels, all_settings, members, strict=True):
        rest = {path: value for path, value in settings.items() if OF_MERGED.sub("", path) not in OF_THE_STRATEGY}
        ordered = tuple(sorted(of_group, key=lambda run: -1 if run.seed is None else run.seed))
        alphas = {run.metrics.get("alpha") for run in of_group}
        strategy = of_group[0].metrics.get("strategy")
        if hyperparameters.includes(ALPHA):
            strategy = settings.get("sampling.name", strategy)
        groups.append(Group(label, strategy, alphas.pop() if len(alphas) == 1 else None, ordered, _key(rest)))
        seeds = groups[-1].seeds
        if len(set(seeds)) < len(seeds):
            twice = [str(run.folder) for run in ordered if seeds.count(run.seed) > 1]
            raise ValueError(
                f"runs: {' and '.join(twice)} are '{label}' with one seed, and differ in nothing that a strategy is "
                "compared by; name only one of them in runs="
            )
    groups += _foreign(runs, {group.label for group in groups})
    return sorted(groups, key=lambda group: (group.alpha is None, group.alpha or 0.0, _by_numbers(group.label)))


def _by_numbers(label: str) -> tuple[str | float, ...]:
    """A key that puts `lr=2` before `lr=10`, and `lr=1e-05` before both. Words and numbers alternate in it."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?)", label)
    return tuple(float(part) if place % 2 else part for place, part in enumerate(parts))


def _foreign(runs: Sequence[Run], labels: Set[str]) -> list[Group]:
    """The systems that were measured elsewhere, each under its name. labels: of the other groups."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        if run.system is not None:
            by_name.setdefault(run.system, []).append(run)
    groups = []
    for name, of_group in by_name.items():
        if name in labels:
            raise ValueError(
                f"{of_group[0].folder}: system: runs are called '{name}' too; give the system another name"
            )
        if len(of_group) > 1 and any(run.seed is None for run in of_group):
            raise ValueError(
                f"{of_group[0].folder}: seed: some results of '{name}' have one, and some not; give all one"
            )
        ordered = tuple(sorted(of_group, key=lambda run: -1 if run.seed is None else run.seed))
        groups.append(Group(name, None, None, ordered, _key({"system": name})))
    return groups


def strategy_of(settings: Mapping[str, Any], hyperparameters: Hyperparameters) -> dict[str, Any]:
    """The settings without hyperparameters. If alpha is one, hybrid with alpha 1 is X-X, and with alpha 0 X-Y, as they
    are to the bit."""
    found = {path: value for path, value in settings.items() if not hyperparameters.includes(OF_MERGED.sub("", path))}
    if hyperparameters.includes(ALPHA) and found.get("sampling.name") == "hybrid":
        alpha = settings.get(ALPHA)
        found["sampling.name"] = "x_y" if alpha == 0 else "x_x" if alpha == 1 else "hybrid"
    return found


def compared(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without the seed, the benchmarks (compared by their fingerprints), and how the work is done; of
    merged runs, theirs as well."""
    found = {}
    for path, value in settings.items():
        own = OF_MERGED.sub("", path)
        if own != "seed" and not own.startswith(_NOT_COMPARED):
            found[path] = value
    return found


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)


def _labels(settings: Sequence[Mapping[str, Any]], alpha_selected: bool) -> list[str]:
    """Labels by the fewest settings that distinguish all groups, strategy and encoder first: `X-X lr=0.1`.

    Systems that were not trained here have no strategy, so what tells them apart is not in the labels of the others.
    How they were evaluated is in theirs if it is in those of the others.
    """
    of_trained = _distinguishing([each for each in settings if "sampling.name" in each])
    of_fixed = _distinguishing([each for each in settings if "sampling.name" not in each])
    of_fixed += [path for path in of_trained if path.startswith("evaluation.") and path not in of_fixed]
    chosen = {True: of_trained, False: of_fixed}
    for defaults in (False, True):
        labels = [
            _label(each, chosen["sampling.name" in each], settings, alpha_selected, defaults) for each in settings
        ]
        if len(set(labels)) == len(labels):  # without defaults two settings of one name may look the same
            break
    return labels


def _distinguishing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fewest settings that distinguish all groups."""
    paths = sorted({path for each in settings for path in each}, key=_priority)
    distinguished: list[tuple[str, ...]] = [() for _ in settings]
    chosen: list[str] = []
    for path in paths:
        values = [json.dumps(each.get(path), sort_keys=True) for each in settings]
        finer = [(*before, value) for before, value in zip(distinguished, values, strict=True)]
        if len(set(finer)) > len(set(distinguished)):
            distinguished, chosen = finer, [*chosen, path]
    return chosen


def _label(
    own: Mapping[str, Any],
    chosen: Sequence[str],
    all_settings: Sequence[Mapping[str, Any]],
    alpha_selected: bool,
    defaults: bool,
) -> str:
    """defaults: whether settings are named that this one leaves at their default."""
    strategy, alpha = own.get("sampling.name"), own.get(ALPHA)
    siblings = {str(each.get(ALPHA)) for each in all_settings if each.get("sampling.name") == strategy}
    parts = [] if strategy is None else [KINDS.get(strategy, str(strategy))]
    if strategy == "hybrid" and alpha in (0, 1):  # the pure strategy, to the bit
        parts = [f"{'X-X' if alpha else 'X-Y'} (alpha={alpha})"]
    elif not alpha_selected and strategy is not None and (strategy == "hybrid" or len(siblings) > 1):
        parts.append(f"alpha={'default' if alpha is None else alpha}")
    of_this = [each for each in all_settings if each.get("sampling.name") == strategy]
    for path in chosen:
        if path in {"sampling.name", ALPHA}:
            continue
        if path in OF_THE_STRATEGY and not any(path in each for each in of_this):
            continue  # a setting of other strategies, such as the weights of an average
        if path == "encoder._target_" and _is_named(own, all_settings):
            continue
        value = own.get(path, "default")
        name = path.rpartition(".")[2]
        if path == "encoder.name_or_path" and path not in own and "encoder._target_" not in chosen:
            value, name = own.get("encoder._target_", value), "_target_"  # of no weights, such as BM25
        if name == "_target_":
            parts.append(str(value).rpartition(".")[2])
        elif path in {"encoder.name_or_path", "checkpoint"}:
            if path in own:
                parts.append(_end_of(str(value), {str(each[path]) for each in all_settings if path in each}))
        elif path in own or defaults:
            parts.append(f"{name}={value}")
    if strategy is None and len(all_settings) > 1:
        parts = [*([] if _NAME_OF_ENCODER & set(chosen) else _encoder_of(own, all_settings)), *parts]
        parts += ["untrained"] if _is_start_of_others(own, all_settings) else []
    return " ".join(parts) or "the runs"


def _encoder_of(own: Mapping[str, Any], all_settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of an encoder that was not trained here, or else its kind, if it has one."""
    names = {str(name) for each in all_settings if (name := each.get("encoder.name_or_path"))}
    if name := own.get("encoder.name_or_path"):
        return [_end_of(str(name), names)]
    return [str(own["encoder._target_"]).rpartition(".")[2]] if own.get("encoder._target_") else []


def _is_start_of_others(own: Mapping[str, Any], all_settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether trained runs began from this encoder, and it is not itself what a run trained."""
    name = own.get("encoder.name_or_path")
    started = [each.get("encoder.name_or_path") for each in all_settings if "sampling.name" in each]
    return name is not None and name in started and PurePath(name).name != ENCODER_FOLDER


def _is_named(own: Mapping[str, Any], all_settings: Sequence[Mapping[str, Any]]) -> bool:
    """Whether its name distinguishes an encoder from those of other kinds."""
    name, kind = own.get("encoder.name_or_path"), own.get("encoder._target_")
    return name is not None and all(
        each.get("encoder._target_") == kind for each in all_settings if each.get("encoder.name_or_path") == name
    )


def _end_of(path: str, all_paths: Set[str]) -> str:
    """The shortest end of a path that no other path has. The weights in a run's folder are named after the run."""
    parts, *others = (_parts(each) for each in (path, *sorted(all_paths - {path})))
    unlike = (n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others))
    return "/".join(parts[-next(unlike, len(parts)) :])


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    if len(parts) == 1 or parts[-1] != ENCODER_FOLDER:
        return parts
    *above, run, _ = parts
    return [*above, run if len(run) <= _NAME else f"{run[: _NAME - 12]}...{run[-9:]}"]  # it ends in _ and its hash


def _priority(path: str) -> tuple[int, str]:
    return (_SHOWN_FIRST.index(path) if path in _SHOWN_FIRST else len(_SHOWN_FIRST), path)
