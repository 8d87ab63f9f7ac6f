"""Parallel sentences: a sentence asks for its translation. For X-Y batches only, as a sentence would answer itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

from babelbatch.assembly import Assembly
from babelbatch.records import Corpus
from babelbatch.sources.bitext import Pair, aligned, columns, units
from babelbatch.sources.hub import Published, located
from babelbatch.sources.lines import Place, records, text_in
from babelbatch.sources.omissions import Omissions
from babelbatch.stored_corpus import signature_of, stored_corpus

Collection = Literal[
    "europarl",
    "global-voices",
    "jw300",
    "muse",
    "news-commentary",
    "opensubtitles",
    "talks",
    "tatoeba",
    "wikimatrix",
    "wikititles",
]
"""Names of data sets `sentence-transformers/parallel-sentences-<name>` on the hub; `muse` has words, `wikititles`
titles."""

_REVISION = "main"  # their cards state neither versions nor numbers of pairs
_Sentences = Iterator[tuple[Place, str, str]]


def load_corpus(
    data_dir: str | None = None,
    pairs: list[str] | None = None,
    collection: Collection | None = None,
    limit: int | None = None,
) -> Corpus:
    """Two items a pair of sentences: one asks in the first language and is answered in the second, the other reversed.

    No item has its question and its passage in one language: an X-X batch would pair each sentence with itself. All
    that is the translation of a sentence has one passage key, through any number of languages.
    Pairs of which one side is blank, or both are the same, are left out.

    data_dir: a folder of your files, read if `collection` is None. Of the pair de-en they are: Moses
        `<name>.de-en.de` and `<name>.de-en.en`; TSV `<name>.de-en.tsv`, two columns without a head line; TMX
        `<name>.de-en.tmx`. All may be gzipped. With a collection: a folder with its published files,
        `en-de/train-*.parquet`; None fetches them from the hub.
    pairs: which, such as de-en; default all in the folder. A collection has English first, and needs them named.
    limit: only the first so many pairs of sentences of each; one takes some 500 bytes of memory while it is read.
    ValueError: no such files, or files that are damaged or not aligned.
    """
    if collection is not None:
        readers, files = _published(collection, pairs, data_dir)
    elif data_dir is None:
        raise ValueError("bitext needs files: set corpus.data_dir to a folder of them, or corpus.collection")
    else:
        readers, files = _local(Path(data_dir), pairs)
    languages = sorted({language for pair, _ in readers for language in pair})
    name = "bitext" if collection is None else f"bitext_{collection}"

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, languages) as assembly:
            for number, (pair, read) in enumerate(readers):
                omissions = Omissions(f"{name}, {'-'.join(pair)}")
                for row, (place, *texts) in enumerate(islice(read(), limit)):
                    _add(assembly, f"{'-'.join(pair)}/{number}/{row}", pair, texts, place, omissions)
                omissions.finish()
            assembly.finish()
        return languages

    said = [["-".join(pair) for pair, _ in readers], limit]
    return stored_corpus(name, {"pairs": said, "files": signature_of(files)}, build)


def _add(assembly: Assembly, id_: str, pair: Pair, texts: Sequence[str], place: Place, omissions: Omissions) -> None:
    if not all(text.strip() for text in texts):
        omissions.by_design("with a blank side")
        return
    if texts[0] == texts[1]:
        omissions.by_design("that are the same in both languages")
        return
    omissions.kept()
    for asked, answered in ((0, 1), (1, 0)):
        item = f"{id_}/{pair[asked]}"
        assembly.question(item, pair[asked], texts[asked], place.path, place.line)
        assembly.passage(item, pair[answered], texts[answered], place.path, place.line, key=id_)


def _published(
    collection: str, pairs: list[str] | None, data_dir: str | None
) -> tuple[list[tuple[Pair, Callable[[], _Sentences]]], list[Path]]:
    if not pairs:
        raise ValueError(f"corpus.pairs: name the pairs of {collection} to take, such as [en-de, en-fr]")
    split = [tuple(pair.split("-", 1)) for pair in pairs]
    for pair, languages in zip(pairs, split, strict=True):
        if len(languages) != 2 or languages[0] != "en":
            raise ValueError(f"corpus.pairs: '{pair}' is not en-<language>, as all of {collection} are")
    published = Published(f"sentence-transformers/parallel-sentences-{collection}", _REVISION, "that of each source")
    files = located(published, [f"{pair}/train-*.parquet" for pair in pairs], data_dir)
    return [(languages, partial(_rows, own)) for languages, own in zip(split, files, strict=True)], [
        path for own in files for path in own
    ]  # type: ignore[return-value]


def _rows(files: Sequence[Path]) -> _Sentences:
    for path in files:
        for place, row in records(path):
            yield place, *(text_in(row, column, place, blank=True) for column in ("english", "non_english"))  # type: ignore[misc]


_FILE = re.compile(r".+\.(?P<one>[A-Za-z_]+)-(?P<other>[A-Za-z_]+)\.(?P<end>[A-Za-z_]+)(\.gz)?")


def _local(folder: Path, pairs: list[str] | None) -> tuple[list[tuple[Pair, Callable[[], _Sentences]]], list[Path]]:
    """The pairs of a folder, each with what reads its sentences, and all files."""
    if not folder.is_dir():
        raise ValueError(f"data_dir: there is no folder {folder}")
    readers: list[tuple[Pair, Callable[[], _Sentences]]] = []
    files: list[Path] = []
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is None or (pairs is not None and f"{match['one']}-{match['other']}" not in pairs):
            continue
        pair, end = (match["one"], match["other"]), match["end"]
        if end == "tsv":
            own, read = [path], partial(columns, path)
        elif end == "tmx":
            own, read = [path], partial(units, path, pair)
        elif end in pair:
            other = _beside(path, end, pair[1] if end == pair[0] else pair[0])
            if end == pair[1]:
                continue  # it is read with the first
            own, read = [path, other], partial(aligned, path, other)
        else:
            continue
        readers.append((pair, read))
        files += own
    missing = {*(pairs or ())} - {"-".join(pair) for pair, _ in readers}
    if missing or not readers:
        wanted = min(missing) if missing else "de-en"
        last = wanted.partition("-")
        raise ValueError(
            f"{folder}: no files of {wanted}; they are named, for example, my.{wanted}.{last[0]} and "
            f"my.{wanted}.{last[2]} (Moses), my.{wanted}.tsv or my.{wanted}.tmx"
        )
    return readers, files


def _beside(path: Path, end: str, other: str) -> Path:
    """The file with the translation of each line, in the language `other`."""
    stem = path.name.removesuffix(".gz").removesuffix(f".{end}")
    for name in (f"{stem}.{other}", f"{stem}.{other}.gz"):
        if (path.parent / name).is_file():
            return path.parent / name
    raise ValueError(f"{path}: there is no {stem}.{other} beside it, with the translation of each line")
