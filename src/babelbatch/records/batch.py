"""What one training step holds: its plan, and the tokenised batch of one rank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Plan:
    """The contents of one training step: B items of a corpus, each with the languages of its query and passage.

    kind: `x_x` or `x_y`.
    items: (B,) int64 rows of the corpus. query_languages, passage_languages: (B,) int64.
    query_translation_languages, passage_translation_languages: (B,) int64, a second language of the same query and of
        the same passage, ABSENT where there is none; None: the objective compares no translations.
    part: name of the part of a mixture that the items come from.
    """

    kind: str
    items: npt.NDArray[np.int64]
    query_languages: npt.NDArray[np.int64]
    passage_languages: npt.NDArray[np.int64]
    query_translation_languages: npt.NDArray[np.int64] | None = None
    passage_translation_languages: npt.NDArray[np.int64] | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class BatchRequirements:
    """What an objective requires of a batch, beside queries and candidates.

    query_translations, passage_translations: each query, each positive in a second language, where its item has one.
    teacher_language: the language in which a teacher encodes each query and positive; None: there is no teacher.
    """

    query_translations: bool = False
    passage_translations: bool = False
    teacher_language: str | None = None


@dataclass(frozen=True, slots=True)
class Padded:
    """A matrix of token ids, (rows, longest row), and the mask of the real ones."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor

    def to(self, device: torch.device) -> Padded:
        return Padded(self.input_ids.to(device), self.attention_mask.to(device))


@dataclass(frozen=True, slots=True)
class Workload:
    """What an encoder computes for some texts: numbers that determine the cost and add up over batches.

    texts: distinct texts. real_tokens: their tokens. padded_tokens: tokens of their chunks, padding included.
    real_pairs, padded_pairs: ordered pairs of tokens in one text, that is the sum of the squared lengths, without and
        with padding; attention computes a score for each.
    """

    texts: int
    real_tokens: int
    padded_tokens: int
    real_pairs: int
    padded_pairs: int


@dataclass(frozen=True, slots=True)
class PairedTexts:
    """Further texts for some of a rank's query-passage pairs: translations, or what a teacher encodes.

    rows: (v,) int64, row of each text in the concatenated chunks. pairs: (v,) int64, the rank's pair that each text
    belongs to, ascending. counts: number of such texts on each rank.
    """

    rows: torch.Tensor
    pairs: torch.Tensor
    counts: tuple[int, ...]

    def to(self, device: torch.device) -> PairedTexts:
        return PairedTexts(self.rows.to(device), self.pairs.to(device), self.counts)


@dataclass(frozen=True, slots=True)
class TeacherBatch:
    """Input of a teacher: a rank's queries and positives in the teacher's language, where their items have one.

    chunks: tokenised by the teacher's tokenizer. query_chunks, workload: see `Batch`.
    """

    chunks: tuple[Padded, ...]
    query_chunks: int
    workload: Workload
    queries: PairedTexts
    passages: PairedTexts

    def to(self, device: torch.device) -> TeacherBatch:
        chunks = tuple(chunk.to(device) for chunk in self.chunks)
        queries, passages = self.queries.to(device), self.passages.to(device)
        return TeacherBatch(chunks, self.query_chunks, self.workload, queries, passages)


@dataclass(frozen=True, slots=True)
class Batch:
    """One tokenised training step: one rank's share, with the keys and counts of the global batch.

    The global batch has B queries and C >= B candidates. Rank r has query_counts[r] of the queries, in order, and
    candidate_counts[r] of the candidates: the positives of its queries in their order, then their hard negatives.

    plan, step: the global plan and its step.
    chunks: the rank's distinct texts, each once, one forward pass a chunk, sorted by length. If both towers share
        their weights, a chunk may mix queries and passages; else the query chunks come first. query_chunks: how many
        chunks the query tower encodes; the passage tower encodes the rest.
    queries, candidates: (b,) and (c,) int64, row of each text of the rank in the concatenated chunks.
    workload: what the chunks cost the encoder.
    positive_keys: (B,) int64, the passage key of each query's positive. candidate_keys: (C,) int64. Both global, in
        the order of the ranks.
    translated_queries, translated_passages: translations, in the languages that the plan names, within the chunks.
    teacher_batch: what a teacher encodes.
    """

    plan: Plan
    step: int
    chunks: tuple[Padded, ...]
    query_chunks: int
    queries: torch.Tensor
    candidates: torch.Tensor
    workload: Workload
    positive_keys: torch.Tensor
    candidate_keys: torch.Tensor
    query_counts: tuple[int, ...]
    candidate_counts: tuple[int, ...]
    translated_queries: PairedTexts | None = None
    translated_passages: PairedTexts | None = None
    teacher_batch: TeacherBatch | None = None

    @property
    def kind(self) -> str:
        """`x_x` or `x_y`."""
        return self.plan.kind

    def to(self, device: torch.device) -> Batch:
        return replace(
            self,
            chunks=tuple(chunk.to(device) for chunk in self.chunks),
            queries=self.queries.to(device),
            candidates=self.candidates.to(device),
            positive_keys=self.positive_keys.to(device),
            candidate_keys=self.candidate_keys.to(device),
            translated_queries=None if self.translated_queries is None else self.translated_queries.to(device),
            translated_passages=None if self.translated_passages is None else self.translated_passages.to(device),
            teacher_batch=None if self.teacher_batch is None else self.teacher_batch.to(device),
        )
