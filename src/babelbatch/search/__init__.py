"""Nearest neighbours: vectors on disk, indexes over them, and the hard negatives mined with both.

Start at `index.py` (`Exact`, `IVF`, `HNSW`), the only module that imports faiss. `vectors` writes vectors in shards
that survive a kill; `shards` writes those of one of many processes, and `sharded_vectors` reads them all;
`vector_cache` stores those of an evaluation; `mining` chooses negatives.
"""

__all__ = ["index", "mining", "shard_plan", "sharded_vectors", "shards", "vector_cache", "vectors"]
