"""Parallel training data, one file a source; each has a `load_corpus` that returns a `records.Corpus`."""
