"""mMARCO as a training corpus: queries and passages that are parallel over 14 languages, with hard negatives."""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from babelbatch.corpora.stored import IDS, PASSAGES, QUERIES, stored_corpus
from babelbatch.corpora.triples import Sample, sample
from babelbatch.records import ABSENT, Corpus, same_text
from babelbatch.sources import mmarco
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.listing import is_listing
from babelbatch.storage import TextWriter, file_signatures, select_texts, write_atomically
from babelbatch.storage.documents import read_json_object

log = logging.getLogger(__name__)

_SAMPLE, _DONE = "sample.npz", "done.json"


def load_corpus(
    languages: list[str] | None = None,
    triples: int | None = 1_000_000,
    negatives: int = 1,
    seed: int = 0,
    data_dir: str | None = None,
) -> Corpus:
    """One item per query and relevant passage in a sample of the published training triples.

    languages: some of the 14; default all.
    seed: of the draw.
    triples: the number drawn from the 39,780,811, by a hash of their ids and `seed`; None for all. A smaller sample is
        part of a larger one.
    negatives: the maximum number of hard negatives per item, from its triples.
    data_dir: a folder with the files of the hub's data set, at the same paths; None fetches them, 3 to 8 GB a
        language.
    Passages share a passage key if they have equal ids, are relevant to one query, or have equal texts in a language.
    Only texts of the sample are stored. They are written one language at a time into the cache folder; an interrupted
    build continues with the language that it was reading. Texts that a language lacks are ABSENT; the log has their
    number.
    Raises ValueError for an unknown language, a missing or damaged file, and a fetched file with another number of
    lines than published.
    """
    selected = select_languages("mmarco", tuple(mmarco.NAMES), languages)
    if negatives < 0 or (triples is not None and triples < 1):
        raise ValueError(f"negatives must be 0 or more and triples 1 or more, not {negatives} and {triples}")
    if data_dir is None and not is_listing():
        source: object = mmarco.PUBLISHED.revision
    else:
        files = [
            mmarco.triples_file(data_dir),
            *(file for one in selected for file in mmarco.text_files(one, data_dir)),
        ]
        source = file_signatures(files)
    inputs = {"languages": selected, "triples": triples, "negatives": negatives, "seed": seed, "source": source}

    def build(folder: Path) -> Sequence[str]:
        drawn = _drawn(folder, triples, negatives, seed, data_dir)
        _gather(folder, drawn, selected, data_dir)
        _finish(folder, drawn, selected)
        return selected

    return stored_corpus("mmarco", inputs, build)


def _drawn(folder: Path, triples: int | None, negatives: int, seed: int, data_dir: str | None) -> Sample:
    """The sample, from an interrupted build if that has written it."""
    path = folder / _SAMPLE
    if not path.is_file():
        file = mmarco.triples_file(data_dir)
        drawn = sample(_counted(file, data_dir), triples, negatives, seed)
        with (folder / "sample.part").open("wb") as part:
            np.savez(part, items=drawn.items, negatives=drawn.negatives)
        (folder / "sample.part").rename(path)
        log.info("mmarco: %s items of the sample of %s", f"{len(drawn.items):,}", file)
    with np.load(path) as arrays:
        return Sample(arrays["items"], arrays["negatives"])


def _counted(path: Path, data_dir: str | None) -> Iterator[np.ndarray]:
    lines = 0
    for block in mmarco.triples(path):
        lines += len(block)
        yield block
    check_count(f"{path}: lines", lines, mmarco.TRIPLES, data_dir)


@dataclass(frozen=True, slots=True)
class _Done:
    """Progress of a build: finished languages, and texts written until then."""

    languages: int = 0
    queries: int = 0
    passages: int = 0


def _progress(path: Path, languages: int) -> _Done:
    """How far an earlier attempt came; nowhere, with a warning, if its file is damaged."""
    try:
        done = _Done(**read_json_object(path))
        counts = astuple(done)
        if not all(type(count) is int and count >= 0 for count in counts) or done.languages > languages:
            raise ValueError(f"no counts of a build: {counts}")
    except FileNotFoundError:
        return _Done()
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is damaged (%s): the build begins again", path, error)
        return _Done()
    return done


def _gather(folder: Path, drawn: Sample, languages: Sequence[str], data_dir: str | None) -> None:
    """Writes texts and tables one language after the other, from the first unfinished one on."""
    done = _progress(folder / _DONE, len(languages))
    if done.languages == len(languages):
        return
    queries, passages = _ids(drawn)
    tables = [_table(folder, name, shape, done) for name, shape in _shapes(drawn, languages).items()]
    query_of, passage_of = np.searchsorted(queries, drawn.items[:, 0]), np.searchsorted(passages, drawn.items[:, 1])
    wrong = np.searchsorted(passages, drawn.negatives)
    with (
        closing(TextWriter(folder / QUERIES, done.queries)) as query_writer,
        closing(TextWriter(folder / PASSAGES, done.passages)) as passage_writer,
    ):
        for column in range(done.languages, len(languages)):
            language = languages[column]
            query_rows, _ = _read(language, 0, queries, query_writer, data_dir)
            passage_rows, hashes = _read(language, 1, passages, passage_writer, data_dir)
            np.save(_hashes(folder, language), hashes)
            tables[0][:, column] = query_rows[query_of]
            tables[1][:, column] = passage_rows[passage_of]
            tables[2][:, column] = np.where(drawn.negatives == ABSENT, ABSENT, passage_rows[wrong])
            for table in tables:
                if isinstance(table, np.memmap):
                    table.flush()
            done = _Done(column + 1, query_writer.flush(), passage_writer.flush())
            write_atomically(folder / _DONE, json.dumps(asdict(done)))
            missing = [f"{(rows == ABSENT).sum():,} of {len(rows):,}" for rows in (query_rows, passage_rows)]
            log.info("mmarco, %s: %s queries and %s passages are missing", language, *missing)


