"""What is in a corpus and in benchmarks, and what is wrong with them, before anything is trained on them."""

from babelbatch.describe.command import main

__all__ = ["main"]
