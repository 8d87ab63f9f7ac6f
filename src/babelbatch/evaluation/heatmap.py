"""Heat-maps of a metric by query language and candidate language."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def draw(matrix: NDArray[np.float64], languages: tuple[str, ...], title: str) -> Figure:
    """A heat-map of an (L, L) matrix of shares in [0, 1], with the value in each cell; NaN cells stay empty."""
    size = len(languages)
    figure = Figure(figsize=(2 + 0.55 * size, 1.2 + 0.5 * size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(size), languages)
    axes.set_yticks(range(size), languages)
    axes.set_xlabel("candidate language")
    axes.set_ylabel("query language")
    axes.set_title(title)
    for row, column in np.argwhere(~np.isnan(matrix)):
        value = matrix[row, column]
        axes.text(
            column, row, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=8,
            color="white" if value < 0.6 else "black",
        )  # fmt: skip
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure
