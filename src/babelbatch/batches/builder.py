"""Plans turned into tokenised batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import pad

from babelbatch.batches.chunks import length_sorted_chunks
from babelbatch.batches.validation_split import HeldOutPassages
from babelbatch.evaluation.encoding import tokenise_texts
from babelbatch.records import ABSENT, Batch, Corpus, Padded, PairedTexts, Plan, TeacherBatch
from babelbatch.tokens import Tokens

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder

# What a forward pass costs beside its tokens, in tokens: a processor is busy with few, a GPU waits for its orders.
OVERHEAD_ON_CPU, OVERHEAD_ON_GPU = 64, 8192


class BatchBuilder:
    """Turns plans into tokenised batches. Tokenises the corpus once, when it is made.

    teacher, teacher_language: an encoder that reads each pair in that language, if the corpus has it so; or neither.
    original, copies: what the teacher reads, if that is another corpus of the same languages: the one that `corpus` has
        so many transformed versions of each item of, item n's from n * copies.
    """

    def __init__(
        self,
        corpus: Corpus,
        encoder: Encoder,
        teacher: Encoder | None = None,
        teacher_language: str | None = None,
        original: Corpus | None = None,
        copies: int = 1,
    ) -> None:
        self._corpus = corpus
        self._original, self._copies = corpus if original is None else original, copies
        self._texts = _TextsOf(corpus, encoder)
        self._teacher_texts = None if teacher is None else _TextsOf(self._original, teacher)
        if teacher_language is not None and teacher_language not in corpus.languages:
            raise ValueError(
                f"loss.language: the corpus {corpus.name} has no '{teacher_language}' for the teacher to read; it has: "
                f"{', '.join(corpus.languages)}"
            )
        self._taught = None if teacher_language is None else corpus.languages.index(teacher_language)

    def __call__(
        self,
        plan: Plan,
        step: int,
        *,
        rank: int = 0,
        ranks: int = 1,
        overhead: int = OVERHEAD_ON_CPU,
        token_limit: int | None = None,
        taught: bool = False,
        unseen: HeldOutPassages | None = None,
    ) -> Batch:
        """The share of one of several ranks: consecutive questions of the plan, their positives, then their hard
        negatives that exist, in the passage's language. And what the plan says of other languages.

        overhead, token_limit: see `length_sorted_chunks`. taught: with a lesson for the teacher.
        unseen: passages that are nobody's hard negatives, as if they were absent.
        """
        corpus = self._corpus
        queries = corpus.queries[plan.items, plan.query_languages]
        positives = corpus.passages[plan.items, plan.passage_languages]
        negatives = corpus.negatives[plan.items, plan.passage_languages]
        negative_keys = corpus.negative_keys[plan.items, plan.passage_languages]
        exists = negatives != ABSENT
        if unseen is not None:
            exists &= ~unseen(negatives, negative_keys)
        keys = corpus.passage_keys[plan.items]
        assert (queries != ABSENT).all(), "planned a question in a language that it does not exist in"
        assert (positives != ABSENT).all(), "planned a passage in a language that it does not exist in"
        shares = np.array_split(np.arange(len(plan.items)), ranks)
        own = shares[rank]
        candidates = np.concatenate([positives[own], negatives[own][exists[own]]])
        candidate_keys = [part for share in shares for part in (keys[share], negative_keys[share][exists[share]])]
        others = [
            _versions(table, plan.items, languages, shares, rank)
            for table, languages in (
                (corpus.queries, plan.query_translation_languages),
                (corpus.passages, plan.passage_translation_languages),
            )
        ]
        sides = [
            side if found is None else np.concatenate([side, found[0]])
            for side, found in zip((queries[own], candidates), others, strict=True)
        ]
        chunks, query_chunks, rows, real_tokens = self._texts(*sides, overhead, token_limit)
        sizes = len(own), len(candidates)
        translated_queries, translated_passages = (
            None if found is None else PairedTexts(torch.from_numpy(side[size:]), *found[1:])
            for found, side, size in zip(others, rows, sizes, strict=True)
        )
        return Batch(
            plan=plan,
            step=step,
            chunks=chunks,
            query_chunks=query_chunks,
            queries=torch.from_numpy(rows[0][: sizes[0]]),
            candidates=torch.from_numpy(rows[1][: sizes[1]]),
            real_tokens=real_tokens,
            positive_keys=torch.from_numpy(keys),
            candidate_keys=torch.from_numpy(np.concatenate(candidate_keys)),
            query_counts=tuple(map(len, shares)),
            candidate_counts=tuple(len(share) + int(exists[share].sum()) for share in shares),
            translated_queries=translated_queries,
            translated_passages=translated_passages,
            teacher_batch=self._teacher_batch(plan, shares, rank, overhead, token_limit) if taught else None,
        )

    def _teacher_batch(
        self, plan: Plan, shares: Sequence[np.ndarray], rank: int, overhead: int, token_limit: int | None
    ) -> TeacherBatch:
        original, items = self._original, plan.items // self._copies
        assert self._teacher_texts is not None, "there is no teacher"
        languages = np.full(len(items), self._taught)
        (queries, *of_queries), (passages, *of_passages) = (
            _versions(table, items, languages, shares, rank) for table in (original.queries, original.passages)
        )
        chunks, query_chunks, rows, _ = self._teacher_texts(queries, passages, overhead, token_limit)
        return TeacherBatch(
            chunks,
            query_chunks,
            PairedTexts(torch.from_numpy(rows[0]), *of_queries),
            PairedTexts(torch.from_numpy(rows[1]), *of_passages),
        )


class _TextsOf:
    """The texts of a corpus as one encoder reads them."""

    def __init__(self, corpus: Corpus, encoder: Encoder) -> None:
        self._shared = encoder.settings.shared
        self._queries = tokenise_texts(encoder, corpus.query_texts, "query")
        self._passages = tokenise_texts(encoder, corpus.passage_texts, "passage")

    def __call__(
        self, queries: np.ndarray, passages: np.ndarray, overhead: int, token_limit: int | None
    ) -> tuple[tuple[Padded, ...], int, list[np.ndarray], int]:
        """The distinct texts in chunks, those of both roles together if they share their weights; how many chunks the
        question tower takes; where each question and each passage is; the tokens without padding."""
        sides = [(self._queries, queries), (self._passages, passages)]
        if self._shared:
            chunks, rows, real_tokens = _chunked(sides, overhead, token_limit)
            return tuple(chunks), len(chunks), rows, real_tokens
        (chunks, (query_rows,), real_tokens), (more, (passage_rows,), more_tokens) = (
            _chunked([side], overhead, token_limit) for side in sides
        )
        passage_rows = passage_rows + sum(len(chunk.input_ids) for chunk in chunks)
        return (*chunks, *more), len(chunks), [query_rows, passage_rows], real_tokens + more_tokens


def _versions(
    table: np.ndarray,
    items: np.ndarray,
    languages: np.ndarray | None,
    shares: Sequence[np.ndarray],
    rank: int,
) -> tuple[np.ndarray, torch.Tensor, tuple[int, ...]] | None:
    """Of the rank's items, the texts in these languages that exist, which of its pairs they belong to, and how many
    each rank has. None without languages."""
    if languages is None:
        return None
    texts = np.where(languages == ABSENT, ABSENT, table[items, languages])
    exists = texts != ABSENT
    own = shares[rank]
    pairs = np.flatnonzero(exists[own])
    return texts[own][pairs], torch.from_numpy(pairs), tuple(int(exists[share].sum()) for share in shares)


def _chunked(
    parts: list[tuple[Tokens, np.ndarray]], overhead: int, token_limit: int | None
) -> tuple[list[Padded], list[np.ndarray], int]:
    """Each distinct text of one or two roles once, in length-sorted chunks.

    Returns the chunks, where each text of each role is in them laid end to end, and the tokens without padding.
    """
    distinct, of = zip(*(np.unique(rows, return_inverse=True) for _, rows in parts), strict=True)
    lengths = [
        tokens.offsets[rows + 1] - tokens.offsets[rows] for (tokens, _), rows in zip(parts, distinct, strict=True)
    ]
    starts = np.cumsum([0, *map(len, distinct)])  # the roles laid end to end
    chunks, place = [], np.empty(starts[-1], np.int64)
    done = 0
    for chunk in length_sorted_chunks(np.concatenate(lengths), overhead, token_limit):
        padded = []
        for role, (tokens, _) in enumerate(parts):
            own = chunk[(chunk >= starts[role]) & (chunk < starts[role + 1])]
            place[own] = np.arange(done, done + len(own))
            done += len(own)
            if len(own):
                padded.append(tokens.padded(distinct[role][own - starts[role]]))
        chunks.append(_stacked(padded, parts[0][0].pad_id))
    return (
        chunks,
        [place[start + rows] for start, rows in zip(starts[:-1], of, strict=True)],
        int(np.concatenate(lengths).sum()),
    )


def _stacked(parts: list[Padded], pad_id: int) -> Padded:
    """Matrices one below the other, as wide as the widest."""
    width = max(part.input_ids.shape[1] for part in parts)
    widened = [(0, width - part.input_ids.shape[1]) for part in parts]
    return Padded(
        torch.cat([pad(part.input_ids, wider, value=pad_id) for part, wider in zip(parts, widened, strict=True)]),
        torch.cat([pad(part.attention_mask, wider) for part, wider in zip(parts, widened, strict=True)]),
    )
