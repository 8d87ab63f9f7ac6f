"""Builds a corpus on disk from queries and passages in any order.

Texts and table rows are written to disk at once. `finish` needs some hundred bytes of memory per text. Texts and ids
are compared by 128-bit BLAKE2 hashes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.corpora.stored import IDS, PASSAGES, QUERIES
from babelbatch.records import ABSENT, escaped, same_id, same_text
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import Place
from babelbatch.storage import TextWriter, abandon_build, select_texts, text_hash

log = logging.getLogger(__name__)

_ROW = np.dtype(
    [
        *((name, "u8") for name in ("id", "id_check", "text", "text_check", "same", "same_check", "key", "key_check")),
        *(("language", "i2"), ("number", "i8"), ("order", "i8"), ("file", "i4"), ("line", "i8")),
    ]
)
_WAITING = 16_384
_UNUSUAL = 100_000  # ids to compare, which stay in memory


class Assembly:
    """Takes texts one at a time; `finish` writes the files of a stored corpus (`stored.stored_corpus`).

    Use it in a `with` block, which closes and removes its files if a text is refused.
    folder: of the files; those of an interrupted assembly are overwritten. languages: all that may occur; None takes
        any, in the order of their first texts. bad: collects the rows that repeat an item in a language, and those are
        left out; without it they are refused.
    """

    def __init__(self, folder: Path, languages: Sequence[str] | None, bad: BadRows | None = None) -> None:
        self._folder, self._bad = folder, bad
        self._column = {language: column for column, language in enumerate(languages or ())}
        self._open = languages is None
        self._ids = TextWriter(folder / IDS)
        self._texts = {name: TextWriter(folder / name) for name in (QUERIES, PASSAGES)}
        self._rows = {name: _Rows(folder / f"{name}.rows") for name in ("query", "passage", "negative")}
        self._files: dict[Path, int] = {}
        self._order = 0
        self._unusual: dict[str, tuple[str, Place]] = {}  # id in its plain form -> as it is
        self._alike: dict[str, tuple[str, Place]] = {}  # id -> an id that looks the same

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            abandon_build((self._ids, *self._texts.values(), *self._rows.values()), self._folder)

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._column)

    def query(self, id_: str, language: str, text: str, path: Path, line: int) -> None:
        """Adds the query of an item in a language. path, line: its place, for messages."""
        self._add("query", QUERIES, id_, language, text, None, path, line)

    def passage(self, id_: str, language: str, text: str, path: Path, line: int, key: str | None = None) -> None:
        """Adds the relevant passage of an item in a language. key: passages with equal keys share a passage key."""
        self._add("passage", PASSAGES, id_, language, text, key, path, line)

    def negative(self, id_: str, language: str, text: str, path: Path, line: int, key: str | None = None) -> None:
        """Adds a hard negative of an item in a language. key: as for a passage."""
        self._add("negative", PASSAGES, id_, language, text, key, path, line)

    def finish(self, negatives: int | None = None) -> None:
        """Writes ids, texts and tables.

        negatives: the first so many of each item and language; None for all.
        Passages share a passage key if they have the same text (`records.same_text`) or equal given keys, also through
        a chain of these. Ids that only look equal are logged.
        Raises ValueError, with both places, if an item has two queries or two passages in a language.
        """
        self._ids.close()
        for writer in self._texts.values():
            writer.close()
        queries, passages, wrong = (self._rows[name].all() for name in ("query", "passage", "negative"))
        if self._bad is not None:
            queries, passages, wrong = self._without_repeated(queries, passages, wrong, self._bad)
            self._bad.save(self._folder)
        item, rows_of_ids = _items([queries, passages, wrong])
        select_texts(self._folder / IDS, rows_of_ids)
        shape = (len(rows_of_ids), len(self._column))
        at = np.split(item, np.cumsum([len(queries), len(passages)]))

        text = self._distinct(QUERIES, queries)
        self._table("queries", "query", shape, at[0], queries, text)
        text = self._distinct(PASSAGES, np.concatenate([passages, wrong]))
        of_passages, of_wrong = text[: len(passages)], text[len(passages) :]
        self._table("passages", "passage", shape, at[1], passages, of_passages)
        same = _same_texts(np.concatenate([passages, wrong]))
        split = len(passages)
        keys, key_of_wrong = _keys(shape[0], at[1], passages, same[:split], wrong, same[split:])
        self._report_ids(queries, passages)
        np.save(self._folder / "passage_keys.npy", keys)
        self._negatives(shape, at[2], wrong, of_wrong, key_of_wrong, negatives)
        for rows in self._rows.values():
            rows.remove()

    def _add(
        self, kind: str, file: str, id_: str, language: str, text: str, key: str | None, path: Path, line: int
    ) -> None:
        if self._open and language not in self._column:
            self._column[language] = len(self._column)
        self._compare_id(id_, path, line)
        number = self._texts[file].append(text)
        self._ids.append(id_)
        place = self._files.setdefault(path, len(self._files))
        of_text = text_hash(text)
        same = of_text if file == QUERIES or (plain := same_text(text)) == text else text_hash(plain)
        hashes = (*text_hash(id_), *of_text, *same, *((0, 0) if key is None else text_hash(key)))
        self._rows[kind].append((*hashes, self._column[language], number, self._order, place, line))
        self._order += 1

    def _compare_id(self, id_: str, path: Path, line: int) -> None:
        """Notes an id that is not in its plain form, and one that looks like an id noted before."""
        if not (id_.isascii() and " " not in id_) and len(self._unusual) < _UNUSUAL:
            plain = same_id(id_)
            if plain != id_:
                first, _ = self._unusual.setdefault(plain, (id_, Place(path, line)))
                if first != id_:
                    self._alike.setdefault(id_, (first, Place(path, line)))
        elif id_ != id_.strip():
            self._unusual.setdefault(same_id(id_), (id_, Place(path, line)))

    def _report_ids(self, *rows: np.ndarray) -> None:
        known = np.unique(np.concatenate([each["id"] for each in rows]))
        for plain, (id_, place) in self._unusual.items():
            if text_hash(plain)[0] in known:
                self._alike.setdefault(id_, (plain, place))
        if self._alike:
            id_, (other, place) = next(iter(self._alike.items()))
            log.warning(
                "%s: the id %s looks like %s and differs from it in blanks or Unicode form (%d such ids), so they are "
                "different items; give both one spelling",
                place, escaped(id_), escaped(other), len(self._alike),
            )  # fmt: skip

    def _distinct(self, file: str, rows: np.ndarray) -> np.ndarray:
        """Removes repeated texts from the file, in the order of their first rows. Returns (R,), the number of each
        row's text."""
        text, first = _in_order(rows["text"], rows["text_check"], rows["order"])
        select_texts(self._folder / file, rows["number"][first])
        return text

    def _without_repeated(
        self, queries: np.ndarray, passages: np.ndarray, wrong: np.ndarray, bad: BadRows
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows without those of lines that repeat an item in a language. Raises ValueError as `bad.refuse`."""
        repeated: dict[tuple[int, int], str] = {}
        for kind, rows in (("query", queries), ("passage", passages)):
            order = np.lexsort((rows["order"], rows["language"], rows["id_check"], rows["id"]))
            named = rows[["id", "id_check", "language"]][order]
            new = np.append(True, named[1:] != named[:-1])
            first = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
            for row, earlier in sorted(zip(order[~new].tolist(), first[~new].tolist(), strict=True)):
                again = rows[row]
                language = list(self._column)[again["language"]]
                repeated.setdefault(
                    (int(again["file"]), int(again["line"])),
                    f"{self._place(again)}: a second {kind} in '{language}' under its id; {self._place(rows[earlier])} "
                    "has the first; give each its own id",
                )
        for _, message in sorted(repeated.items()):
            bad.add(message)
        bad.refuse()
        if not repeated:
            return queries, passages, wrong
        lines = {place: np.array([line for file, line in repeated if file == place]) for place, _ in repeated}

        def others(rows: np.ndarray) -> np.ndarray:
            gone = np.zeros(len(rows), bool)
            for place, numbers in lines.items():
                gone |= (rows["file"] == place) & np.isin(rows["line"], numbers)
            return np.asarray(rows[~gone])

        return others(queries), others(passages), others(wrong)

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
                f"has the first ({len(twice):,} such); give each its own id"
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
        limit: int | None,
    ) -> None:
        cell = item * shape[1] + rows["language"]
        order = np.lexsort((rows["order"], cell))
        _, starts, counts = np.unique(cell[order], return_index=True, return_counts=True)
        slot = np.arange(len(cell)) - np.repeat(starts, counts)
        slots = int(counts.max(initial=0))
        slots = slots if limit is None else min(limit, slots)
        selected = order[slot < slots]
        place = (cell[selected], slot[slot < slots])
        for name, values, dtype in (("negatives", text, np.int32), ("negative_keys", keys, np.int64)):
            file = self._folder / f"{name}.npy"
            if slots == 0:  # an empty file cannot be memory-mapped for writing
                np.save(file, np.empty((*shape, 0), dtype))
                continue
            table = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(*shape, slots))
            table[:] = ABSENT
            table.reshape(-1, slots)[place] = values[selected]
            table.flush()

    def _place(self, row: np.void) -> str:
        return str(Place(list(self._files)[row["file"]], int(row["line"])))


class _Rows:
    """A file to which `_ROW`s are appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._waiting: list[tuple[int, ...]] = []

    def append(self, row: tuple[int, ...]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == _WAITING:
            self._write()

    def all(self) -> np.ndarray:
        """(R,) of `_ROW`, all rows. Closes the file."""
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
    """(R,) numbers of the distinct hashes, in the order of first occurrence, and for each number its first row."""
    _, inverse = np.unique(hashes, return_inverse=True)
    sorted_ = np.lexsort((order, inverse))
    starts = np.flatnonzero(np.diff(inverse[sorted_], prepend=-1))
    first = sorted_[starts]
    assert np.array_equal(checks[first][inverse], checks), "two texts agree in 64 bits of their hashes"
    by_occurrence = np.argsort(order[first])
    rank = np.empty_like(by_occurrence)
    rank[by_occurrence] = np.arange(len(by_occurrence))
    return rank[inverse], first[by_occurrence]


def _same_texts(rows: np.ndarray) -> np.ndarray:
    """(R,) a number for each row, equal for texts that count as the same."""
    _, first, number = np.unique(rows["same"], return_index=True, return_inverse=True)
    assert np.array_equal(rows["same_check"][first][number], rows["same_check"]), "two texts agree in 64 bits"
    return np.asarray(number, np.int64)


def _items(kinds: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(R,) the item of each row of all kinds, and (N,) the position of each item in the file of ids."""
    ids, checks, order = (np.concatenate([rows[name] for rows in kinds]) for name in ("id", "id_check", "order"))
    item, first = _in_order(ids, checks, order)
    return item, order[first]


def _keys(
    items: int, item: np.ndarray, passages: np.ndarray, text: np.ndarray, wrong: np.ndarray, text_of_wrong: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The passage keys of items and of negatives, (N,) and (R,); ABSENT for negatives that are no item's passage."""
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
