"""What the dashboard shows of one benchmark beside its curves."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from babelbatch.evaluation import Result
from babelbatch.heatmap import draw
from babelbatch.loggers.wandb_tables import cell_table, language_table, matrices_of

_DRAWN = {"map": "mAP", "ndcg@10": "nDCG@10", "top10_share": "share of the top 10"}


def pictures(result: Result, run: Mapping[str, object]) -> dict[str, object]:
    """The tables `<benchmark>/cells` and `<benchmark>/languages`, and the heat-map `<benchmark>/<metric>_by_language`,
    question language by candidate language, of mAP (nDCG@10 where it was evaluated by search) and, where the result has
    it, of the languages of the top 10.

    run: columns that say in every row which run it is of.
    """
    import wandb

    shown: dict[str, object] = {}
    for name, table in {"cells": cell_table(result, run), "languages": language_table(result, run)}.items():
        shown[f"{result.benchmark}/{name}"] = wandb.Table(columns=table.columns, data=table.rows)
    matrices = matrices_of(result)
    drawn = _DRAWN.keys() & matrices.keys()
    for metric in drawn - {"ndcg@10"} if "map" in drawn else drawn:
        picture = io.BytesIO()  # wandb takes figures too, but only where pyplot was imported
        title = f"{result.benchmark}: {_DRAWN[metric]}"
        draw(matrices[metric], result.languages, title).savefig(picture, dpi=110)
        shown[f"{result.benchmark}/{metric}_by_language"] = wandb.Image(Image.open(picture))
    return shown
