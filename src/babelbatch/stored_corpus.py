"""A corpus on disk, for those too large for memory: built once, kept in the cache folder, mapped by every run."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from babelbatch.cache_folder import cache_folder
from babelbatch.durable import flush_folder
from babelbatch.records import Corpus
from babelbatch.run_files import write_atomically
from babelbatch.texts import Texts

FORMAT = 1
"""Goes up when what the files mean changes."""

IDS, QUESTIONS, PASSAGES = "ids.txt", "questions.txt", "passages.txt"
"""Files of texts, see `texts.py`."""

TABLES = ("questions", "passages", "keys", "negatives", "negative_keys")
_MANIFEST = "corpus.json"

log = logging.getLogger(__name__)


def stored_corpus(name: str, made_of: Mapping[str, object], build: Callable[[Path], Sequence[str]]) -> Corpus:
    """The corpus that `build` makes, from the cache folder if it was built before.

    made_of: all that the corpus depends on, as JSON can write it: settings, and `signature_of` the files read.
    build: writes into a folder, which may hold what an earlier, interrupted call left: `ids.txt`, `questions.txt` and
        `passages.txt` (`TextWriter`, `choose_texts`) and `<table>.npy` for each of `TABLES`; returns the languages.
    Of processes that ask at the same time one builds and the others wait. What is there is whole: the folder gets its
    name when all of it is written.
    """
    said = json.dumps({"format": FORMAT, "name": name, **made_of}, sort_keys=True)
    entry = cache_folder("corpora") / f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    if not (entry / _MANIFEST).is_file():
        entry.parent.mkdir(parents=True, exist_ok=True)
        with _locked(entry):
            if not (entry / _MANIFEST).is_file():
                temporary = entry.with_suffix(".tmp")
                temporary.mkdir(exist_ok=True)
                log.info("building the corpus %s in %s", name, entry)
                languages = build(temporary)
                sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir()) if path.is_file()}
                manifest = {"name": name, "languages": list(languages), "made_of": json.loads(said), "bytes": sizes}
                write_atomically(temporary / _MANIFEST, json.dumps(manifest, indent=1))
                shutil.rmtree(entry, ignore_errors=True)
                temporary.rename(entry)
                flush_folder(entry.parent)
    return _opened(entry)


def signature_of(paths: Sequence[Path]) -> list[list[object]]:
    """What tells a version of some files from another without reading them: name, size and time of the last change."""
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


def _opened(folder: Path) -> Corpus:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        for file, size in manifest["bytes"].items():
            if (there := (folder / file).stat().st_size) != size:
                raise ValueError(f"{file} has {there:,} bytes instead of {size:,}")
        return Corpus(
            name=manifest["name"],
            languages=tuple(manifest["languages"]),
            ids=Texts(folder / IDS),
            question_texts=Texts(folder / QUESTIONS),
            passage_texts=Texts(folder / PASSAGES),
            **{table: np.load(folder / f"{table}.npy", mmap_mode="r") for table in TABLES},
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is damaged ({error}); remove it, and it will be built again") from error


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    """Holds the entry's lock, which the system releases when its holder dies. Says so once if it has to wait."""
    lock = FileLock(entry.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is building %s: waiting for it", entry)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
