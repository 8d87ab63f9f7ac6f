"""The texts of a corpus as token ids, and batches of them in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from babelbatch.batches.chunks import length_sorted_chunks
from babelbatch.encoder import Encoder
from babelbatch.evaluation.encoding import tokenise_texts
from babelbatch.records import Corpus, Padded, Workload
from babelbatch.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Chunks:
    """Distinct texts of a batch in forward passes.

    padded: the chunks. query_chunks: how many of them, the first ones, the query tower encodes.
    queries, passages: row of each text in the concatenated chunks. workload: what the chunks cost the encoder.
    """

    padded: tuple[Padded, ...]
    query_chunks: int
    queries: NDArray[np.int64]
    passages: NDArray[np.int64]
    workload: Workload


class TokenizedCorpus:
    """A corpus with its texts as one encoder's token ids, tokenised on construction or read from the cache."""

    def __init__(self, corpus: Corpus, encoder: Encoder) -> None:
        self.corpus = corpus
        self._shared = encoder.settings.shared
        tasks = corpus.query_tasks() if encoder.settings.query_prompts else None
        self._queries = tokenise_texts(encoder, corpus.query_texts, "query", tasks)
        self._passages = tokenise_texts(encoder, corpus.passage_texts, "passage")

    def chunks(
        self, queries: NDArray[np.int32], passages: NDArray[np.int32], overhead: int, token_limit: int | None
    ) -> Chunks:
        """The texts in these rows of `query_texts` and `passage_texts`, each distinct text once.

        Queries and passages share chunks if the encoder's towers share their weights. overhead, token_limit: see
        `length_sorted_chunks`.
        """
        sides = [(self._queries, queries), (self._passages, passages)]
        if self._shared:
            chunks, (query_rows, passage_rows), lengths = _chunked(sides, overhead, token_limit)
            return Chunks(tuple(chunks), len(chunks), query_rows, passage_rows, _workload(chunks, lengths))
        (chunks, (query_rows,), lengths), (more, (passage_rows,), more_lengths) = (
            _chunked([side], overhead, token_limit) for side in sides
        )
        passage_rows = passage_rows + sum(len(chunk.input_ids) for chunk in chunks)
        workload = _workload([*chunks, *more], np.concatenate([lengths, more_lengths]))
        return Chunks((*chunks, *more), len(chunks), query_rows, passage_rows, workload)

    def tokens(self, queries: NDArray[np.int32], passages: NDArray[np.int32]) -> int:
        """Tokens of the texts in these rows, each distinct text once, without padding."""
        sides = ((self._queries, queries), (self._passages, passages))
        return sum(int(_lengths(tokens, np.unique(rows)).sum()) for tokens, rows in sides)


def _lengths(tokens: Tokens, rows: NDArray[np.int32]) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = tokens.offsets[rows + 1] - tokens.offsets[rows]
    return lengths


def _chunked(
    sides: Sequence[tuple[Tokens, NDArray[np.int32]]], overhead: int, token_limit: int | None
) -> tuple[list[Padded], list[NDArray[np.int64]], NDArray[np.int64]]:
    """Each distinct text of one or two roles once, in length-sorted chunks.

    Returns the chunks, the row of each text of each role in the concatenated chunks, and the distinct texts' lengths.
    """
    distinct, inverse = zip(*(np.unique(rows, return_inverse=True) for _, rows in sides), strict=True)
    lengths = np.concatenate([_lengths(tokens, rows) for (tokens, _), rows in zip(sides, distinct, strict=True)])
    starts = np.cumsum([0, *map(len, distinct)])  # of each role among all distinct texts
    chunks, place = [], np.empty(starts[-1], np.int64)
    done = 0
    for chunk in length_sorted_chunks(lengths, overhead, token_limit):
        padded = []
        for role, (tokens, _) in enumerate(sides):
            own = chunk[(chunk >= starts[role]) & (chunk < starts[role + 1])]
            place[own] = np.arange(done, done + len(own))
            done += len(own)
            if len(own):
                padded.append(tokens.padded(distinct[role][own - starts[role]]))
        chunks.append(_stacked(padded, sides[0][0].pad_id))
    rows_of = [place[start + rows] for start, rows in zip(starts[:-1], inverse, strict=True)]
    return chunks, rows_of, lengths


def _workload(chunks: Sequence[Padded], lengths: NDArray[np.int64]) -> Workload:
    shapes = [chunk.input_ids.shape for chunk in chunks]
    return Workload(
        texts=len(lengths),
        real_tokens=int(lengths.sum()),
        padded_tokens=sum(rows * width for rows, width in shapes),
        real_pairs=int((lengths.astype(np.int64) ** 2).sum()),
        padded_pairs=sum(rows * width**2 for rows, width in shapes),
    )


def _stacked(parts: Sequence[Padded], pad_id: int) -> Padded:
    """Concatenates matrices of token ids, padded to the widest."""
    width = max(part.input_ids.shape[1] for part in parts)
    widened = [(0, width - part.input_ids.shape[1]) for part in parts]
    return Padded(
        torch.cat([pad(part.input_ids, wider, value=pad_id) for part, wider in zip(parts, widened, strict=True)]),
        torch.cat([pad(part.attention_mask, wider) for part, wider in zip(parts, widened, strict=True)]),
    )
