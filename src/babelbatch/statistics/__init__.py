"""Which differences are real: estimates, intervals and tests over queries and seeds.

Start at `comparison.py`. Needs numpy and scipy only, and knows nothing of runs or files: arrays of scores go in,
numbers come out. Every test here has its level and coverage measured in `bench/statistics_simulation.py`.
"""

from babelbatch.statistics.comparison import Comparison, Estimate, NonInferiority, compare, estimate, non_inferior
from babelbatch.statistics.correction import holm
from babelbatch.statistics.correlation import Correlation, clustered_spearman
from babelbatch.statistics.power import POWER, Design, design, detectable_by
from babelbatch.statistics.scores import Scores, between_benchmarks, contrast, scores_of, subset

__all__ = [
    "POWER",
    "Comparison",
    "Correlation",
    "Design",
    "Estimate",
    "NonInferiority",
    "Scores",
    "between_benchmarks",
    "clustered_spearman",
    "compare",
    "contrast",
    "design",
    "detectable_by",
    "estimate",
    "holm",
    "non_inferior",
    "scores_of",
    "subset",
]
