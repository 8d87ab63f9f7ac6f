"""MIRACL: queries by native speakers in 18 languages, each with judged passages of its language's Wikipedia.

Zhang et al. 2023 (arXiv 2210.09984). Judgements are 1 and 0; unjudged passages may be relevant. There are two data sets
on the hub; a local folder has the files of both, whose paths do not collide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babelbatch.sources.hub import Published, locate_files
from babelbatch.sources.lines import Place, fields, lines, text_of

QUERIES = Published("miracl/miracl", "5be20db9509754dadad47689368639fcec739c00", "Apache-2.0")
PASSAGES = Published("miracl/miracl-corpus", "d921ec7e349ce0d28daf30b2da9da5ee698bef0d", "Apache-2.0, text CC BY-SA")

Split = Literal["train", "dev"]

COUNTS: dict[Split, dict[str, tuple[int, int]]] = {
    "train": {
        "ar": (3_495, 25_382),
        "bn": (1_631, 16_754),
        "en": (2_863, 29_416),
        "es": (2_162, 21_531),
        "fa": (2_107, 21_844),
        "fi": (2_897, 20_350),
        "fr": (1_143, 11_426),
        "hi": (1_169, 11_668),
        "id": (4_071, 41_358),
        "ja": (3_477, 34_387),
        "ko": (868, 12_767),
        "ru": (4_683, 33_921),
        "sw": (1_901, 9_359),
        "te": (3_452, 18_608),
        "th": (2_972, 21_293),
        "zh": (1_312, 13_113),
    },
    "dev": {
        "ar": (2_896, 29_197),
        "bn": (411, 4_206),
        "de": (305, 3_144),
        "en": (799, 8_350),
        "es": (648, 6_443),
        "fa": (632, 6_571),
        "fi": (1_271, 12_008),
        "fr": (343, 3_429),
        "hi": (350, 3_494),
        "id": (960, 9_668),
        "ja": (860, 8_354),
        "ko": (213, 3_057),
        "ru": (1_252, 13_100),
        "sw": (482, 5_092),
        "te": (828, 1_606),
        "th": (733, 7_573),
        "yo": (119, 1_188),
        "zh": (393, 3_928),
    },
}
"""Published numbers of queries and of judgements, by split and language."""

PASSAGE_COUNTS = {
    "ar": 2_061_414,
    "bn": 297_265,
    "de": 15_866_222,
    "en": 32_893_221,
    "es": 10_373_953,
    "fa": 2_207_172,
    "fi": 1_883_509,
    "fr": 14_636_953,
    "hi": 506_264,
    "id": 1_446_315,
    "ja": 6_953_614,
    "ko": 1_486_752,
    "ru": 9_543_918,
    "sw": 131_924,
    "te": 518_079,
    "th": 542_166,
    "yo": 49_043,
    "zh": 4_934_368,
}
"""Published numbers of passages, by language."""


@dataclass(frozen=True, slots=True)
class Query:
    place: Place
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """relevant: whether the passage `passage` answers the query `query`; both are ids."""

    place: Place
    query: str
    passage: str
    relevant: bool


def query_files(languages: Sequence[str], split: Split, data_dir: str | None) -> list[tuple[Path, Path]]:
    """For each language its file of queries and its file of judgements, fetched from the hub unless in `data_dir`."""
    patterns = [
        f"miracl-v1.0-{language}/{kind}/{kind}.miracl-v1.0-{language}-{split}.tsv"
        for language in languages
        for kind in ("topics", "qrels")
    ]
    files = [file for (file,) in locate_files(QUERIES, patterns, data_dir)]
    return list(zip(files[::2], files[1::2], strict=True))


def passage_files(language: str, data_dir: str | None) -> list[Path]:
    """The files of a language's passages, for `wikipedia.passages`."""
    return locate_files(PASSAGES, [f"miracl-corpus-v1.0-{language}/docs-*.jsonl.gz"], data_dir)[0]


def queries(path: Path) -> Iterator[Query]:
    """The queries in lines `id<tab>query`. Raises ValueError, with the line, for damage, an empty text, a repeated
    id."""
    seen: dict[str, Place] = {}
    for place, (id_, text) in fields(path, 2):
        if id_ in seen:
            raise ValueError(f"{place}: query id '{id_}' again, after line {seen[id_].line:,}; ids must be unique")
        seen[id_] = place
        yield Query(place, text_of(id_, "the id", place), text_of(text, "the query", place))


def judgements(path: Path) -> Iterator[Judgement]:
    """The judgements in lines `query Q0 passage relevance` of a TREC file.

    Raises ValueError, with the line, for damage, a relevance other than 0 and 1, and a pair that is judged twice.
    """
    seen: set[tuple[str, str]] = set()
    for place, line in lines(path):
        parts = line.split()
        if len(parts) != 4:
            raise ValueError(f"{place}: {len(parts)} fields instead of query, Q0, passage, relevance; it may be cut")
        query, _, passage, relevance = parts
        if relevance not in ("0", "1"):
            raise ValueError(f"{place}: relevance '{relevance[:20]}'; MIRACL judges 0 or 1")
        if (query, passage) in seen:
            raise ValueError(f"{place}: query '{query}' and passage '{passage}' are judged twice; remove one")
        seen.add((query, passage))
        yield Judgement(place, query, passage, relevance == "1")
