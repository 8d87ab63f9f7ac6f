"""Evaluation sets, one file a format; each has a `load_benchmark` that returns a `records.Benchmark`."""
