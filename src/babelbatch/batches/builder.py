"""Plans turned into tokenised batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.records import ABSENT, Batch, PairedTexts, Plan, TeacherBatch, find_language
from babelbatch.sampling import HeldOutPassages

# Cost of a forward pass beside its tokens, in tokens: small on a processor, large on a GPU, which waits for its launch.
OVERHEAD_ON_CPU, OVERHEAD_ON_GPU = 64, 8192
MOST_TOKENS_ON_CPU = (
    2048  # of a forward pass: then the results of an operation are still in its caches for the next one
)

Shares = Sequence[NDArray[np.int64]]
"""For each rank, the positions of its pairs in the global batch."""


class TeacherTexts:
    """The texts that a teacher encodes: each pair's query and passage in the teacher's language, where it has them.

    texts: a corpus in the teacher's tokens. language: of the texts. copies: items of the training corpus for each item
        of this one; item n's are those from n * copies.
    Raises ValueError if the corpus lacks the language.
    """

    def __init__(self, texts: TokenizedCorpus, language: str, copies: int = 1) -> None:
        corpus = texts.corpus
        known = find_language(language, corpus.languages)
        if known is None:
            raise ValueError(
                f"loss.language: the corpus {corpus.name} has no '{language}' for the teacher to read; it has: "
                f"{', '.join(corpus.languages)}"
            )
        self._texts, self._language, self._copies = texts, corpus.languages.index(known), copies

    def batch(self, plan: Plan, shares: Shares, rank: int, overhead: int, token_limit: int | None) -> TeacherBatch:
        """The teacher's texts for one rank's share of a plan."""
        corpus, items = self._texts.corpus, plan.items // self._copies
        languages = np.full(len(items), self._language)
        queries, passages = (
            _FurtherTexts.of(table, items, languages, shares, rank) for table in (corpus.queries, corpus.passages)
        )
        chunks = self._texts.chunks(queries.rows, passages.rows, overhead, token_limit)
        return TeacherBatch(
            chunks.padded,
            chunks.query_chunks,
            chunks.workload,
            queries.placed(chunks.queries),
            passages.placed(chunks.passages),
        )


class BatchBuilder:
    """Turns plans into tokenised batches.

    teacher: what a teacher encodes for each batch; None: no teacher. excluded: passages that are never hard negatives.
    """

    def __init__(
        self, texts: TokenizedCorpus, teacher: TeacherTexts | None = None, excluded: HeldOutPassages | None = None
    ) -> None:
        self._texts, self._teacher, self._excluded = texts, teacher, excluded

    def __call__(
        self,
        plan: Plan,
        step: int,
        *,
        rank: int = 0,
        ranks: int = 1,
        overhead: int = OVERHEAD_ON_CPU,
        token_limit: int | None = None,
    ) -> Batch:
        """One rank's share: consecutive queries of the plan, their positives, and the hard negatives that exist in the
        language of the passage; with them translations and a teacher's texts, if the plan or the teacher asks for them.

        overhead, token_limit: see `length_sorted_chunks`.
        """
        corpus, teacher = self._texts.corpus, self._teacher
        shares = np.array_split(np.arange(len(plan.items)), ranks)
        texts = self._rank_texts(plan, shares, rank)
        chunks = self._texts.chunks(texts.query_rows, texts.passage_rows, overhead, token_limit)
        query_rows, translated_query_rows = np.split(chunks.queries, [len(texts.queries)])
        candidate_rows, translated_passage_rows = np.split(chunks.passages, [len(texts.candidates.rows)])
        return Batch(
            plan=plan,
            step=step,
            chunks=chunks.padded,
            query_chunks=chunks.query_chunks,
            queries=torch.from_numpy(query_rows),
            candidates=torch.from_numpy(candidate_rows),
            workload=chunks.workload,
            positive_keys=torch.from_numpy(corpus.passage_keys[plan.items]),
            candidate_keys=torch.from_numpy(texts.candidates.keys),
            query_counts=tuple(map(len, shares)),
            candidate_counts=texts.candidates.counts,
            translated_queries=_placed(texts.translated_queries, translated_query_rows),
            translated_passages=_placed(texts.translated_passages, translated_passage_rows),
            teacher_batch=None if teacher is None else teacher.batch(plan, shares, rank, overhead, token_limit),
        )

    def tokens(self, plan: Plan) -> int:
        """Tokens of the distinct texts of the global batch that the trained encoder encodes, as on a single rank."""
        texts = self._rank_texts(plan, [np.arange(len(plan.items))], 0)
        return self._texts.tokens(texts.query_rows, texts.passage_rows)

    def _rank_texts(self, plan: Plan, shares: Shares, rank: int) -> _RankTexts:
        queries = self._texts.corpus.queries[plan.items, plan.query_languages][shares[rank]]
        assert (queries != ABSENT).all(), "planned a query in a language that it does not exist in"
        return _RankTexts(queries, self._candidates(plan, shares, rank), *self._translations(plan, shares, rank))

    def _candidates(self, plan: Plan, shares: Shares, rank: int) -> _Candidates:
        corpus, cells = self._texts.corpus, (plan.items, plan.passage_languages)
        positives, positive_keys = corpus.passages[cells], corpus.passage_keys[plan.items]
        assert (positives != ABSENT).all(), "planned a passage in a language that it does not exist in"
        negatives, negative_keys = corpus.negatives[cells], corpus.negative_keys[cells]
        exists = negatives != ABSENT
        if self._excluded is not None:
            exists &= ~self._excluded(negatives, negative_keys)
        own = shares[rank]
        keys = [part for share in shares for part in (positive_keys[share], negative_keys[share][exists[share]])]
        return _Candidates(
            np.concatenate([positives[own], negatives[own][exists[own]]]),
            np.concatenate(keys),
            tuple(len(share) + int(exists[share].sum()) for share in shares),
        )

    def _translations(self, plan: Plan, shares: Shares, rank: int) -> tuple[_FurtherTexts | None, _FurtherTexts | None]:
        """The queries and the positives in the plan's further languages; None without such languages."""
        corpus = self._texts.corpus
        sides = (
            (corpus.queries, plan.query_translation_languages),
            (corpus.passages, plan.passage_translation_languages),
        )
        queries, passages = (
            None if languages is None else _FurtherTexts.of(table, plan.items, languages, shares, rank)
            for table, languages in sides
        )
        return queries, passages