def _read(
    language: str, which: int, wanted: np.ndarray, writer: TextWriter, data_dir: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Writes the wanted texts of a language. which: 0 for queries, 1 for passages.

    Returns (W,) int32 where the text of each id went, or ABSENT, and (W,) uint64 hashes of the texts, 0 of those.
    """
    published = (mmarco.QUERIES, mmarco.PASSAGES)[which]
    path = mmarco.text_files(language, data_dir)[which]
    check = partial(check_count, f"{path}: lines", published=published, data_dir=data_dir)
    found, rows, hashes = array("i"), array("i"), array("Q")
    for id_, text in mmarco.texts(path, wanted, check):
        found.append(id_)
        rows.append(writer.append(text))
        hashes.append(int.from_bytes(blake2b(same_text(text).encode(), digest_size=8).digest(), "little"))
    place = np.searchsorted(wanted, np.array(found, np.int32))
    row_of, hash_of = np.full(len(wanted), ABSENT, np.int32), np.zeros(len(wanted), np.uint64)
    row_of[place], hash_of[place] = np.array(rows, np.int32), np.array(hashes, np.uint64)
    return row_of, hash_of


def _finish(folder: Path, drawn: Sample, languages: Sequence[str]) -> None:
    """Writes ids and passage keys, and removes the files that only the build needs."""
    ids = TextWriter(folder / IDS)
    for query, passage in drawn.items.tolist():
        ids.append(f"{query}-{passage}")
    ids.close()
    select_texts(folder / IDS)
    for name in (QUERIES, PASSAGES):
        if (folder / name).with_suffix(".ends").exists():  # otherwise an interrupted build has done it
            select_texts(folder / name)
    keys, wrong_keys = _keys(drawn, [np.load(_hashes(folder, language)) for language in languages])
    np.save(folder / "passage_keys.npy", keys)
    log.info("mmarco: %s items with %s passage keys", f"{len(keys):,}", f"{len(np.unique(keys)):,}")
    shape = _shapes(drawn, languages)["negatives"]
    negatives = np.load(folder / "negatives.npy", mmap_mode="r")
    if wrong_keys.size == 0:  # an empty file cannot be memory-mapped for writing
        np.save(folder / "negative_keys.npy", np.empty(shape, np.int64))
    else:
        table = np.lib.format.open_memmap(folder / "negative_keys.npy", mode="w+", dtype=np.int64, shape=shape)
        for column in range(len(languages)):
            table[:, column] = np.where(negatives[:, column] == ABSENT, ABSENT, wrong_keys)
        table.flush()
    (folder / _DONE).unlink()  # first: without it a build begins anew
    for path in (folder / _SAMPLE, *(_hashes(folder, language) for language in languages)):
        path.unlink()


def _keys(drawn: Sample, hashes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) passage keys of the items and (N, H) of their negatives, ABSENT for a passage of no item.

    hashes: for each language (P,) of the passages' texts, 0 for absent ones.
    """
    queries, passages = _ids(drawn)
    right = np.searchsorted(passages, drawn.items[:, 1])
    # Nodes: passages, then queries.
    edges = [np.stack([right, len(passages) + np.searchsorted(queries, drawn.items[:, 0])])]
    for of_language in hashes:
        order = np.argsort(of_language, kind="stable")
        same = (np.diff(of_language[order]) == 0) & (of_language[order[1:]] != 0)
        edges.append(np.stack([order[:-1][same], order[1:][same]]))
    rows, columns = np.concatenate(edges, axis=1)
    size = len(passages) + len(queries)
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    known = np.zeros(size, bool)
    known[component[right]] = True
    of_passage = np.append(np.where(known[component], component, ABSENT)[: len(passages)], ABSENT)
    wrong = np.where(drawn.negatives == ABSENT, len(passages), np.searchsorted(passages, drawn.negatives))
    return component[right], of_passage[wrong]


def _ids(drawn: Sample) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ids of queries and of passages, ascending."""
    wrong = drawn.negatives[drawn.negatives != ABSENT]
    return np.unique(drawn.items[:, 0]), np.unique(np.concatenate([drawn.items[:, 1], wrong]))


def _shapes(drawn: Sample, languages: Sequence[str]) -> dict[str, tuple[int, ...]]:
    shape = (len(drawn.items), len(languages))
    return {"queries": shape, "passages": shape, "negatives": (*shape, drawn.negatives.shape[1])}


def _table(folder: Path, name: str, shape: tuple[int, ...], done: _Done) -> np.ndarray:
    path = folder / f"{name}.npy"
    if 0 in shape:  # an empty file cannot be memory-mapped for writing
        np.save(path, np.empty(shape, np.int32))
        return np.empty(shape, np.int32)
    mode = "r+" if done.languages else "w+"
    return np.lib.format.open_memmap(path, mode=mode, dtype=np.int32, shape=shape)


def _hashes(folder: Path, language: str) -> Path:
    return folder / f"hashes.{language}.npy"
