"""Training corpora: one file per source.

Each file has a `load_corpus` that returns a `records.Corpus`; `table.py`, for data of your own, is a good one to read
first. `from_pairs` makes a corpus in memory, `assembly` and `stored` make one in the cache, in bounded memory.
A new corpus is one more file and a YAML in `conf/corpus/`.
"""

from babelbatch.corpora.language_fraction import with_language_fraction

__all__ = ["stored", "with_language_fraction"]
