"""Texts as token ids: tokenise once, then a batch is a matter of slicing and padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from babelbatch.progress import bar
from babelbatch.records import Padded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CHUNK = 2_000
_WORTH_A_BAR = 20_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """T texts as token ids, end to end: text t is `ids[offsets[t]:offsets[t + 1]]`, special tokens included."""

    ids: np.ndarray
    offsets: np.ndarray
    pad_id: int

    @property
    def lengths(self) -> np.ndarray:
        """(T,) tokens of each text."""
        return np.diff(self.offsets)

    def distinct(self) -> tuple[Tokens, np.ndarray]:
        """The distinct texts in order of first occurrence, and (T,) which of them each text is."""
        number: dict[bytes, int] = {}
        first: list[int] = []
        of = np.empty(len(self.lengths), np.int64)
        for row, (start, stop) in enumerate(pairwise(self.offsets.tolist())):
            of[row] = number.setdefault(self.ids[start:stop].tobytes(), len(number))
            if of[row] == len(first):
                first.append(row)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[first])])
        pieces = [self.ids[self.offsets[row] : self.offsets[row + 1]] for row in first]
        return Tokens(np.concatenate(pieces), offsets, self.pad_id), of

    def padded(self, rows: Sequence[int] | np.ndarray) -> Padded:
        """The texts `rows` as one matrix, padded on the right to the longest of them."""
        pieces = [self.ids[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        longest = max(map(len, pieces))
        input_ids = np.full((len(pieces), longest), self.pad_id, np.int64)
        attention_mask = np.zeros((len(pieces), longest), np.int64)
        for line, piece in enumerate(pieces):
            input_ids[line, : len(piece)] = piece
            attention_mask[line, : len(piece)] = 1
        return Padded(torch.from_numpy(input_ids), torch.from_numpy(attention_mask))


def tokenise(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, *, prefix: str, max_length: int, description: str
) -> Tokens:
    """Tokenises `prefix + text`, cut to `max_length` tokens including the special ones. Many texts show a bar."""
    rows: list[list[int]] = []
    with bar(description, len(texts), worth_it=len(texts) >= _WORTH_A_BAR) as progress:
        for start in range(0, len(texts), _CHUNK):
            chunk = [prefix + text for text in texts[start : start + _CHUNK]]
            rows += tokenizer(chunk, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
            progress.advance(len(chunk))
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    ids = np.fromiter((id_ for row in rows for id_ in row), np.int32, count=int(offsets[-1]))
    assert tokenizer.pad_token_id is not None
    return Tokens(ids, offsets, tokenizer.pad_token_id)
