"""A corpus on disk, for those too large for memory: built once in the cache folder, memory-mapped by every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from babelbatch.progress import waiting
from babelbatch.records import Corpus
from babelbatch.sources.bad_rows import read_skipped_rows
from babelbatch.storage import Texts, cache_entry, open_entry

FORMAT = 3
"""Version of the files' format."""

IDS, QUERIES, PASSAGES = "ids.txt", "queries.txt", "passages.txt"
"""Files of texts, see `texts.py`."""

TABLES = ("queries", "passages", "passage_keys", "negatives", "negative_keys")


def stored_corpus(name: str, inputs: Mapping[str, object], build: Callable[[Path], Sequence[str]]) -> Corpus:
    """The corpus that `build` makes, from the cache folder if it was built before; see `cache_entry`.

    inputs: everything that it depends on, as JSON values: settings, and the `file_signatures` of the files read.
    build: writes into a folder, which may contain files of an interrupted call: `ids.txt`, `queries.txt` and
        `passages.txt` (`TextWriter`, `select_texts`) and `<table>.npy` for each of `TABLES`; returns the languages.
    Raises RecordError if `build` writes no valid corpus, and ValueError if the files are damaged later.
    """

    def built(folder: Path) -> dict[str, object]:
        with waiting(f"building the corpus {name}"):
            languages = [*build(folder)]
        _opened(folder, name, languages)  # an error of `build` is raised now, and not reported as damage later
        return {"languages": languages}

    folder = cache_entry("corpus", name, {"format": FORMAT, **inputs}, built)
    with open_entry(folder, "corpus") as manifest:
        corpus = _opened(folder, manifest["name"], manifest["languages"])
    return replace(corpus, skipped_rows=read_skipped_rows(folder, f"corpus {name}"))


def _opened(folder: Path, name: str, languages: Sequence[str]) -> Corpus:
    return Corpus(
        name=name,
        languages=tuple(languages),
        ids=Texts(folder / IDS),
        query_texts=Texts(folder / QUERIES),
        passage_texts=Texts(folder / PASSAGES),
        **{table: np.load(folder / f"{table}.npy", mmap_mode="r") for table in TABLES},
    )
