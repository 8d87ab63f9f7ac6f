"""Two measures of one group together: a joint confidence region of its means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from babelbatch.statistics.scores import Floats, Scores, influence
from babelbatch.statistics.variance import Group, one_group, query_variance, spread

_MOST = 0.99  # of a correlation; 1 would be an ellipse without width


@dataclass(frozen=True, slots=True)
class Region:
    """An ellipse that contains both true means with probability `level`.

    centre: the means (x, y). deviations: their standard errors. correlation: of their errors.
    radius: in standard errors.
    """

    centre: tuple[float, float]
    deviations: tuple[float, float]
    correlation: float
    radius: float
    level: float

    def outline(self, points: int = 72) -> Floats:
        """(points, 2) around the ellipse."""
        angles = np.linspace(0, 2 * math.pi, points, endpoint=False)
        x = np.cos(angles)
        y = self.correlation * x + math.sqrt(1 - self.correlation**2) * np.sin(angles)
        shape: Floats = np.stack([x, y], axis=1) * self.radius * np.array(self.deviations) + np.array(self.centre)
        return shape

    def contains(self, point: tuple[float, float]) -> bool:
        """Whether the ellipse has the point in it."""
        if min(self.deviations) == 0:
            return point == self.centre
        x, y = ((at - own) / sd for at, own, sd in zip(point, self.centre, self.deviations, strict=True))
        squared = (x**2 - 2 * self.correlation * x * y + y**2) / (1 - self.correlation**2)
        return squared <= self.radius**2


def seed_correlation(x: Sequence[Sequence[Scores]], y: Sequence[Sequence[Scores]]) -> float:
    """Correlation of two measures over the seeds of a group, pooled over groups: few seeds show it badly.

    x, y: the runs of each group by either measure. 0 where no group has two runs.
    """
    products = np.zeros(3)
    for of_x, of_y in zip(x, y, strict=True):
        if len(of_x) > 1:
            a, b = (one_group(runs).macros for runs in (of_x, of_y))
            a, b = a - a.mean(), b - b.mean()
            products += a @ b, a @ a, b @ b
    scale = math.sqrt(products[1] * products[2])
    return float(products[0] / scale) if scale > 0 else 0.0


def joint_region(x: Sequence[Scores], y: Sequence[Scores], of_seeds: float, level: float = 0.95) -> Region:
    """The region of a group's means by two measures. x, y: its runs, in the same order, by either.

    of_seeds: `seed_correlation` of the groups at hand. Each measure has the variance of `variance.spread`; the
    covariance is that of the queries, by cluster, and of the seeds. The radius is that of Scheffé for two numbers,
    sqrt(2 F(2, f)), with the fewer degrees of freedom f of the two measures.
    Raises ValueError as `comparison.estimate` does.
    """
    groups = one_group(x), one_group(y)
    around = [spread([group], query_variance(group.influences.mean(axis=0))) for group in groups]
    deviations = [math.sqrt(each.variance) for each in around]
    scale = deviations[0] * deviations[1]
    correlation = _covariance(x, y, groups, of_seeds) / scale if scale > 0 else 0.0
    freedom = min(each.freedom_of_all for each in around)
    return Region(
        (float(groups[0].macros.mean()), float(groups[1].macros.mean())),
        (deviations[0], deviations[1]),
        float(np.clip(correlation, -_MOST, _MOST)),
        math.sqrt(2 * float(stats.f.ppf(level, 2, freedom))),
        level,
    )


def _covariance(x: Sequence[Scores], y: Sequence[Scores], groups: tuple[Group, Group], of_seeds: float) -> float:
    """As the variance: of seeds, plus of queries, minus the part of single runs in single queries, which is in both."""
    names = sorted({*x[0].clusters, *y[0].clusters})
    of_x, of_y = (np.array([_spread_out(run, names) for run in runs]) for runs in (x, y))
    factor = len(names) / (len(names) - 1)
    runs = len(x)
    queries = float(of_x.mean(axis=0) @ of_y.mean(axis=0)) * factor
    residual = 0.0
    if runs > 1:
        products = (of_x - of_x.mean(axis=0)) * (of_y - of_y.mean(axis=0))
        residual = float(products.sum()) * factor / (runs * (runs - 1))
    seeds = of_seeds * math.sqrt(groups[0].seed_variance * groups[1].seed_variance)
    return seeds + queries - residual


def _spread_out(run: Scores, names: Sequence[str]) -> Floats:
    """The influences of a run's clusters, with 0 for a cluster that the measure does not have."""
    of_cluster = dict(zip(run.clusters, influence(run).tolist(), strict=True))
    return np.array([of_cluster.get(name, 0.0) for name in names])
