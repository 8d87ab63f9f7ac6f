"""Which differences are real: intervals and tests over questions and seeds. Needs numpy and scipy only."""

from babelbatch.statistics.comparison import (
    Comparison,
    Estimate,
    NonInferiority,
    compare,
    estimate,
    non_inferior,
)
from babelbatch.statistics.correction import holm
from babelbatch.statistics.correlation import Correlation, clustered_spearman
from babelbatch.statistics.scores import Scores, macro, scores_of

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
    "macro",
    "non_inferior",
    "scores_of",
]
