"""Heat-maps by language."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from babelbatch.evaluation import heatmap as module
from babelbatch.evaluation.heatmap import heatmap

CODES = {
    "one": ("en",),
    "eleven": ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    "long codes": ("eng_Latn", "zho_Hans", "zh-Hant-HK"),
}


@pytest.mark.parametrize("codes", CODES.values(), ids=CODES.keys())
@pytest.mark.parametrize("title", ["facts: mAP", "a_benchmark_with_a_long_name: mean average precision"])
def test_everything_is_inside(codes: tuple[str, ...], title: str) -> None:
    figure = module._draw(np.full((len(codes), len(codes)), 0.5), codes, title)
    box, inches = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= inches[0]
    assert box.y1 <= inches[1]


def test_labels_do_not_overlap() -> None:
    for codes in CODES.values():
        figure = module._draw(np.full((len(codes), len(codes)), 0.5), codes, "facts: mAP")
        figure.canvas.draw()
        labels = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in pairwise(labels))


def test_cells_have_their_values() -> None:
    figure = module._draw(np.array([[0.25, 1.0], [np.nan, 0.0]]), ("de", "en"), "facts: mAP")
    assert {(*text.get_position(), text.get_text()) for text in figure.axes[0].texts} == {
        (0, 0, ".25"), (1, 0, "1.00"), (1, 1, ".00"),
    }  # fmt: skip


def test_the_pictures_of_several_benchmarks_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.array([[0.25, 1.0], [np.nan, 0.0]])
    titles = [f"{name}: {metric}" for name in ("facts", "words", "more") for metric in ("mAP", "share of the top 10")]
    first = [heatmap(matrix, ("de", "en"), title) for title in titles]
    assert Image.open(io.BytesIO(first[0])).format == "PNG"
    monkeypatch.setattr(module, "_draw", None)
    assert [heatmap(matrix.copy(), ("de", "en"), title) for title in titles] == first


def test_other_values_are_another_picture() -> None:
    assert heatmap(np.eye(2), ("de", "en"), "facts: mAP") != heatmap(1 - np.eye(2), ("de", "en"), "facts: mAP")
