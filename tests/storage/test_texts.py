"""Texts on disk: written, selected, read back, continued; and sequences of texts as one."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from babelbatch.storage.texts import ConcatTexts, Texts, TextWriter, select_texts


def written(path: Path, texts: list[str], rows: list[int] | None = None) -> Texts:
    writer = TextWriter(path)
    assert [writer.append(text) for text in texts] == list(range(len(texts)))
    writer.close()
    select_texts(path, None if rows is None else np.array(rows, np.int64))
    return Texts(path)


def test_texts_come_back(tmp_path):
    texts = written(tmp_path / "a.txt", ["één", "", "ไทย\n", "x"])
    assert list(texts) == ["één", "", "ไทย\n", "x"]
    assert (len(texts), texts[2], texts[-1], texts[1:3]) == (4, "ไทย\n", "x", ["", "ไทย\n"])
    assert list(pickle.loads(pickle.dumps(texts))) == list(texts)
    with pytest.raises(IndexError):
        texts[4]


def test_chosen_texts(tmp_path):
    assert list(written(tmp_path / "a.txt", ["a", "bb", "ccc"], [2, 0, 2])) == ["ccc", "a", "ccc"]
    assert list(written(tmp_path / "b.txt", ["a"], [])) == []
    assert list(written(tmp_path / "c.txt", [])) == []


def test_a_writer_goes_on_behind_what_stays(tmp_path):
    path = tmp_path / "a.txt"
    first = TextWriter(path)
    for text in ("één", "ไทย"):
        first.append(text)
    assert first.flush() == 2
    first.append("lost")
    first.close()
    second = TextWriter(path, keep=2)
    assert second.append("x") == 2
    second.close()
    select_texts(path)
    assert list(Texts(path)) == ["één", "ไทย", "x"]
    assert path.read_text() == "één" + "ไทย" + "x"


def test_joined_texts() -> None:
    joined = ConcatTexts([("a", "b"), (), ["c"]], ["x/", "y/", "z/"])
    whole = ["x/a", "x/b", "z/c"]
    assert list(joined) == [joined[row] for row in range(3)] == joined[:] == whole
    assert (joined[-1], joined[1:], joined[::-2], joined[5:]) == ("z/c", whole[1:], whole[::-2], [])
    assert (len(joined), len(ConcatTexts([])), "x/b" in joined) == (3, 0, True)
    assert list(pickle.loads(pickle.dumps(joined))) == whole
    for row in (3, -4):
        with pytest.raises(IndexError):
            joined[row]
