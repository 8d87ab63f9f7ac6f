"""Heat-maps of a metric by query language and candidate language."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_PER_LETTER = 0.09  # inches for each letter of a tick label
_PER_TITLE_LETTER = 0.1
_ACROSS = 4  # letters of a code that fits below its column without being turned


def heatmap(matrix: NDArray[np.float64], languages: tuple[str, ...], title: str) -> bytes:
    """A PNG file with a heat-map of an (L, L) matrix of shares in [0, 1], with the value in each cell; NaN cells stay
    empty."""
    return _png(matrix.tobytes(), languages, title)


@lru_cache(maxsize=64)  # of all benchmarks: the dashboard draws its heat-maps before the run's folder gets the same
def _png(matrix: bytes, languages: tuple[str, ...], title: str) -> bytes:
    size = len(languages)
    file = io.BytesIO()
    _draw(np.frombuffer(matrix).reshape(size, size), languages, title).savefig(file, format="png", dpi=110)
    return file.getvalue()


def _draw(matrix: NDArray[np.float64], languages: tuple[str, ...], title: str) -> Figure:
    """Every place is computed here: an engine that finds them draws everything twice."""
    size, longest = len(languages), max(map(len, languages))
    is_turned = longest > _ACROSS
    label_width = _PER_LETTER * longest
    cells = max(0.5 * size, 2.0)  # inches, as are all of these
    left, bottom, top = 0.5 + label_width, 0.5 + (label_width if is_turned else 0.2), 0.4
    right = max(1.0, _PER_TITLE_LETTER * len(title) - cells)
    width, height = left + cells + right, bottom + cells + top
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, cells / width, cells / height))
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(size), languages, rotation=90 if is_turned else 0)
    axes.set_yticks(range(size), languages)
    axes.set_xlabel("candidate language")
    axes.set_ylabel("query language")
    axes.set_title(title, loc="left")
    for row, column in np.argwhere(~np.isnan(matrix)):
        value = matrix[row, column]
        axes.text(
            column, row, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=8,
            color="white" if value < 0.6 else "black",
        )  # fmt: skip
    scale = figure.add_axes(((left + cells + 0.2) / width, bottom / height, 0.2 / width, cells / height))
    figure.colorbar(image, cax=scale)
    return figure
