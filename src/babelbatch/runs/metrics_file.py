"""metrics.json read back: the results and facts of a run, with the type of each checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from babelbatch.records import problem_of_name
from babelbatch.runs.files import EVALUATED_STEP, METRICS_FILE, STEPS_OF_RUN
from babelbatch.storage.documents import UnreadableDocument, read_json_object

_CUSTOM = "custom_metric/"
_LARGEST = 10**30


class DamagedMetrics(ValueError):
    """metrics.json cannot be read, or is not what a run writes. Its text names the file and the reason."""


def read_metrics(folder: Path) -> dict[str, Any]:
    """The content of the folder's metrics.json: flat, see `write_results`.

    Raises DamagedMetrics for a file that is no JSON object or has a value of another type than runs write, and
    FileNotFoundError.
    """
    path = folder / METRICS_FILE
    try:
        metrics = read_json_object(path)
    except UnreadableDocument as error:
        line = f"line {error.line}: " if error.line else ""
        raise DamagedMetrics(f"{path} is not valid JSON ({line}{error})") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedMetrics(f"{path} cannot be read ({error.strerror})") from None
    if problem := _problem(metrics):
        raise DamagedMetrics(f"{path}: {problem}")
    return metrics


def _problem(metrics: Mapping[str, Any]) -> str | None:
    benchmarks = metrics.get("benchmarks", [])
    if not _is_texts(benchmarks):
        return "'benchmarks' is no list of texts"
    for name in benchmarks:
        if (problem := problem_of_name(name)) is not None:
            return f"the benchmark {_shown(name)} {problem}"
    scored = tuple(f"{name}/" for name in benchmarks)
    for key, value in metrics.items():
        fits, kind = _rule(key, scored)
        if not fits(value):
            return f"{_shown(key)} is no {kind}"
        if key.startswith((_CUSTOM, *_OF_BENCHMARK)) and problem_of_name(key.partition("/")[2]) is not None:
            return f"{_shown(key)} is no key of a run"
        if key.startswith("metric/") and problem_of_name(value) is not None:
            return f"the metric {_shown(value)} {problem_of_name(value)}"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_languages(value: object) -> bool:
    return _is_texts(value) and isinstance(value, list) and all(problem_of_name(each) is None for each in value)


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


_Rule = tuple[Callable[[object], bool], str]
_TEXT: _Rule = (_or_none(_is_text), "text")
_NUMBER: _Rule = (_or_none(_is_number), "number")
_COUNT: _Rule = (_or_none(_is_count), "whole number")
_ANY: _Rule = (lambda value: True, "value")
_OF_BENCHMARK = ("fingerprint/", "languages/", "protocol/", "cluster/", "metric/", "search/")
_EXACT: dict[str, _Rule] = {
    "benchmarks": (_is_texts, "list of texts"),
    **dict.fromkeys(("name", "strategy", "config_hash", "commit", "merged/weights", "corpus"), _TEXT),
    **dict.fromkeys(("alpha", "alpha_realised"), _NUMBER),
    **dict.fromkeys(("seed", "steps", STEPS_OF_RUN, EVALUATED_STEP, "ranks"), _COUNT),
    **dict.fromkeys(("parameters", "parameters_trained"), _COUNT),
    **dict.fromkeys(("negatives", "slots", "slots_filled"), _COUNT),
    **dict.fromkeys(("slots_only_answers", "slots_outside_ranks", "slots_too_close"), _COUNT),
    **dict.fromkeys(("median_rank", "mean_score", "mean_positive_score", "mean_slot_score"), _NUMBER),
}
_BY_PREFIX: dict[str, _Rule] = {
    "skipped_rows/": _COUNT,
    "skipped_lines/": (_is_texts, "list of texts"),
    "languages/": (_is_languages, "list of languages"),
    "metric/": (_is_text, "text"),
    **dict.fromkeys(("fingerprint/", "protocol/", "cluster/", "search/", "inputs/", "versions/", _CUSTOM), _TEXT),
    **dict.fromkeys(("seconds/", "tokens/", "flops/", "search_recall/", "recall/"), _NUMBER),
}


def _rule(key: str, scored: tuple[str, ...]) -> _Rule:
    """What the value of a key must be. A benchmark's name does not hide the rule of a prefix."""
    if key in _EXACT:
        return _EXACT[key]
    prefix = f"{key.partition('/')[0]}/"
    if prefix in _BY_PREFIX:
        return _BY_PREFIX[prefix]
    if key.startswith("validation/") or key.startswith(scored):
        return _NUMBER
    return _ANY


def _shown(text: object) -> str:
    return repr(str(text)[:80])
