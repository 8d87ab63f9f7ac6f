"""The folder of a run: the names of its files, its results, its lock.

Start at `files.py`. `results` writes metrics.json, which makes a run complete; `lock` keeps a second process out of the
folder; `stopping` turns SIGTERM into an exception, so that what has to be saved is saved.
"""

__all__ = ["files", "lock", "results", "stopping"]
