"""What is in a corpus and in benchmarks, and what is wrong with them, before training: `babelbatch-data`.

Start at `command.py`; `facts` counts, `judgement` says what is wrong, `tables` prints. A new check of data is a
function in `judgement.py`.
"""

from babelbatch.describe.command import main

__all__ = ["main"]
