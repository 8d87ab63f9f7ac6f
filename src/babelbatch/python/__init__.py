"""What `from babelbatch import load, evaluate, compare` gives: trained models and results in Python and in notebooks.

Start at `loading.py` (`load` and `TextEncoder`); `evaluating` scores any encoder or matrices of vectors, `comparing`
gives the tests of a report as a data frame. Each calls what the command of its name calls. A new function is one more
file, and a line in `babelbatch/__init__.py`, which imports it when it is first used.
"""

__all__ = ["comparing", "evaluating", "loading"]
