"""Which differences are real: estimates, intervals and tests over queries and seeds.

Start at `comparison.py`. Needs numpy and scipy only, and knows nothing of runs or files: arrays of scores go in,
numbers come out. Every test here has its level and coverage measured by simulation in `bench/`.
"""

from babelbatch.statistics.comparison import Comparison, Estimate, NonInferiority, compare, estimate, non_inferior
from babelbatch.statistics.correction import holm
from babelbatch.statistics.correlation import Correlation, clustered_spearman
from babelbatch.statistics.dominance import dominance_p_value
from babelbatch.statistics.equal_quality import AtEqualQuality, Curve, compare_at_equal_quality
from babelbatch.statistics.joint import Region, joint_region, seed_correlation
from babelbatch.statistics.permutation import smallest_p_value
from babelbatch.statistics.power import POWER, Design, design, detectable_by
from babelbatch.statistics.regression import Coefficient, mrqap
from babelbatch.statistics.scores import Floats, Scores, between_benchmarks, cell_means, contrast, scores_of, subset

__all__ = [
    "POWER",
    "AtEqualQuality",
    "Coefficient",
    "Comparison",
    "Correlation",
    "Curve",
    "Design",
    "Estimate",
    "Floats",
    "NonInferiority",
    "Region",
    "Scores",
    "between_benchmarks",
    "cell_means",
    "clustered_spearman",
    "compare",
    "compare_at_equal_quality",
    "contrast",
    "design",
    "detectable_by",
    "dominance_p_value",
    "estimate",
    "holm",
    "joint_region",
    "mrqap",
    "non_inferior",
    "scores_of",
    "seed_correlation",
    "smallest_p_value",
    "subset",
]
