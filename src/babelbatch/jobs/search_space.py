"""What a search chooses from: Hydra's `choice`, `range`, `interval` and `glob` as dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from babelbatch.configuration.identity import is_relevant
from babelbatch.configuration.schema import ConfigError

_DIGITS = 4  # of a value of an interval: more tell no two trainings apart, and make labels long
_OF_VALIDATION = ("validation", "data.validation_fraction", "data.validation_queries", "evaluation")
"""Settings that change what validation scores are."""


@dataclass(frozen=True, slots=True)
class Options:
    """A finite dimension. key: as it is typed, such as `++sampling.alpha`. texts: values in Hydra's grammar. ordered:
    whether neighbours are alike, as in a range."""

    key: str
    texts: tuple[str, ...]
    ordered: bool

    @property
    def ends(self) -> tuple[str, ...]:
        """The values that are checked before the search: all, or of a range the first and the last."""
        return (self.texts[0], self.texts[-1]) if self.ordered else self.texts

    def text(self, value: float) -> str:
        """Of the value with this number."""
        return self.texts[int(value)]


@dataclass(frozen=True, slots=True)
class Interval:
    """A continuous dimension, or one of whole numbers. key: as it is typed. low, high: inclusive."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    @property
    def ends(self) -> tuple[str, ...]:
        return (self.text(self.low), self.text(self.high))

    def text(self, value: float) -> str:
        """The value as it is trained with: with 4 significant digits on a logarithmic scale, else with a resolution of
        at least a ten-thousandth of the interval."""
        if self.whole:
            return str(int(value))
        if self.log:
            rounded = float(f"{value:.{_DIGITS}g}")
        else:
            rounded = round(value, _DIGITS - math.floor(math.log10(self.high - self.low)))
        return repr(min(max(rounded, self.low), self.high))


Dimension = Options | Interval


@dataclass(frozen=True)
class Space:
    """fixed: overrides that all jobs share. dimensions: name -> what is searched, such as `sampling.alpha`."""

    fixed: tuple[str, ...]
    dimensions: dict[str, Dimension] = field(default_factory=dict)

    @property
    def size(self) -> int | None:
        """How many settings there are; None with an interval, which has no end of them."""
        sizes = [len(each.texts) for each in self.dimensions.values() if isinstance(each, Options)]
        return math.prod(sizes) if len(sizes) == len(self.dimensions) else None

    def texts(self, values: dict[str, float]) -> dict[str, str]:
        """Name -> value in Hydra's grammar."""
        return {name: each.text(values[name]) for name, each in self.dimensions.items()}

    def job(self, texts: dict[str, str]) -> list[str]:
        """The overrides of the job with these values."""
        return [*self.fixed, *(f"{each.key}={texts[name]}" for name, each in self.dimensions.items())]

    def probes(self) -> list[list[str]]:
        """Jobs that together have every option and both ends of every interval and range, one dimension at a time."""
        first = {name: each.ends[0] for name, each in self.dimensions.items()}
        found = {name: each.ends for name, each in self.dimensions.items()}
        jobs = [self.job(first)]
        return jobs + [self.job(first | {name: text}) for name, ends in found.items() for text in ends[1:]]


def search_space(overrides: Sequence[Override]) -> Space:
    """The space of parsed overrides. Raises ConfigError with each that cannot be searched."""
    problems: list[str] = []
    fixed: list[str] = []
    dimensions: dict[str, Dimension] = {}
    for override in overrides:
        if not override.is_sweep_override():
            fixed.append(override.input_line or "")
            continue
        key = override.get_key_element()
        name = key.lstrip("+")
        try:
            if why := _why_not_searched(name):
                raise ConfigError([f"{name}: {why}"])
            dimensions[name] = _dimension(key, name, override)
        except ConfigError as error:
            problems += error.problems
        except (HydraException, ValueError) as error:
            problems.append(f"{name}: {error}")
    if not dimensions and not problems:
        problems.append(
            "hydra/sweeper: nothing to search; give a setting several values, such as 'sampling.alpha=interval(0,1)'"
        )
    if problems:
        raise ConfigError(problems)
    return Space(tuple(fixed), dimensions)


def _why_not_searched(name: str) -> str:
    """Empty if the setting may be searched."""
    if name == "seed":
        return "a search must not choose the best seed; give it one, and train the settings that it finds with more"
    if not is_relevant(name) or name == "threads":
        return "it does not change the scores, so it cannot be searched; give it one value"
    if name.partition("@")[2] == "validation" or any(
        name == each or name.startswith(f"{each}.") for each in _OF_VALIDATION
    ):
        return "it changes what the validation scores are, so it cannot be searched; give it one value"
    if name.partition(".")[0] in ("benchmarks", "callbacks"):
        return "it does not change the validation scores, so it cannot be searched; give it one value"
    return ""


def _dimension(key: str, name: str, override: Override) -> Dimension:
    value = override.value()
    tags = set(getattr(value, "tags", ()))
    if isinstance(value, IntervalSweep):
        return _interval(key, name, value, tags)
    if tags:
        raise ConfigError([f"{name}: only an interval has tags; leave out tag({', '.join(sorted(tags))}, ...)"])
    if getattr(value, "shuffle", False):
        raise ConfigError([f"{name}: the order of the values means nothing to a search; leave out shuffle()"])
    texts = tuple(dict.fromkeys(override.sweep_string_iterator()))
    if not texts:
        raise ConfigError([f"{name}: there is no value to choose from; write choice(...), range(...) or interval(...)"])
    return Options(key, texts, ordered=isinstance(value, RangeSweep))


def _interval(key: str, name: str, value: IntervalSweep, tags: set[str]) -> Interval:
    if unknown := tags - {"log", "int"}:
        raise ConfigError([f"{name}: no tag '{sorted(unknown)[0]}'; an interval takes log and int"])
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    whole = "int" in tags or (isinstance(low, int) and isinstance(high, int))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError([f"{name}: interval({low:g}, {high:g}) has no values; write the smaller end first"])
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise ConfigError([f"{name}: interval({low:g}, {high:g}) of whole numbers; give it whole ends"])
    if "log" in tags and low <= 0:
        raise ConfigError([f"{name}: a logarithmic interval begins above 0; raise {low:g}"])
    return Interval(key, low, high, "log" in tags, whole)
