"""Which differences are real: estimates, intervals and tests over queries and seeds.

Start at `comparison.py`. Needs numpy and scipy only, and knows nothing of runs or files: arrays of scores go in,
numbers come out. Every test here has its level and coverage measured in `bench/statistics_simulation.py`.
"""

from babelbatch.statistics.comparison import Comparison, Estimate, NonInferiority, compare, estimate, non_inferior
from babelbatch.statistics.correction import holm
from babelbatch.statistics.correlation import Correlation, clustered_spearman
from babelbatch.statistics.scores import Scores, scores_of

__all__ = [
    "Comparison",
    "Correlation",
    "Estimate",
    "NonInferiority",
    "Scores",
    "clustered_spearman",
    "compare",
    "estimate",
    "holm",
    "non_inferior",
    "scores_of",
]
