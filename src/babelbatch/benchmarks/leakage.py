"""Finds evaluation queries in a training corpus: identical ones and near duplicates.

The queries of the benchmarks are in memory; those of the corpus are read once and may be any number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import ceil, floor

import numpy as np
import regex
from numpy.typing import NDArray

from babelbatch.progress import track
from babelbatch.records import ABSENT, Benchmark, Corpus, find_language, same_text

REFUSED_SHARE = 0.01
"""A benchmark with a larger share of its queries in the corpus is not evaluated."""

NEAR = 0.8
"""Queries of at least this Jaccard similarity are near duplicates."""

_GRAM_LENGTH = 3
_BLOCK = 1 << 18  # items at a time
_EXAMPLES = 5
_SEARCH = "looking for evaluation queries in the corpus"  # for the progress bar
_DROPPED = regex.compile(r"[\p{P}\p{Z}\p{C}]+")
_DROPPED_BYTES = bytes(code for code in range(128) if _DROPPED.match(chr(code)))
_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))


@dataclass(frozen=True, slots=True)
class Overlap:
    """The queries of a benchmark that a corpus contains.

    queries: number in the benchmark, in all languages. identical: number that are also in the corpus, compared as
        `normalised`. near: number of the others with a near duplicate in the corpus; None if not computed.
    examples: (query of the benchmark, query of the corpus, similarity), first identical ones, then the nearest.
    """

    benchmark: str
    queries: int
    identical: int
    near: int | None
    examples: tuple[tuple[str, str, float], ...]

    @property
    def refused(self) -> bool:
        """Whether scores on this benchmark would not measure generalisation."""
        return self.identical > REFUSED_SHARE * self.queries


def normalised(text: str) -> str:
    """The text as `records.same_text` has it, without punctuation, white space and control characters. Queries with
    equal results are identical. A text of only such characters is returned unchanged."""
    if text.isascii():  # bytes suffice, and are ten times as fast
        return text.encode().translate(_LOWER, _DROPPED_BYTES).decode() or text
    return _DROPPED.sub("", same_text(text)) or text


def overlaps(texts: Iterable[str], benchmarks: Mapping[str, Benchmark], *, near: bool) -> list[Overlap]:
    """The overlap of each benchmark with the queries in `texts`, which are read once.

    near: also find near duplicates: queries whose normalised texts have a Jaccard similarity of at least `NEAR` between
        their sets of character trigrams. The result is exact, and takes some ten times as long.
    """
    counts = {name: Counter(map(normalised, benchmark.query_texts)) for name, benchmark in benchmarks.items()}
    distinct = dict.fromkeys(text for queries in counts.values() for text in queries)
    index = _NearIndex(distinct) if near else None
    identical: dict[str, str] = {}
    nearest: dict[str, tuple[float, str]] = {}
    for text in track(texts, _SEARCH, "queries"):
        plain = normalised(text)
        if plain in distinct:
            identical.setdefault(plain, text)
        if index is not None:
            for found, similarity in index.find(plain):
                if found != plain and similarity > nearest.get(found, (0.0, ""))[0]:
                    nearest[found] = (similarity, text)
    return [_overlap(name, benchmarks[name], counts[name], identical, nearest if near else None) for name in benchmarks]


@dataclass(frozen=True, slots=True)
class _Used:
    """Some of the texts, in their order. is_used: (n,) which."""

    texts: Iterable[str]
    is_used: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.is_used.sum())

    def __iter__(self) -> Iterator[str]:
        return compress(self.texts, self.is_used)


def used_queries(corpus: Corpus, languages: Sequence[str] | None = None) -> _Used:
    """The queries that items have in `languages` (None: in any). A corpus may have others: of languages that are not
    trained on, and of items that `language_fraction` has left without."""
    chosen = corpus.languages if languages is None else [find_language(each, corpus.languages) for each in languages]
    columns = [column for column, code in enumerate(corpus.languages) if code in chosen]
    is_used = np.zeros(len(corpus.query_texts), bool)
    for start in range(0, len(corpus), _BLOCK):
        rows = np.asarray(corpus.queries[start : start + _BLOCK])[:, columns]
        is_used[rows[rows != ABSENT]] = True
    return _Used(corpus.query_texts, is_used)


def refuse_leakage(corpus: Corpus, benchmarks: Mapping[str, Benchmark], languages: Sequence[str] | None = None) -> None:
    """Raises ValueError if more than one in a hundred of a benchmark's queries are in the corpus, apart from case,
    punctuation and spaces. languages: those that are trained on; None: all of the corpus."""
    for found in overlaps(used_queries(corpus, languages), benchmarks, near=False):
        if found.refused:
            raise ValueError(
                f"{found.identical:,} of the {found.queries:,} queries of benchmark {found.benchmark} are in the "
                f"corpus {corpus.name}, apart from case, punctuation and spaces: its scores would not measure "
                "generalisation; choose another, or set train_on_test=true"
            )


def refuse_leaking_validation(
    corpus: Corpus,
    validation: Corpus | None,
    benchmarks: Mapping[str, Benchmark],
    languages: Sequence[str] | None = None,
) -> None:
    """Raises ValueError if more than one in a hundred of the validation corpus's queries are in the corpus, or of a
    benchmark's queries in the validation corpus, apart from case, punctuation and spaces. In the first case the loss
    does not measure generalisation, in the second the test data would choose the weights. languages: those that are
    trained on; None: all of the corpus."""
    if validation is None:
        return
    counts = Counter(map(normalised, validation.query_texts))
    texts = track(used_queries(corpus, languages), _SEARCH, "queries")
    common = {plain for plain in map(normalised, texts) if plain in counts}
    seen = sum(counts[text] for text in common)
    if seen > REFUSED_SHARE * len(validation.query_texts):
        raise ValueError(
            f"{seen:,} of the {len(validation.query_texts):,} queries of the validation corpus {validation.name} "
            f"are in the corpus {corpus.name}, apart from case, punctuation and spaces: its loss would not measure "
            "generalisation; choose another corpus@validation, or set train_on_test=true"
        )
    refuse_leakage(validation, benchmarks)


def _overlap(
    name: str,
    benchmark: Benchmark,
    counts: Counter[str],
    identical: Mapping[str, str],
    nearest: Mapping[str, tuple[float, str]] | None,
) -> Overlap:
    close = (
        {} if nearest is None else {text: nearest[text] for text in counts if text in nearest and text not in identical}
    )
    shown = [(text, 1.0, identical[text]) for text in counts if text in identical][:_EXAMPLES]
    shown += [(text, *close[text]) for text in sorted(close, key=lambda text: -close[text][0])][:_EXAMPLES]
    wanted = {text for text, _, _ in shown}
    original: dict[str, str] = {}
    for text in benchmark.query_texts if wanted else ():
        if (plain := normalised(text)) in wanted:
            original.setdefault(plain, text)
    return Overlap(
        benchmark=name,
        queries=len(benchmark.query_texts),
        identical=sum(count for text, count in counts.items() if text in identical),
        near=None if nearest is None else sum(counts[text] for text in close),
        examples=tuple((original[text], other, similarity) for text, similarity, other in shown),
    )


class _NearIndex:
    """Finds all texts of a set with a similarity of at least `NEAR` to a given text.

    Two sets with a similarity of at least t, both sorted in any one order, share one of their first
    |x| - ceil(t |x|) + 1 elements. With the rarest elements first there are few candidates (Bayardo, Ma and Srikant
    2007, "Scaling Up All Pairs Similarity Search").
    """

    def __init__(self, texts: Iterable[str]) -> None:
        grams = {text: _grams(text) for text in texts}
        counts = Counter(gram for found in grams.values() for gram in found)
        self._rank = {gram: rank for rank, (gram, _) in enumerate(sorted(counts.items(), key=lambda pair: pair[::-1]))}
        self._grams = {text: frozenset(map(self._rank.__getitem__, found)) for text, found in grams.items()}
        self._with: dict[int, list[str]] = {}
        for text, ranks in self._grams.items():
            for rank in sorted(ranks)[: _prefix(len(ranks))]:
                self._with.setdefault(rank, []).append(text)

    def find(self, text: str) -> list[tuple[str, float]]:
        """The near texts and their similarities."""
        grams = _grams(text)
        known = [self._rank[gram] for gram in grams if gram in self._rank]
        # Trigrams of no text in the set come first in the order, and have no candidates.
        prefix = _prefix(len(grams)) - (len(grams) - len(known))
        if prefix <= 0:
            return []
        ranks, size = set(known), len(grams)
        candidates = {other for rank in sorted(known)[:prefix] for other in self._with.get(rank, ())}
        found = []
        for other in candidates:
            theirs = self._grams[other]
            if ceil(NEAR * size) <= len(theirs) <= floor(size / NEAR):
                common = len(ranks & theirs)
                if (similarity := common / (size + len(theirs) - common)) >= NEAR:
                    found.append((other, similarity))
        return found


def _grams(text: str) -> set[str]:
    return {text[start : start + _GRAM_LENGTH] for start in range(max(1, len(text) - _GRAM_LENGTH + 1))}


def _prefix(size: int) -> int:
    return size - ceil(NEAR * size) + 1
