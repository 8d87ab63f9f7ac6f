"""Texts as token ids: tokenise once, then a batch is a matter of slicing and padding."""

from babelbatch.tokens.store import Tokens
from babelbatch.tokens.texts import Texts
from babelbatch.tokens.tokenizing import tokenise

__all__ = ["Texts", "Tokens", "tokenise"]
