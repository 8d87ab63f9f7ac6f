"""What the dashboard shows of one benchmark, question language by candidate language."""

from __future__ import annotations

import io

from PIL import Image

from babelbatch.evaluation import Result
from babelbatch.heatmap import draw


def pictures(result: Result) -> dict[str, object]:
    """`<benchmark>/cells`: a table, a row a cell, a column a metric. `<benchmark>/map_by_language`: the heat-map."""
    import wandb

    metrics = list(result.matrices)
    columns = ["question language", "candidate language", *metrics]
    rows = [
        [question, candidate, *(float(result.matrices[metric][row, column]) for metric in metrics)]
        for row, question in enumerate(result.languages)
        for column, candidate in enumerate(result.languages)
    ]
    picture = io.BytesIO()  # wandb takes figures too, but only where pyplot was imported
    draw(result.matrices["map"], result.languages, f"{result.benchmark}: mAP").savefig(picture, dpi=110)
    return {
        f"{result.benchmark}/cells": wandb.Table(columns=columns, data=rows),
        f"{result.benchmark}/map_by_language": wandb.Image(Image.open(picture)),
    }
