"""BM25: how many of a question's words a passage has, how rare they are, and how long the passage is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from babelbatch.lexical.terms import stemmer, terms
from babelbatch.records import Benchmark


@dataclass(frozen=True)
class BM25:
    """Robertson and Zaragoza 2009, in Lucene's form ("accurate" of Kamphuis et al. 2020), computed by bm25s:

        score(q, d) = sum over terms t of q, repetitions included, of
                      ln(1 + (N - n_t + 0.5) / (n_t + 0.5)) * f / (f + k1 (1 - b + b |d| / mean |d|))

    with N candidates, n_t of which have t, and f occurrences of t in d. N, n_t and the mean length are those of the
    whole pool, all languages together, in every setting: one index, as for a dense encoder. What terms are: `terms`.

    k1, b: how soon repetitions stop counting, and how much length counts; the defaults are those of Anserini and
        Pyserini, with which most published baselines are made.
    stem: cut words to their stems where Snowball has a stemmer for the text's language.
    """

    k1: float = 0.9
    b: float = 0.4
    stem: bool = True

    def vectors(self, benchmark: Benchmark) -> tuple[csr_array, csr_array]:
        """(Q, V) float32 counts of terms in the questions, and (C, V) float32 weights of terms in the candidates; the
        scores are their dot products. V terms: those of the candidates, in the order in which they first occur."""
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets DEBUG when it is imported
        number: dict[str, int] = {}
        candidates = [
            [number.setdefault(term, len(number)) for term in found]
            for found in self._terms(benchmark.candidate_texts, benchmark.candidate_languages, benchmark.languages)
        ]
        counts = [
            Counter(number[term] for term in found if term in number)
            for found in self._terms(benchmark.query_texts, benchmark.query_languages, benchmark.languages)
        ]
        if not number:
            raise ValueError(f"benchmark {benchmark.name}: no candidate has a letter or a digit, so BM25 finds nothing")
        index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene")
        index.index((candidates, number), create_empty_token=False, show_progress=False)
        weights = (index.scores["data"], index.scores["indices"], index.scores["indptr"])
        inverted = csr_array(weights, shape=(len(number), len(candidates)))
        inverted.sort_indices()
        return _matrix(counts, len(number)), inverted.T.tocsr()

    def _terms(self, texts: Sequence[str], of: np.ndarray, languages: Sequence[str]) -> list[list[str]]:
        stemmers = [stemmer(language) if self.stem else None for language in languages]
        return [
            terms(text, languages[language], stemmers[language])
            for text, language in zip(texts, of.tolist(), strict=True)
        ]


def _matrix(counts: Sequence[Counter[int]], columns: int) -> csr_array:
    """A row a counter; columns ascend in each, so that sums have one order."""
    rows = [sorted(count.items()) for count in counts]
    offsets = np.cumsum([0, *map(len, rows)])
    pairs = np.array([pair for row in rows for pair in row], np.int64).reshape(-1, 2)
    return csr_array((pairs[:, 1].astype(np.float32), pairs[:, 0], offsets), shape=(len(rows), columns))
