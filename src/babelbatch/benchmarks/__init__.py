"""Evaluation sets: one file per format.

Each file has a `load_benchmark` that returns a `records.Benchmark`; `table.py`, for data of your own, is a good one to
read first. `from_rows` makes a benchmark from rows in memory, `assembly` and `stored` make one in bounded memory,
`leakage` finds its queries in a corpus. A new benchmark is one more file and a YAML in `conf/benchmarks/`.
"""

__all__ = ["leakage"]
