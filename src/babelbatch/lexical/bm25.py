"""BM25: scores a passage by the query's words in it, how rare they are, and the passage's length."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from babelbatch.lexical.terms import stemmer, terms
from babelbatch.progress import bar, waiting
from babelbatch.records import Benchmark

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BM25:
    """Robertson and Zaragoza 2009, in Lucene's form ("accurate" of Kamphuis et al. 2020), computed by bm25s:

        score(q, d) = sum over terms t of q, repetitions included, of
                      ln(1 + (N - n_t + 0.5) / (n_t + 0.5)) * f / (f + k1 (1 - b + b |d| / mean |d|))

    with N candidates, n_t candidates that contain t, and f occurrences of t in d. N, n_t and the mean length count the
    whole pool, all languages together, in every setting: one index, as for a dense encoder. For terms see `terms`.

    k1, b: saturation of repetitions and weight of length; the defaults are those of Anserini and Pyserini, which most
        published baselines use.
    stem: reduce words to their stems where Snowball has a stemmer for the text's language.
    """

    k1: float = 0.9
    b: float = 0.4
    stem: bool = True

    def vectors(self, benchmark: Benchmark) -> tuple[csr_array, csr_array]:
        """(Q, V) float32 counts of terms in the queries, and (C, V) float32 weights of terms in the candidates.

        Their dot products are the scores. The V terms are those of the candidates, in order of first occurrence.
        Raises ValueError if no candidate has a term.
        """
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets DEBUG when it is imported
        languages = benchmark.languages
        without = [language for language in languages if self.stem and stemmer(language) is None]
        if without:
            log.info("%s: no stemmer exists for %s; words are compared as they are", benchmark.name, ", ".join(without))
        number: dict[str, int] = {}
        candidates = [
            [number.setdefault(term, len(number)) for term in found]
            for found in self._terms(benchmark.candidate_texts, benchmark.candidate_languages, languages, "candidates")
        ]
        counts = [
            Counter(number[term] for term in found if term in number)
            for found in self._terms(benchmark.query_texts, benchmark.query_languages, languages, "queries")
        ]
        if not number:
            raise ValueError(f"benchmark {benchmark.name}: no candidate has a letter or a digit, so BM25 finds nothing")
        index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene")
        with waiting(f"indexing {benchmark.name}"):
            index.index((candidates, number), create_empty_token=False, show_progress=False)
        weights = (index.scores["data"], index.scores["indices"], index.scores["indptr"])
        inverted = csr_array(weights, shape=(len(number), len(candidates)))
        inverted.sort_indices()
        return _matrix(counts, len(number)), inverted.T.tocsr()

    def _terms(
        self, texts: Sequence[str], text_languages: NDArray[np.int16], languages: Sequence[str], role: str
    ) -> Iterator[list[str]]:
        """The terms of each text."""
        stemmers = [stemmer(language) if self.stem else None for language in languages]
        description = f"splitting {len(texts):,} {role} into terms"
        with bar(description, len(texts), unit="texts") as progress:
            for text, language in zip(texts, text_languages.tolist(), strict=True):
                yield terms(text, languages[language], stemmers[language])
                progress.advance(1)


def _matrix(counts: Sequence[Counter[int]], columns: int) -> csr_array:
    """One row per counter; columns ascend in each row, so that sums have one order."""
    rows = [sorted(count.items()) for count in counts]
    offsets = np.cumsum([0, *map(len, rows)])
    pairs = np.array([pair for row in rows for pair in row], np.int64).reshape(-1, 2)
    return csr_array((pairs[:, 1].astype(np.float32), pairs[:, 0], offsets), shape=(len(rows), columns))
