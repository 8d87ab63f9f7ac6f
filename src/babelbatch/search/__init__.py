"""Nearest neighbours: vectors on disk, indexes over them, and the hard negatives mined with both.

Start at `index.py` (`Exact`, `IVF`, `HNSW`: the only door to faiss). `vectors` writes blocks of vectors that survive a
kill; `vector_cache` finds those of an earlier run; `mining` chooses negatives.
"""

__all__ = ["index", "mining", "vector_cache", "vectors"]
