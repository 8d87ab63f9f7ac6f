"""From an encoder and a benchmark to metrics: encode each text once, rank, measure.

Start at `evaluation.Evaluation`. `scoring` computes every metric of every cell and pool from blocks of scores;
`metrics` defines them. A custom metric is a function of ranks that `evaluation.metrics` names, see `custom.py`.
"""

__all__ = [
    "custom",
    "debias",
    "dimensions",
    "encoded_texts",
    "encoding",
    "evaluation",
    "heatmap",
    "metrics",
    "ranks",
    "scoring",
    "text_sets",
]
