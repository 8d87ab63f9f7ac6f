"""The folder of a run: the names of its files, its results, its lock.

Start at `files.py`. `results` writes metrics.json, which makes a run complete, and
`metrics_file` reads it back; `provenance` has the versions behind it;
`trained_languages` reads the languages of its training off them;
`lock` keeps a second process out of the folder; `stopping` turns SIGTERM into an exception, so that a run can save.
"""

__all__ = ["files", "lock", "metrics_file", "provenance", "results", "stopping", "trained_languages"]
