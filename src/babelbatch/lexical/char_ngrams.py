"""Character n-grams: the spelling that two texts share, in any script and without word boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from babelbatch.lexical.terms import folded
from babelbatch.progress import waiting
from babelbatch.records import Benchmark


@dataclass(frozen=True)
class CharNgrams:
    """The cosine of tf-idf vectors of character n-grams within words, computed by scikit-learn.

    An n-gram that occurs f times in a text, and in n of N candidates, weighs (1 + ln f) (1 + ln((1 + N) / (1 + n))).
    A word is delimited by spaces and includes one on either side; a word shorter than an n-gram counts as one. In
    scripts without spaces n-grams cross words. N and n count the whole pool, all languages together.

    least, most: smallest and largest number of characters in an n-gram.
    """

    least: int = 2
    most: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"encoder.least: {self.least} is not between 1 and encoder.most={self.most}")

    def vectors(self, benchmark: Benchmark) -> tuple[csr_array, csr_array]:
        """(Q, V) and (C, V) float32 of unit length, or zero for a text without any n-gram of the candidates.

        Raises ValueError if no candidate has a letter.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        tfidf = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(self.least, self.most),
            lowercase=False,
            sublinear_tf=True,
            dtype=np.float32,
        )
        with waiting(f"indexing {benchmark.name}"):
            candidates = _folded(benchmark.candidate_texts, benchmark.candidate_languages, benchmark.languages)
            queries = _folded(benchmark.query_texts, benchmark.query_languages, benchmark.languages)
            try:
                weights = csr_array(tfidf.fit_transform(candidates))
            except ValueError as error:  # "empty vocabulary"
                raise ValueError(f"benchmark {benchmark.name}: no candidate has anything but spaces") from error
            return csr_array(tfidf.transform(queries)), weights


def _folded(texts: Sequence[str], text_languages: NDArray[np.int16], languages: Sequence[str]) -> list[str]:
    return [folded(text, languages[language]) for text, language in zip(texts, text_languages.tolist(), strict=True)]
