"""Tables and heat-maps of one benchmark, for the dashboard."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from babelbatch.evaluation.metrics import TITLES
from babelbatch.evaluation.scoring import Result
from babelbatch.loggers.wandb_tables import cell_table, language_table, matrices_of


def pictures(result: Result, run: Mapping[str, object]) -> dict[str, object]:
    """The tables `<benchmark>/cells` and `<benchmark>/languages`, and the heat-map `<benchmark>/<metric>_by_language`,
    question language by candidate language, of the metric to read first and, where the result has it, of the languages
    of the top 10.

    run: columns that say in every row which run it is of.
    """
    import wandb

    from babelbatch.evaluation.heatmap import heatmap  # with Matplotlib, which runs without W&B need not import

    shown: dict[str, object] = {}
    for name, table in {"cells": cell_table(result, run), "languages": language_table(result, run)}.items():
        shown[f"{result.benchmark}/{name}"] = wandb.Table(columns=[*table.columns], data=[*table.rows])
    matrices = matrices_of(result)
    for metric, title in ((result.metric, TITLES[result.metric]), ("top10_share", "share of the top 10")):
        if metric not in matrices:
            continue
        # wandb takes figures too, but only where pyplot was imported
        picture = heatmap(matrices[metric], result.languages, f"{result.benchmark}: {title}")
        shown[f"{result.benchmark}/{metric}_by_language"] = wandb.Image(Image.open(io.BytesIO(picture)))
    return shown
