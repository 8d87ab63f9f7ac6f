"""Describes a corpus and benchmarks, and reports problems with them, before training: `babelbatch-data`.

Start at `command.py`; `facts` counts, `findings` turns the counts into problems and notes, `tables` prints. A new check
of data is a function in `findings.py`.
"""

from babelbatch.describe.command import main

__all__ = ["main"]