@dataclass(frozen=True, slots=True)
class _Candidates:
    """rows: (c,) rows of `passage_texts`, of one rank. keys: (C,) of all ranks. counts: number on each rank."""

    rows: NDArray[np.int32]
    keys: NDArray[np.int64]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _RankTexts:
    """What one rank encodes: queries and candidates, and translations if the plan has some."""

    queries: NDArray[np.int32]
    candidates: _Candidates
    translated_queries: _FurtherTexts | None
    translated_passages: _FurtherTexts | None

    @property
    def query_rows(self) -> NDArray[np.int32]:
        """Rows of `query_texts`: the queries, then their translations."""
        return _concatenated(self.queries, self.translated_queries)

    @property
    def passage_rows(self) -> NDArray[np.int32]:
        """Rows of `passage_texts`: the candidates, then translations."""
        return _concatenated(self.candidates.rows, self.translated_passages)


@dataclass(frozen=True, slots=True)
class _FurtherTexts:
    """Texts for some of a rank's pairs, before they have a place in the chunks.

    rows: (v,) of the corpus's texts. pairs, counts: see `PairedTexts`.
    """

    rows: NDArray[np.int32]
    pairs: NDArray[np.int64]
    counts: tuple[int, ...]

    @classmethod
    def of(
        cls, table: NDArray[np.int32], items: NDArray[np.int64], languages: NDArray[np.int64], shares: Shares, rank: int
    ) -> _FurtherTexts:
        """Those texts of the items, in these languages, that exist. languages: (B,), ABSENT for no text."""
        texts = np.where(languages == ABSENT, ABSENT, table[items, languages])
        exists = texts != ABSENT
        own = shares[rank]
        pairs = np.flatnonzero(exists[own])
        return cls(texts[own][pairs], pairs, tuple(int(exists[share].sum()) for share in shares))

    def placed(self, rows: NDArray[np.int64]) -> PairedTexts:
        """With the rows of the texts in the concatenated chunks."""
        return PairedTexts(torch.from_numpy(rows), torch.from_numpy(self.pairs), self.counts)


def _concatenated(rows: NDArray[np.int32], further: _FurtherTexts | None) -> NDArray[np.int32]:
    return rows if further is None else np.concatenate([rows, further.rows])


def _placed(texts: _FurtherTexts | None, rows: NDArray[np.int64]) -> PairedTexts | None:
    return None if texts is None else texts.placed(rows)
