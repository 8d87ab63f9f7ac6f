"""Retrieval by the letters and words that query and passage share: the baseline of any trained encoder.

`BM25` and `CharNgrams` each make sparse vectors of a benchmark, whose dot products are the scores. A new lexical
retriever is one more file with such a class.
"""

from babelbatch.lexical.bm25 import BM25
from babelbatch.lexical.char_ngrams import CharNgrams

Lexical = BM25 | CharNgrams

__all__ = ["BM25", "CharNgrams", "Lexical"]
