"""The L x L picture of a metric: question language by candidate language."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure


def draw(matrix: np.ndarray, languages: tuple[str, ...], title: str) -> Figure:
    """A heat-map with the value in each cell; cells that score no question stay empty. Values are shares in [0, 1]."""
    size = len(languages)
    figure = Figure(figsize=(2 + 0.55 * size, 1.2 + 0.5 * size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(size), languages)
    axes.set_yticks(range(size), languages)
    axes.set_xlabel("candidate language")
    axes.set_ylabel("question language")
    axes.set_title(title)
    for row, column in np.argwhere(~np.isnan(matrix)):
        value = matrix[row, column]
        axes.text(
            column, row, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=8,
            color="white" if value < 0.6 else "black",
        )  # fmt: skip
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure
