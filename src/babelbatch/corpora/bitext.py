"""Parallel sentences: the translation of a sentence is its passage. For X-Y batches only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus, canonical_language
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.bitext import Pair, aligned, columns, units
from babelbatch.sources.hub import Published, locate_files
from babelbatch.sources.lines import Place, text_in
from babelbatch.sources.records import records
from babelbatch.sources.row_tally import RowTally
from babelbatch.storage import file_signatures

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
"""Names of data sets `sentence-transformers/parallel-sentences-<name>` on the hub; `muse` contains words, `wikititles`
titles."""

_REVISION = "main"  # the cards give neither versions nor numbers of pairs
_CODES = {"zh-cn": "zh", "zh_cn": "zh"}


@dataclass(frozen=True, slots=True)
class _Part:
    """The sentences of one language pair. name: of the pair, as published. read: yields them from the first on."""

    name: str
    languages: Pair
    files: list[Path]
    read: Callable[[], Iterator[tuple[Place, str, str]]]


def load_corpus(
    data_dir: str | None = None,
    pairs: list[str] | None = None,
    collection: Collection | None = None,
    limit: int | None = None,
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """Two items per sentence pair, with the query in the first language and the passage in the second, and reversed.

    No item has both in one language: an X-X batch would pair each sentence with itself. All translations of a sentence,
    also through other languages, share a passage key. Pairs with a blank side or two equal sides are skipped.

    data_dir: a folder of your files, read if `collection` is None. For the pair de-en they are: Moses
        `<name>.de-en.de` and `<name>.de-en.en`; TSV `<name>.de-en.tsv`, two columns without a head line; TMX
        `<name>.de-en.tmx`. All may be gzipped. With `collection`: a folder with its published files,
        `en-de/train-*.parquet`; None fetches them from the hub.
    collection: the sentence-transformers collection to fetch instead.
    pairs: language pairs such as de-en; default all in the folder. Required for a collection, with English first.
    limit: the number of sentence pairs to read from the start of each language pair. Building the corpus takes some 900
        bytes of memory per pair.
    on_bad_row: `error` refuses the files with a list of the lines that are not UTF-8 or have not two columns. `skip`
        leaves them out, and lists them in the log and in metrics.json.
    Raises ValueError for files that are missing, damaged or not aligned, and for the rows of `on_bad_row`.
    """
    bad = BadRows(on_bad_row)
    if collection is not None:
        parts = _published(collection, pairs, data_dir)
    elif data_dir is None:
        raise ValueError("bitext needs files: set corpus.data_dir to a folder of them, or corpus.collection")
    else:
        parts = _local(Path(data_dir), pairs, bad)
    languages = sorted({language for part in parts for language in part.languages})
    name = "bitext" if collection is None else f"bitext_{collection}"

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, languages, bad) as assembly:
            for number, part in enumerate(parts):
                tally = RowTally(f"{name}, {part.name}")
                for row, (place, *texts) in enumerate(islice(part.read(), limit)):
                    _add(assembly, f"{part.name}/{number}/{row}", part.languages, texts, place, tally)
                tally.report()
            bad.refuse()
            assembly.finish()
        return languages

    inputs = {
        "limit": limit,
        "languages": languages,
        "on_bad_row": on_bad_row,
        "parts": [[part.name, file_signatures(part.files)] for part in parts],
    }
    return stored_corpus(name, inputs, build)


def _add(assembly: Assembly, id_: str, languages: Pair, texts: Sequence[str], place: Place, tally: RowTally) -> None:
    if not all(text.strip() for text in texts):
        tally.skipped("with a blank side")
        return
    if texts[0] == texts[1]:
        tally.skipped("that are the same in both languages")
        return
    tally.used()
    for query, passage in ((0, 1), (1, 0)):
        item = f"{id_}/{languages[query]}"
        assembly.query(item, languages[query], texts[query], place.path, place.line)
        assembly.passage(item, languages[passage], texts[passage], place.path, place.line, key=id_)


def _published(collection: str, pairs: list[str] | None, data_dir: str | None) -> list[_Part]:
    if not pairs:
        raise ValueError(f"corpus.pairs: name the pairs of {collection} to take, such as [en-de, en-fr]")
    for pair in pairs:
        if not pair.startswith("en-"):
            raise ValueError(f"corpus.pairs: '{pair}' is not en-<language>, as all of {collection} are")
    published = Published(f"sentence-transformers/parallel-sentences-{collection}", _REVISION, "that of each source")
    files = locate_files(published, [f"{pair}/train-*.parquet" for pair in pairs], data_dir)
    return [_part(pair, "en", pair[3:], own, partial(_rows, own)) for pair, own in zip(pairs, files, strict=True)]


def _rows(files: Sequence[Path]) -> Iterator[tuple[Place, str, str]]:
    for place, row in chain.from_iterable(map(records, files)):
        english, other = (text_in(row, column, place, blank=True) for column in ("english", "non_english"))
        yield place, english, other


def _part(
    name: str, one: str, other: str, files: list[Path], read: Callable[[], Iterator[tuple[Place, str, str]]]
) -> _Part:
    try:
        one, other = (_CODES.get(code.lower()) or canonical_language(code) for code in (one, other))
    except ValueError as error:
        raise ValueError(f"{files[0]}: {error}") from None
    return _Part(name, (one, other), files, read)


_FILE = re.compile(r".+\.(?P<pair>(?P<one>[A-Za-z_]+)-(?P<other>[A-Za-z_]+))\.(?P<suffix>[A-Za-z_]+)(\.gz)?")


def _local(folder: Path, pairs: list[str] | None, bad: BadRows) -> list[_Part]:
    if not folder.is_dir():
        raise ValueError(f"data_dir: there is no folder {folder}")
    parts = []
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is None or (pairs is not None and match["pair"] not in pairs):
            continue
        one, other, suffix = match["one"], match["other"], match["suffix"]
        if suffix.lower() == "tsv":
            parts.append(_part(match["pair"], one, other, [path], partial(columns, path, bad)))
        elif suffix.lower() == "tmx":
            parts.append(_part(match["pair"], one, other, [path], partial(units, path, (one, other))))
        elif suffix in {one, other}:
            translation = _translation_file(path, suffix, other if suffix == one else one)
            if suffix == one:  # the other file is read with it
                files = [path, translation]
                parts.append(_part(match["pair"], one, other, files, partial(aligned, path, translation, bad)))
    missing = {*(pairs or ())} - {part.name for part in parts}
    if missing or not parts:
        wanted = min(missing) if missing else "de-en"
        one, _, other = wanted.partition("-")
        raise ValueError(
            f"{folder}: no files of {wanted}; they are named, for example, my.{wanted}.{one} and my.{wanted}.{other} "
            f"(Moses), my.{wanted}.tsv or my.{wanted}.tmx"
        )
    return parts


def _translation_file(path: Path, suffix: str, other: str) -> Path:
    """The file with the translation of each line into the language `other`."""
    stem = path.name.removesuffix(".gz").removesuffix(f".{suffix}")
    for name in (f"{stem}.{other}", f"{stem}.{other}.gz"):
        if (path.parent / name).is_file():
            return path.parent / name
    raise ValueError(f"{path}: there is no {stem}.{other} beside it, with the translation of each line")
