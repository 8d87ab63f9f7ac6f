"""Character n-grams: what two texts share in spelling, in any script and without knowing words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from babelbatch.lexical.terms import folded
from babelbatch.records import Benchmark


@dataclass(frozen=True)
class CharNgrams:
    """The cosine of tf-idf vectors of character n-grams within words, computed by scikit-learn.

    An n-gram that occurs f times in a text, and in n of N candidates, weighs (1 + ln f) (1 + ln((1 + N) / (1 + n))).
    A word is what stands between two spaces, and is taken with one on both sides; one that is shorter than n is an
    n-gram as a whole. Chinese n-grams cross words. N and n are those of the whole pool, all languages together.

    least, most: characters of an n-gram.
    """

    least: int = 2
    most: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"encoder.least: {self.least} is not between 1 and encoder.most={self.most}")

    def vectors(self, benchmark: Benchmark) -> tuple[csr_array, csr_array]:
        """(Q, V) and (C, V) float32 of unit length, or zero for a text without any n-gram of the candidates."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        tfidf = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(self.least, self.most),
            lowercase=False,
            sublinear_tf=True,
            dtype=np.float32,
        )
        candidates = _folded(benchmark.candidate_texts, benchmark.candidate_languages, benchmark.languages)
        queries = _folded(benchmark.query_texts, benchmark.query_languages, benchmark.languages)
        try:
            found = csr_array(tfidf.fit_transform(candidates))
        except ValueError as error:  # "empty vocabulary"
            raise ValueError(f"benchmark {benchmark.name}: no candidate has anything but spaces") from error
        return csr_array(tfidf.transform(queries)), found


def _folded(texts: Sequence[str], of: np.ndarray, languages: Sequence[str]) -> list[str]:
    return [folded(text, languages[language]) for text, language in zip(texts, of.tolist(), strict=True)]
