"""Retrieval by the letters and words that question and passage share: what any trained encoder must beat.

`BM25` and `CharNgrams` each make sparse vectors of a benchmark, whose dot products are the scores.
"""

from babelbatch.lexical.bm25 import BM25 as BM25
from babelbatch.lexical.char_ngrams import CharNgrams as CharNgrams

Lexical = BM25 | CharNgrams
