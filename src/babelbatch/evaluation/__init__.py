"""From an encoder and a benchmark to metrics: encode each text once, rank, measure.

Start at `evaluation.Evaluation`. `scoring` computes every metric of every cell and pool from blocks of scores;
`metrics` defines them. A new metric is a function of ranks in `metrics.py`.
"""

__all__ = ["encoding", "evaluation", "heatmap", "metrics"]
