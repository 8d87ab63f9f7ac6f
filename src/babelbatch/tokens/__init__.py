"""Texts as token ids: tokenise once, then a batch is a matter of slicing and padding.

Start at `tokenizing.tokenise`; `cache` keeps the ids on disk, memory-mapped by all jobs of a sweep; `store.Tokens` is
what training and evaluation read.
"""

from babelbatch.tokens.store import Tokens
from babelbatch.tokens.tokenizing import tokenise

__all__ = ["Tokens", "tokenise"]
