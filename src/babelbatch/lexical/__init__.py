"""Retrieval by the words or letters that query and passage share: the baseline of any trained encoder.

Start at `bm25.py`. `BM25` and `CharNgrams` compute sparse vectors of a benchmark; their dot products are the scores.
A new lexical retriever is one more file with such a class.
"""

from babelbatch.lexical.bm25 import BM25
from babelbatch.lexical.char_ngrams import CharNgrams

Lexical = BM25 | CharNgrams

__all__ = ["BM25", "CharNgrams", "Lexical"]
