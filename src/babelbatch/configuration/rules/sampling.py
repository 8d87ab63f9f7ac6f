"""Checks of a sampling strategy: settings that contradict each other.

The argument is a plain mapping of a configuration that is not built yet. `check` reports wrong types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from babelbatch.configuration.signatures import is_number
from babelbatch.records import names_one_twice, primary_language, problem_of_name

_PURE = {"x_x": 1, "x_y": 0, "mixed": 1, "english": 1, "x_en": 0, "en_x": 0}
_MEANT = {
    "x_x": {"same_language": "batch"},
    "mixed": {"same_language": "pair"},
    "x_en": {"cross_language": "x_en"},
    "en_x": {"cross_language": "en_x"},
}
"""What the names of strategies mean beside alpha."""
_DEFAULTS = {"same_language": "batch", "cross_language": "any"}
_TO_AN_END = ("linear", "cosine", "switch")


def problems_of_alpha(sampling: Mapping[str, Any]) -> Iterator[str]:
    """Problems of alpha and its schedule. Each line begins with the key, without `sampling.`."""
    schedule = sampling.get("schedule", "constant")
    end, place, steps = (sampling.get(key) for key in ("alpha_end", "switch_at", "alpha_steps"))
    if end is None and schedule in _TO_AN_END:
        yield f"alpha_end: schedule {schedule} goes there; set it to a number between 0 and 1"
    if place is None and schedule == "switch":
        yield "switch_at: schedule switch needs it; set it to a fraction of the batches, such as 0.5"
    if steps is None and schedule == "steps":
        yield "alpha_steps: schedule steps needs them; set them to [fraction, alpha] pairs, such as [[0.5,0]]"
    if end is not None and schedule not in _TO_AN_END:
        yield f"alpha_end: schedule {schedule} does not go there; set sampling.schedule=linear, or leave it out (null)"
    if place is not None and schedule != "switch":
        yield f"switch_at: schedule {schedule} has no switch; set sampling.schedule=switch, or leave it out (null)"
    if steps is not None and schedule != "steps":
        yield f"alpha_steps: schedule {schedule} does not follow them; set sampling.schedule=steps, or leave them out"
    if is_number(end) and not 0 <= end <= 1:
        yield f"alpha_end: {end} is not between 0 and 1"
    if is_number(place) and not 0 < place < 1:
        yield f"switch_at: {place} is not a fraction between 0 and 1"
    if isinstance(steps, list):
        yield from _problems_of_steps(steps)


def problems_of_sampling(sampling: Mapping[str, Any]) -> Iterator[str]:
    """All contradictions in the settings of a strategy."""
    yield from problems_of_alpha(sampling)
    name, schedule = sampling.get("name"), sampling.get("schedule", "constant")
    if isinstance(name, str) and (problem := problem_of_name(name)) is not None:  # tables have files of that name
        yield f"name: {name[:80]!r} {problem}; choose another"
    if name in {*_PURE, "hybrid"} and schedule != "constant":
        yield f"schedule: {name} has one alpha throughout; set sampling=schedule"
    elif name in _PURE and sampling.get("alpha") != _PURE[name]:
        yield f"alpha: {name} means alpha {_PURE[name]}; to mix, set sampling=hybrid"
    yield from _problems_of_name(sampling)
    found = alphas(sampling)
    languages, crossing = sampling.get("languages"), sampling.get("cross_language", "any")
    if isinstance(languages, list) and names_one_twice(list(map(str, languages))):
        named = ", ".join(map(str, languages))
        yield f"languages: {named} name a language twice; leave one of them out"
    elif found != {1} and isinstance(languages, list) and len(languages) == 1:
        yield "languages: X-Y batches need two languages; add one, or set sampling.alpha=1"
    elif crossing != "any" and isinstance(languages, list) and "en" not in map(primary_language, map(str, languages)):
        yield f"languages: cross_language={crossing} pairs languages with English; add en"
    if (
        name == "hybrid"
    ):  # alpha 0 and 1 are compared with values between them, so they may have settings without effect
        return
    if found == {1}:
        for key, default in (("cross_language", "any"), ("pair_exponent", 0)):
            if sampling.get(key, default) != default:
                yield f"{key}: there are no X-Y batches at alpha 1; leave it out, or set sampling=hybrid"
    if found == {0}:
        for key, default in (("same_language", "batch"), ("language_exponent", 0)):
            if sampling.get(key, default) != default:
                yield f"{key}: there are no X-X batches at alpha 0; leave it out, or set sampling=hybrid"


def _problems_of_name(sampling: Mapping[str, Any]) -> Iterator[str]:
    """Settings that contradict what the name of a shipped strategy means: tables and sentences have only the name."""
    name = sampling.get("name")
    for key, meant in _MEANT.get(str(name), {}).items():
        if sampling.get(key, _DEFAULTS[key]) != meant:
            yield f"{key}: {name} means {meant}; set sampling.name to another name, too"
    languages = sampling.get("languages")
    if name == "english" and [primary_language(str(each)) for each in languages or ()] != ["en"]:
        yield "languages: english means English alone; set sampling.name to another name, too"


def _problems_of_steps(steps: list[Any]) -> Iterator[str]:
    if not steps or not all(isinstance(step, list) and len(step) == 2 and all(map(is_number, step)) for step in steps):
        yield f"alpha_steps: {steps} is not a list of [fraction, alpha] pairs, such as [[0.5,0]]"
        return
    fractions = [fraction for fraction, _ in steps]
    if not all(0 < fraction < 1 for fraction in fractions) or any(one >= other for one, other in pairwise(fractions)):
        yield (
            f"alpha_steps: the fractions {fractions} are not in order between 0 and 1; up to the first, "
            "sampling.alpha holds"
        )
    yield from (f"alpha_steps: alpha {alpha} is not between 0 and 1" for _, alpha in steps if not 0 <= alpha <= 1)


def alphas(sampling: Mapping[str, Any]) -> set[Any]:
    """The values between which alpha moves."""
    steps = sampling.get("alpha_steps")
    later = [step[-1] for step in steps if isinstance(step, list) and step] if isinstance(steps, list) else []
    found = [sampling.get("alpha"), sampling.get("alpha_end"), *later]
    return {alpha for alpha in found if is_number(alpha)}
