"""Evaluation questions that a corpus trains on: the same ones, and near ones.

Only the questions of the benchmarks are held in memory; those of the corpus go by, whatever their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from unicodedata import normalize

import regex

from babelbatch.progress import track
from babelbatch.records import Benchmark, Corpus

REFUSED_SHARE = 0.01
"""A benchmark with a larger share of its questions in the corpus is not evaluated."""

NEAR = 0.8
"""The Jaccard similarity from which questions are near to each other."""

_GRAM = 3
_EXAMPLES = 5
_SEARCH = "looking for evaluation queries in the corpus"  # for the progress bar
_DROPPED = regex.compile(r"[\p{P}\p{Z}\p{C}]+")
_DROPPED_BYTES = bytes(code for code in range(128) if _DROPPED.match(chr(code)))
_LOWER = bytes(range(65)) + bytes(range(97, 123)) + bytes(range(91, 256))


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a benchmark and a corpus have in common.

    questions: of the benchmark, in all languages. identical: those that the corpus has too, see `normalised`.
    near: of the others, those that it has a near one of; None if that was not asked for.
    examples: (benchmark's question, corpus's, similarity), the first few identical ones, then the nearest.
    """

    benchmark: str
    queries: int
    identical: int
    near: int | None
    examples: tuple[tuple[str, str, float], ...]

    @property
    def refused(self) -> bool:
        """Whether scores on this benchmark would mean nothing."""
        return self.identical > REFUSED_SHARE * self.queries


def normalised(text: str) -> str:
    """What makes two questions the same: the text in NFKC, case folded, without punctuation, white space and control
    characters. Of a text of nothing else, the text."""
    if text.isascii():  # where all that is a matter of bytes, and ten times as fast
        return text.encode().translate(_LOWER, _DROPPED_BYTES).decode() or text
    # Folding may leave what NFKC composes, hence twice (Unicode 3.13, toNFKC_Casefold).
    return _DROPPED.sub("", normalize("NFKC", normalize("NFKC", text).casefold())) or text


def overlaps(texts: Iterable[str], benchmarks: Mapping[str, Benchmark], *, near: bool) -> list[Overlap]:
    """What each benchmark has in common with the questions in `texts`, which are read once.

    near: look for near questions too: those with a Jaccard similarity of at least `NEAR` between the sets of three
        characters in a row of the normalised texts. The result is exact; it takes some ten times as long.
    """
    asked = {name: Counter(map(normalised, benchmark.query_texts)) for name, benchmark in benchmarks.items()}
    distinct = dict.fromkeys(text for questions in asked.values() for text in questions)
    index = _Near(distinct) if near else None
    same: dict[str, str] = {}
    nearest: dict[str, tuple[float, str]] = {}
    for text in track(texts, _SEARCH, "queries"):
        plain = normalised(text)
        if plain in distinct:
            same.setdefault(plain, text)
        if index is not None:
            for found, similarity in index.of(plain):
                if found != plain and similarity > nearest.get(found, (0.0, ""))[0]:
                    nearest[found] = (similarity, text)
    return [_overlap(name, benchmarks[name], asked[name], same, nearest if near else None) for name in benchmarks]


def refuse_leakage(corpus: Corpus, benchmarks: Mapping[str, Benchmark]) -> None:
    """Raises ValueError if a benchmark asks more than one in a hundred of the corpus's questions, apart from case,
    punctuation and spaces."""
    for found in overlaps(corpus.query_texts, benchmarks, near=False):
        if found.refused:
            raise ValueError(
                f"{found.identical:,} of the {found.queries:,} questions of benchmark {found.benchmark} are in the "
                f"corpus {corpus.name}: its scores would mean nothing; choose another, or set train_on_test=true"
            )


def refuse_leaking_validation(corpus: Corpus, validation: Corpus | None, benchmarks: Mapping[str, Benchmark]) -> None:
    """Raises ValueError if more than one in a hundred of the validation corpus's questions are in the corpus, or of a
    benchmark's questions in the validation corpus, apart from case, punctuation and spaces: the first says nothing of
    new questions, and the second would choose the weights by the test."""
    if validation is None:
        return
    asked = Counter(map(normalised, validation.query_texts))
    common = {plain for plain in map(normalised, track(corpus.query_texts, _SEARCH, "queries")) if plain in asked}
    seen = sum(asked[text] for text in common)
    if seen > REFUSED_SHARE * len(validation.query_texts):
        raise ValueError(
            f"{seen:,} of the {len(validation.query_texts):,} questions of the validation corpus {validation.name} "
            f"are in the corpus {corpus.name}: its loss would say nothing of new questions; choose another "
            "corpus@validation, or set train_on_test=true"
        )
    refuse_leakage(validation, benchmarks)


def _overlap(
    name: str,
    benchmark: Benchmark,
    asked: Counter[str],
    same: Mapping[str, str],
    nearest: Mapping[str, tuple[float, str]] | None,
) -> Overlap:
    close = {} if nearest is None else {text: nearest[text] for text in asked if text in nearest and text not in same}
    shown = [(text, 1.0, same[text]) for text in asked if text in same][:_EXAMPLES]
    shown += [(text, *close[text]) for text in sorted(close, key=lambda text: -close[text][0])][:_EXAMPLES]
    wanted = {text for text, _, _ in shown}
    original: dict[str, str] = {}
    for text in benchmark.query_texts if wanted else ():
        if (plain := normalised(text)) in wanted:
            original.setdefault(plain, text)
    return Overlap(
        benchmark=name,
        queries=len(benchmark.query_texts),
        identical=sum(count for text, count in asked.items() if text in same),
        near=None if nearest is None else sum(asked[text] for text in close),
        examples=tuple((original[text], other, similarity) for text, similarity, other in shown),
    )


class _Near:
    """Finds the texts of a set that are near to a given one, all of them and no other.

    Two sets whose similarity is at least t share an element of the first |x| - ceil(t |x|) + 1 of each, in any order
    that both are put in; with the rarest first, there are few such candidates (Bayardo, Ma and Srikant 2007, "Scaling
    Up All Pairs Similarity Search").
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

    def of(self, text: str) -> list[tuple[str, float]]:
        """The near texts and their similarity."""
        grams = _grams(text)
        known = [self._rank[gram] for gram in grams if gram in self._rank]
        # Grams that no text of the set has come first in the order, and lead nowhere.
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
    return {text[start : start + _GRAM] for start in range(max(1, len(text) - _GRAM + 1))}


def _prefix(size: int) -> int:
    return size - ceil(NEAR * size) + 1
