"""Texts as token ids: tokenised once, so that a batch only slices and pads.

Start at `tokenizing.tokenise`. `cache` stores the ids on disk, where all jobs of a sweep memory-map them;
`store.Tokens` is what training and evaluation read.
"""

from babelbatch.tokens.store import Tokens
from babelbatch.tokens.texts import PrefixedTexts
from babelbatch.tokens.tokenizing import tokenise

__all__ = ["PrefixedTexts", "Tokens", "tokenise"]
