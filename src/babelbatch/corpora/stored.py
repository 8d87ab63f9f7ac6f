"""A corpus on disk, for those too large for memory: built once, kept in the cache folder, mapped by every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from babelbatch.records import Corpus
from babelbatch.storage import Texts, described, stored_folder

FORMAT = 2
"""Goes up when what the files mean changes."""

IDS, QUERIES, PASSAGES = "ids.txt", "queries.txt", "passages.txt"
"""Files of texts, see `texts.py`."""

TABLES = ("queries", "passages", "passage_keys", "negatives", "negative_keys")


def stored_corpus(name: str, made_of: Mapping[str, object], build: Callable[[Path], Sequence[str]]) -> Corpus:
    """The corpus that `build` makes, from the cache folder if it was built before; see `stored_folder`.

    made_of: all that the corpus depends on, as JSON can write it: settings, and `signature_of` the files read.
    build: writes into a folder, which may hold what an earlier, interrupted call left: `ids.txt`, `queries.txt` and
        `passages.txt` (`TextWriter`, `choose_texts`) and `<table>.npy` for each of `TABLES`; returns the languages.
    """
    folder = stored_folder("corpus", name, {"format": FORMAT, **made_of}, lambda place: {"languages": [*build(place)]})
    with described(folder, "corpus") as manifest:
        return Corpus(
            name=manifest["name"],
            languages=tuple(manifest["languages"]),
            ids=Texts(folder / IDS),
            query_texts=Texts(folder / QUERIES),
            passage_texts=Texts(folder / PASSAGES),
            **{table: np.load(folder / f"{table}.npy", mmap_mode="r") for table in TABLES},
        )
