"""Gathers questions and passages, in whatever order they come, into a corpus on disk.

What is held meanwhile are numbers: some hundred bytes a text at the end, none before. Texts and ids are compared by 128
bits of BLAKE2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.corpora.stored import IDS, PASSAGES, QUERIES
from babelbatch.records import ABSENT
from babelbatch.sources.lines import Place
from babelbatch.storage import TextWriter, abandon_build, select_texts, text_hash

_ROW = np.dtype(
    [
        *((name, "u8") for name in ("id", "id_check", "text", "text_check", "key", "key_check")),
        *(("language", "i2"), ("number", "i8"), ("order", "i8"), ("file", "i4"), ("line", "i8")),
    ]
)
_WAITING = 16_384


class Assembly:
    """Takes texts one at a time; `finish` makes the files of a stored corpus (`stored_corpus.stored_corpus`) of them.
    In a `with` block nothing stays open, and nothing in the folder, if a text is refused.

    folder: where they go; what an interrupted assembly left there is overwritten. languages: all that may come; None
        takes what comes, in the order of its first text.
    """

    def __init__(self, folder: Path, languages: Sequence[str] | None) -> None:
        self._folder = folder
        self._column = {language: column for column, language in enumerate(languages or ())}
        self._open = languages is None
        self._ids = TextWriter(folder / IDS)
        self._texts = {name: TextWriter(folder / name) for name in (QUERIES, PASSAGES)}
        self._rows = {name: _Rows(folder / f"{name}.rows") for name in ("question", "passage", "negative")}
        self._files: dict[Path, int] = {}
        self._order = 0

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            abandon_build((self._ids, *self._texts.values(), *self._rows.values()), self._folder)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._column)

    def question(self, id_: str, language: str, text: str, path: Path, line: int) -> None:
        """The question of an item in a language. path, line: where it stands, for messages."""
        self._add("question", QUERIES, id_, language, text, None, path, line)

    def passage(self, id_: str, language: str, text: str, path: Path, line: int, key: str | None = None) -> None:
        """What answers it in that language. key: passages with one key answer the same, in whatever language."""
        self._add("passage", PASSAGES, id_, language, text, key, path, line)

    def negative(self, id_: str, language: str, text: str, path: Path, line: int, key: str | None = None) -> None:
        """What does not answer it, to be trained on with the passage in that language. key: as of a passage."""
        self._add("negative", PASSAGES, id_, language, text, key, path, line)

    def finish(self, negatives: int | None = None) -> None:
        """Writes ids, texts and tables.

        negatives: at most so many of an item and language, the first ones; None keeps all.
        Passages have one key if they have one text or one key given, also through a chain of these.
        ValueError, with both places: an item has two questions, or two passages, in a language.
        """
        self._ids.close()
        for writer in self._texts.values():
            writer.close()
        questions, passages, wrong = (self._rows[name].all() for name in ("question", "passage", "negative"))
        item, rows_of_ids = _items([questions, passages, wrong])
        select_texts(self._folder / IDS, rows_of_ids)
        shape = (len(rows_of_ids), len(self._column))
        at = np.split(item, np.cumsum([len(questions), len(passages)]))

        text = self._distinct(QUERIES, questions)
        self._table("queries", "question", shape, at[0], questions, text)
        text = self._distinct(PASSAGES, np.concatenate([passages, wrong]))
        of_passages, of_wrong = text[: len(passages)], text[len(passages) :]
        self._table("passages", "passage", shape, at[1], passages, of_passages)
        keys, key_of_wrong = _keys(shape[0], at[1], passages, of_passages, wrong, of_wrong)
        np.save(self._folder / "passage_keys.npy", keys)
        self._negatives(shape, at[2], wrong, of_wrong, key_of_wrong, negatives)
        for rows in self._rows.values():
            rows.remove()

    def _add(
        self, kind: str, file: str, id_: str, language: str, text: str, key: str | None, path: Path, line: int
    ) -> None:
        if self._open and language not in self._column:
            self._column[language] = len(self._column)
        number = self._texts[file].append(text)
        self._ids.append(id_)
        place = self._files.setdefault(path, len(self._files))
        hashes = (*text_hash(id_), *text_hash(text), *((0, 0) if key is None else text_hash(key)))
        self._rows[kind].append((*hashes, self._column[language], number, self._order, place, line))
        self._order += 1

    def _distinct(self, file: str, rows: np.ndarray) -> np.ndarray:
        """Leaves each text of the file once, in the order in which they came. (R,) where the text of each row went."""
        text, first = _in_order(rows["text"], rows["text_check"], rows["order"])
        select_texts(self._folder / file, rows["number"][first])
        return text

    def _table(
        self, name: str, kind: str, shape: tuple[int, int], item: np.ndarray, rows: np.ndarray, text: np.ndarray
    ) -> None:
        cell = item * shape[1] + rows["language"]
        sorted_ = np.lexsort((rows["order"], cell))
        twice = np.flatnonzero(np.diff(cell[sorted_]) == 0)
        if len(twice):
            first, second = rows[sorted_[twice[0] : twice[0] + 2]]
            language = list(self._column)[first["language"]]
            raise ValueError(
                f"{self._place(second)}: a second {kind} in '{language}' under its id; {self._place(first)} "
                f"has one already ({len(twice):,} such); give each its own id"
            )
        table = np.lib.format.open_memmap(self._folder / f"{name}.npy", mode="w+", dtype=np.int32, shape=shape)
        table[:] = ABSENT
        table.reshape(-1)[cell] = text
        table.flush()

    def _negatives(
        self,
        shape: tuple[int, int],
        item: np.ndarray,
        rows: np.ndarray,
        text: np.ndarray,
        keys: np.ndarray,
        most: int | None,
    ) -> None:
        cell = item * shape[1] + rows["language"]
        order = np.lexsort((rows["order"], cell))
        _, starts, counts = np.unique(cell[order], return_index=True, return_counts=True)
        slot = np.arange(len(cell)) - np.repeat(starts, counts)
        slots = int(counts.max(initial=0))
        slots = slots if most is None else min(most, slots)
        kept = order[slot < slots]
        place = (cell[kept], slot[slot < slots])
        for name, values, dtype in (("negatives", text, np.int32), ("negative_keys", keys, np.int64)):
            file = self._folder / f"{name}.npy"
            if slots == 0:  # which cannot be mapped for writing
                np.save(file, np.empty((*shape, 0), dtype))
                continue
            table = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(*shape, slots))
            table[:] = ABSENT
            table.reshape(-1, slots)[place] = values[kept]
            table.flush()

    def _place(self, row: np.void) -> str:
        return str(Place(list(self._files)[row["file"]], int(row["line"])))


class _Rows:
    """A file of `_ROW`s that are appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._waiting: list[tuple[int, ...]] = []

    def append(self, row: tuple[int, ...]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == _WAITING:
            self._write()

    def all(self) -> np.ndarray:
        """(R,) of `_ROW`, all that were appended; there will be no more."""
        self._write()
        self.close()
        return np.fromfile(self._path, _ROW)

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        self._path.unlink()

    def _write(self) -> None:
        np.array(self._waiting, _ROW).tofile(self._file)
        self._waiting.clear()


def _in_order(hashes: np.ndarray, checks: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R,) numbers, equal where the hashes are, counted in the order of first occurrence; and for each number the row
    where it occurs first."""
    _, inverse = np.unique(hashes, return_inverse=True)
    sorted_ = np.lexsort((order, inverse))
    starts = np.flatnonzero(np.diff(inverse[sorted_], prepend=-1))
    first = sorted_[starts]
    assert np.array_equal(checks[first][inverse], checks), "two texts agree in 64 bits of their hashes"
    by_occurrence = np.argsort(order[first])
    rank = np.empty_like(by_occurrence)
    rank[by_occurrence] = np.arange(len(by_occurrence))
    return rank[inverse], first[by_occurrence]


def _items(kinds: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(R,) the item of each row of all kinds, and (N,) where the id of each item stands in the file of ids."""
    ids, checks, order = (np.concatenate([rows[name] for rows in kinds]) for name in ("id", "id_check", "order"))
    item, first = _in_order(ids, checks, order)
    return item, order[first]


def _keys(
    items: int, item: np.ndarray, passages: np.ndarray, text: np.ndarray, wrong: np.ndarray, text_of_wrong: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the passage keys of items, and of negatives, ABSENT where no item has their passage."""
    texts = int(max(text.max(initial=-1), text_of_wrong.max(initial=-1))) + 1
    given = np.concatenate([passages["key"], wrong["key"]])
    checks = np.concatenate([passages["key_check"], wrong["key_check"]])
    _, first, key = np.unique(given, return_index=True, return_inverse=True)
    assert np.array_equal(checks[first][key], checks), "two keys agree in 64 bits of their hashes"
    has_key = given != 0
    # Nodes: items, then texts, then given keys.
    edges = [(item, items + text)]
    named = np.flatnonzero(has_key[: len(passages)])
    edges.append((item[named], items + texts + key[named]))
    size = items + texts + len(first)
    rows, columns = (np.concatenate(ends) for ends in zip(*edges, strict=True))
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    known = np.zeros(size, bool)
    known[columns] = True
    by_text = items + text_of_wrong
    by_key = items + texts + key[len(passages) :]
    node = np.where(has_key[len(passages) :] & known[by_key], by_key, by_text)
    return component[:items], np.where(known[node], component[node], ABSENT)
