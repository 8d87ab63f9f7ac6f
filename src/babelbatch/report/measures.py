"""What groups are compared by: a metric in a setting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from babelbatch.evaluation.metrics import TITLES
from babelbatch.report.numbers import fixed, interval


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that groups are compared by. title: where it looks. digits: after the point, in tables. least, most:
    the ends of its range."""

    setting: str
    metric: str
    title: str
    name: str
    higher_is_better: bool
    digits: int
    least: float = -math.inf
    most: float = math.inf

    def within(self, low: float, high: float) -> tuple[float, float]:
        """An interval cut at the ends of the range. What is cut off cannot be true, so the coverage stays."""
        return max(low, self.least), min(high, self.most)

    def difference_within(self, low: float, high: float) -> tuple[float, float]:
        """The same of an interval of a difference."""
        span = self.most - self.least
        return max(low, -span), min(high, span)

    def is_possible(self, difference: float) -> bool:
        """Whether two groups can differ by so much."""
        return abs(difference) < self.most - self.least

    def found(self, detectable: float, digits: int) -> str:
        """What a test finds, given the smallest difference that it finds with probability 0.8."""
        if not self.is_possible(detectable):
            return "no difference would be found with probability 0.8"
        return f"a difference of {fixed(detectable, digits)} would be found with probability 0.8"

    def shown(self, value: float) -> str:
        return fixed(value, self.digits)

    def interval(self, low: float, high: float) -> str:
        return interval(low, high, self.digits)


PLACES = {
    "monolingual": "within a language",
    "crosslingual": "across languages",
    "multilingual": "over the pool of all languages",
}


def of_setting(setting: str, metric: str) -> Measure:
    """A retrieval metric in one of the three settings."""
    return Measure(setting, metric, PLACES[setting], TITLES[metric], True, 4, 0.0, 1.0)


MONOLINGUAL, CROSSLINGUAL, MULTILINGUAL = (of_setting(setting, "map") for setting in PLACES)
RANK_DISTANCE = Measure(
    "multilingual", "rank_distance", "over the pool of all languages", "rank distance", False, 1, 0.0
)
MEASURES = (MONOLINGUAL, CROSSLINGUAL, MULTILINGUAL, RANK_DISTANCE)
"""Where mAP is the metric to read first."""
PREFERENCE = Measure("multilingual", "language_preference", "in the pool", "language preference", False, 3, 0.0, 1.0)
SAME_LANGUAGE = Measure(
    "multilingual", "same_language@10", "in the pool", "same language in the top 10", False, 3, 0.0, 1.0
)


def measures_of(metric: str) -> tuple[Measure, ...]:
    """What groups are compared by where `metric` is the one to read first. Beside nDCG@10 stands recall@100, as in
    MIRACL (arXiv 2210.09984)."""
    second = ("recall@100",) if metric == "ndcg@10" else ()
    return (*(of_setting(setting, name) for name in (metric, *second) for setting in PLACES), RANK_DISTANCE)
