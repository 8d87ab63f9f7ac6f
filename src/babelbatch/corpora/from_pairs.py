"""A corpus from pairs in memory: the simplest loader of your own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import IDS, PASSAGES, QUERIES, TABLES
from babelbatch.records import Corpus, LanguageCodes
from babelbatch.sources.lines import Place
from babelbatch.storage import Texts


class Pair(NamedTuple):
    """A query and its relevant passage, in one language.

    id: the same for a query and its translations. passage_id: the same for equivalent passages, in any language; not
    needed for passages with equal ids or equal texts. negatives: irrelevant passages.
    """

    id: str
    language: str
    query: str
    passage: str
    passage_id: str | None = None
    negatives: Sequence[str] = ()


def corpus_from_pairs(name: str, pairs: Iterable[Pair]) -> Corpus:
    """A corpus of all pairs, in memory; ids and languages in the order of their first pairs.

    Codes of languages are read in any spelling, see `records.canonical_language`.
    Passages share a key if they have one item, one `passage_id` or one text, also through a chain of these. For more
    pairs than fit in memory see `assembly.Assembly` and `stored.stored_corpus`.
    Raises ValueError if there is no pair, for an element that is no `Pair` or has an empty text or a field of another
    type, and if an id has two pairs in a language.
    """
    origin = Path(f"pairs of {name}")
    with tempfile.TemporaryDirectory() as place:
        folder, number, codes = Path(place), 0, LanguageCodes(name)
        with Assembly(folder, None) as assembly:
            for number, pair in enumerate(pairs, 1):
                _check(pair, Place(origin, number))
                language = codes(pair.language, Place(origin, number))
                assembly.query(pair.id, language, pair.query, origin, number)
                assembly.passage(pair.id, language, pair.passage, origin, number, key=pair.passage_id)
                for text in pair.negatives:
                    assembly.negative(pair.id, language, text, origin, number)
            if not number:
                raise ValueError(f"{origin}: there are none")
            codes.report()
            assembly.finish()
        return Corpus(
            name=name,
            languages=assembly.languages,
            ids=tuple(Texts(folder / IDS)),
            query_texts=tuple(Texts(folder / QUERIES)),
            passage_texts=tuple(Texts(folder / PASSAGES)),
            **{table: np.load(folder / f"{table}.npy") for table in TABLES},
        )


def _check(pair: object, place: Place) -> None:
    if not isinstance(pair, Pair):
        raise ValueError(f"{place}: it is a {type(pair).__name__}; give Pair(id, language, query, passage)")
    for field in ("id", "language", "query", "passage", "passage_id"):
        value = getattr(pair, field)
        if not isinstance(value, str) and not (field == "passage_id" and value is None):
            raise ValueError(f"{place}: the {field} is {str(value)[:40]}, not a text; give a str")
    for field in ("query", "passage"):
        if not getattr(pair, field).strip():
            raise ValueError(f"{place}: the {field} is empty; leave the pair out")
    if isinstance(pair.negatives, str) or not all(isinstance(text, str) for text in pair.negatives):
        raise ValueError(f"{place}: negatives is {str(pair.negatives)[:40]}, not a list of texts; give a list of str")
