"""mMARCO: MS MARCO's queries and passages, translated by machine into 13 languages.

Bonifacio et al. 2021 (arXiv 2108.13897), the version that Google Translate made. Ids are the same in all languages, so
that a query in one language goes with its passage in any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

from babelbatch.progress import reading
from babelbatch.sources.download import web_file
from babelbatch.sources.hub import Published, locate_files
from babelbatch.sources.lines import Place, decoded, fields, raw_lines
from babelbatch.storage import cache_folder

PUBLISHED = Published(
    "unicamp-dl/mmarco",
    "6d039c4638c0ba3e46a9cb7b498b145e7edc6230",
    "MS MARCO's terms, for research that is not commercial (the file LICENSE there; the card says Apache-2.0)",
)

NAMES = {
    "ar": "arabic",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "nl": "dutch",
    "pt": "portuguese",
    "ru": "russian",
    "vi": "vietnamese",
    "zh": "chinese",
}
"""The publishers' names of the languages. The English texts are the original."""

TRIPLES, QUERIES, PASSAGES = 39_780_811, 808_731, 8_841_823
"""Published numbers of lines: of triples, and of queries and passages in each language."""

DEV_QUERIES, DEV_JUDGEMENTS = 6_980, 7_437
"""Published numbers of queries in each language, and of judgements, of the small development set."""

DEV_JUDGEMENTS_URL = "https://msmarco.z22.web.core.windows.net/msmarcoranking/qrels.dev.small.tsv"
"""Of MS MARCO: ids are the same in all languages. No checksum is published."""

_BLOCK = 1 << 24  # bytes of triples that are read at a time


def triples_file(data_dir: str | None) -> Path:
    """The file of training triples, fetched from the hub unless in `data_dir`."""
    ((file,),) = locate_files(PUBLISHED, ["data/triples.train.ids.small.tsv"], data_dir)
    return file


def text_files(language: str, data_dir: str | None) -> tuple[Path, Path]:
    """The files of a language's training queries and of its passages, fetched from the hub unless in `data_dir`."""
    name = NAMES[language]
    patterns = [f"data/google/queries/train/{name}_queries.train.tsv", f"data/google/collections/{name}_collection.tsv"]
    (queries,), (passages,) = locate_files(PUBLISHED, patterns, data_dir)
    return queries, passages


def dev_files(language: str, data_dir: str | None) -> tuple[Path, Path]:
    """The files of a language's small development set and of its passages, fetched likewise."""
    name = NAMES[language]
    place = "data/google"
    patterns = [f"{place}/queries/dev/{name}_queries.dev.small.tsv", f"{place}/collections/{name}_collection.tsv"]
    (queries,), (passages,) = locate_files(PUBLISHED, patterns, data_dir)
    return queries, passages


def dev_judgements_file(data_dir: str | None) -> Path:
    """The judgements of the small development set, fetched from MS MARCO unless in `data_dir`."""
    return web_file(DEV_JUDGEMENTS_URL, data_dir, cache_folder("mmarco"))


def triples(path: Path) -> Iterator[np.ndarray]:
    """The triples of a file, some hundred thousand at a time: (n, 3) int32 ids of a query, of a passage that answers
    it, and of one that was retrieved and does not.

    ValueError, with the line: not three whole numbers from 0 on, separated by tabs.
    """
    columns = ["query", "positive", "negative"]
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: the file is empty; copy or download it again")
        with path.open("rb") as file, reading(path, file):
            reader = pv.open_csv(
                file,
                pv.ReadOptions(use_threads=False, column_names=columns, block_size=_BLOCK),
                pv.ParseOptions(delimiter="\t", quote_char=False),
                pv.ConvertOptions(column_types=dict.fromkeys(columns, pa.int32()), null_values=[]),
            )
            for batch in reader:
                block = np.stack([column.to_numpy() for column in batch.columns], axis=1)
                if (block < 0).any():
                    raise pa.ArrowInvalid("a negative number")
                yield block
    except pa.ArrowInvalid as error:
        raise _fault(path, error) from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from error


def texts(path: Path, wanted: np.ndarray, on_end: Callable[[int], None]) -> Iterator[tuple[int, str]]:
    """The id and the text of each wanted line of a file of lines `id<tab>text`, in the order of the file.

    wanted: (W,) ids, ascending. Lines that are not wanted are not decoded. A text that is blank is left out, as if the
    line was not there. on_end: gets the number of lines at the end.
    ValueError, with the line: no whole number and no tab in front, a wanted id again, a wanted text that is not UTF-8.
    """
    state = bytearray(int(wanted[-1]) + 1 if len(wanted) else 0)  # 0: not wanted, 1: wanted, 2: found
    np.frombuffer(state, np.uint8)[wanted] = 1
    limit, lines = len(state), 0
    for number, raw in raw_lines(path):
        head, tab, _ = raw.partition(b"\t")
        if not (tab and head.isdigit()):
            if not raw.strip():
                continue
            raise ValueError(f"{Place(path, number)}: not an id, a tab and a text; the line may be cut")
        lines += 1
        id_ = int(head)
        if id_ >= limit or not state[id_]:
            continue
        place = Place(path, number)
        if state[id_] == 2:
            raise ValueError(f"{place}: id {id_} again; ids must be unique, remove one of the lines")
        state[id_] = 2
        if text := decoded(raw, place).partition("\t")[2].strip():
            yield id_, text
    on_end(lines)


def _fault(path: Path, error: pa.ArrowInvalid) -> ValueError:
    """What is wrong with a file of triples, with its line, which pyarrow does not always tell."""
    for place, row in fields(path, 3):
        for value in row:
            if not (value.isascii() and value.isdigit() and int(value) < 2**31):
                return ValueError(f"{place}: '{value[:20]}' is not a whole number of at most {2**31 - 1:,}")
    return ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]}); copy or download it again")
