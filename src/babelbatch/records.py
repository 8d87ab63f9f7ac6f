"""The vocabulary that crosses module borders. Frozen, typed, no imports from the rest of the package."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

ABSENT = -1
"""Marks a text that an item does not have in a language."""

_HASHED_ROWS = 1 << 18


def _fingerprint(record: object) -> str:
    """SHA-256 over every field of a dataclass of strings, sequences of strings and arrays, first 16 hex digits."""
    digest = hashlib.sha256()
    for part in fields(record):  # type: ignore[arg-type]
        value = getattr(record, part.name)
        if (
            not part.metadata.get("fingerprint", True) or value is None
        ):  # most corpora are no mixture, most benchmarks have no gains
            continue
        digest.update(part.metadata.get("hashed_as", part.name).encode() + b"\0")  # as earlier versions named it
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            for rows in np.split(value, range(_HASHED_ROWS, len(value), _HASHED_ROWS)):  # it may be mapped, and huge
                digest.update(np.ascontiguousarray(rows).tobytes())
        elif isinstance(value, (str, Mixture)):
            digest.update(str(value).encode() + b"\0")
        else:
            for text in value:
                digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a corpus was put together from: P corpora, each of them consecutive items.

    names: P distinct names. starts: P first items, ascending from 0.
    exponent: a batch is of a part with probability proportional to n ** exponent, of n items that it can draw from.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]
    exponent: float

    def spans(self, items: int) -> list[tuple[str, int, int]]:
        """Name, first item and the one behind the last of each part, of `items` in all."""
        return list(zip(self.names, self.starts, (*self.starts[1:], items), strict=True))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Question-passage pairs for training, parallel over languages as far as the data goes.

    N items, L languages. Item n is one question with its passage, in every language that the source has it in.

    languages: L ISO codes; a language is an index into this tuple everywhere else.
    ids: N names, for messages and logs.
    query_texts, passage_texts: the distinct texts; of a mixture, distinct within each part. These and the arrays may
        be on disk (`stored_corpus.py`).
    queries: (N, L) int32, row of `query_texts`, or ABSENT.
    passages: (N, L) int32, row of `passage_texts`, or ABSENT.
    passage_keys: (N,) int64. Two items share a key if their passages answer the same thing, in whatever language.
    negatives: (N, L, H) int32, hard negatives to be trained on with the passage in that language, which is mostly
        theirs too: row of `passage_texts`, or ABSENT. H may be 0.
    negative_keys: (N, L, H) int64, the passage key of each hard negative, or ABSENT for a passage that no item has.
    mixture: the parts that batches are drawn from, one part a batch; None for a corpus of one piece.
    """

    name: str
    languages: tuple[str, ...]
    ids: Sequence[str]
    query_texts: Sequence[str] = field(metadata={"hashed_as": "question_texts"})
    passage_texts: Sequence[str]
    queries: np.ndarray = field(metadata={"hashed_as": "questions"})
    passages: np.ndarray
    passage_keys: np.ndarray = field(metadata={"hashed_as": "keys"})
    negatives: np.ndarray
    negative_keys: np.ndarray
    mixture: Mixture | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fingerprint(self) -> str:
        """Changes with any text, id, language or relation."""
        return _fingerprint(self)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An evaluation set: queries, one pool of candidates in all languages, and which candidates answer which query.

    Q queries, C candidates. A query in two languages is two rows with one id.

    query_ids: Q ids, the same in every language.
    candidate_ids: C distinct ids; ties in score are broken by them, as trec_eval does. They and the texts may be on
        disk (`stored_benchmark.py`).
    query_languages, candidate_languages: (Q,) and (C,) int16, index into `languages`.
    relevant_offsets, relevant: the qrels in CSR form; query q is answered by the candidates
        `relevant[relevant_offsets[q]:relevant_offsets[q + 1]]` (rows, in all languages).
    protocol: what a candidate is and where it came from, in one line; runs are comparable only if it is equal.
    gains: of each of `relevant`, above 0: what it gains nDCG. None: 1 each.
    pooled: whether the candidates of all languages are one pool, over which the multilingual setting ranks. False where
        queries are judged in their own language only: what answers them in another one would count as wrong.
    parts: (C,) int16. Candidates of one language in different parts are not ranked together: a query is ranked among
        those of the language and the part of what answers it. None: a language is one part. Not where `pooled`.
    metric: the one to read first, a name of `metrics.NAMES`; tables, maps and the report show it.
    clusters: (Q,) int32. Queries with equal numbers are about one article, passage or subject, so their scores are not
        independent; statistics resample whole clusters. Rows with one query id share a cluster. None: a query id is a
        cluster by itself.
    cluster_unit: what a cluster is, in the singular, as the report names it: `article`, `passage`, `subject`.
    """

    name: str
    languages: tuple[str, ...]
    query_ids: tuple[str, ...]
    query_texts: tuple[str, ...]
    query_languages: np.ndarray
    candidate_ids: Sequence[str]
    candidate_texts: Sequence[str]
    candidate_languages: np.ndarray
    relevant_offsets: np.ndarray
    relevant: np.ndarray
    protocol: str
    gains: np.ndarray | None = None
    pooled: bool = field(default=True, metadata={"fingerprint": False})
    parts: np.ndarray | None = None
    metric: str = field(default="map", metadata={"fingerprint": False})
    clusters: np.ndarray | None = field(default=None, metadata={"fingerprint": False})
    cluster_unit: str = field(default="query", metadata={"fingerprint": False})

    def __post_init__(self) -> None:
        # Ids on disk were compared when they were written; there may be a hundred million of them.
        if isinstance(self.candidate_ids, tuple) and len(set(self.candidate_ids)) < len(self.candidate_ids):
            twice = next(id_ for id_, count in Counter(self.candidate_ids).items() if count > 1)
            raise ValueError(f"benchmark {self.name}: candidate id '{twice}' occurs twice; ids must be unique")
        assert self.parts is None or not self.pooled, "a pool of all languages has no parts"
        assert self.clusters is None or len(set(zip(self.query_ids, self.clusters.tolist(), strict=True))) == len(
            set(self.query_ids)
        ), "rows with one query id share a cluster"
        unanswered = np.flatnonzero(np.diff(self.relevant_offsets) == 0)
        if len(unanswered):
            raise ValueError(
                f"benchmark {self.name}: query '{self.query_ids[unanswered[0]]}' has no relevant candidate "
                f"({len(unanswered)} such); remove it or add its answer"
            )

    @property
    def fingerprint(self) -> str:
        """Changes with any text, id, language, relevance judgement or the protocol."""
        return _fingerprint(self)

    @property
    def cluster_numbers(self) -> np.ndarray:
        """(Q,) int32, the cluster of each query: `clusters`, or where there are none a number for each query id."""
        if self.clusters is not None:
            return self.clusters
        number = {id_: row for row, id_ in enumerate(dict.fromkeys(self.query_ids))}
        return np.array([number[id_] for id_ in self.query_ids], np.int32)

    @property
    def cells(self) -> np.ndarray:
        """(C,) int64, equal for candidates that are ranked together within a language; ascending with the language."""
        languages = self.candidate_languages.astype(np.int64)
        return languages if self.parts is None else languages * (int(self.parts.max()) + 1) + self.parts


@dataclass(frozen=True, slots=True)
class Plan:
    """What one training step holds: B items of a corpus, each with the languages of its question and passage.

    kind: `x_x` or `x_y`.
    items: (B,) int64 rows of the corpus. query_languages, passage_languages: (B,) int64.
    other_query_languages, other_passage_languages: (B,) int64, one more language of the same question and passage,
        ABSENT where there is none; None: the step needs no translations.
    part: the part of a mixture that the items are of.
    """

    kind: str
    items: np.ndarray
    query_languages: np.ndarray
    passage_languages: np.ndarray
    other_query_languages: np.ndarray | None = None
    other_passage_languages: np.ndarray | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What an objective asks of a batch, beside questions and candidates.

    queries, passages: each question, each positive in one more language, where the item has it in one.
    taught_language: the language that a teacher reads each question and positive in, or None for no teacher.
    """

    queries: bool = False
    passages: bool = False
    taught_language: str | None = None


@dataclass(frozen=True, slots=True)
class Padded:
    """A matrix of token ids, (rows, longest row), and the mask of the real ones."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor

    def to(self, device: torch.device) -> Padded:
        return Padded(self.input_ids.to(device), self.attention_mask.to(device))


@dataclass(frozen=True, slots=True)
class Versions:
    """The questions, or the positives, of some of a rank's pairs in another language.

    rows: (v,) int64, where each is in the chunks laid end to end. pairs: (v,) int64, which of the rank's pairs it
    belongs to, ascending. counts: how many each rank holds.
    """

    rows: torch.Tensor
    pairs: torch.Tensor
    counts: tuple[int, ...]

    def to(self, device: torch.device) -> Versions:
        return Versions(self.rows.to(device), self.pairs.to(device), self.counts)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher reads: a rank's questions and positives in its language, as far as the items have them in it, in
    chunks of its own tokens. query_chunks: as `Batch` has it."""

    chunks: tuple[Padded, ...]
    query_chunks: int
    queries: Versions
    passages: Versions

    def to(self, device: torch.device) -> Lesson:
        chunks = tuple(chunk.to(device) for chunk in self.chunks)
        return Lesson(chunks, self.query_chunks, self.queries.to(device), self.passages.to(device))


@dataclass(frozen=True, slots=True)
class Batch:
    """One training step, tokenised: the share of one rank, and what it must know about the global batch.

    The global batch has B questions and C >= B candidates. Rank r holds query_counts[r] of the questions, in order,
    and candidate_counts[r] of the candidates: the positives of its questions in their order, then their hard negatives.

    plan, step: the global plan, and the step that it was made for.
    chunks: the rank's distinct texts, each once, in forward passes of like length: of both roles together where they
        share their weights, else first the questions' and then the candidates'. query_chunks: how many chunks the
        encoder's question tower takes; the rest are the passage tower's.
    queries, candidates: (b,) and (c,) int64, where each text of the rank is in the chunks laid end to end.
    real_tokens: tokens in the chunks without padding.
    positive_keys: (B,) int64, the passage key of each question's positive. candidate_keys: (C,) int64. Both global,
        rank after rank.
    other_queries, other_passages: in another language, as the plan says; among the chunks. lesson: for a teacher.
    """

    plan: Plan
    step: int
    chunks: tuple[Padded, ...]
    query_chunks: int
    queries: torch.Tensor
    candidates: torch.Tensor
    real_tokens: int
    positive_keys: torch.Tensor
    candidate_keys: torch.Tensor
    query_counts: tuple[int, ...]
    candidate_counts: tuple[int, ...]
    other_queries: Versions | None = None
    other_passages: Versions | None = None
    lesson: Lesson | None = None

    @property
    def kind(self) -> str:
        """`x_x` or `x_y`."""
        return self.plan.kind

    @property
    def padded_tokens(self) -> int:
        """Tokens that the encoder works on, padding included."""
        return sum(chunk.input_ids.numel() for chunk in self.chunks)

    def to(self, device: torch.device) -> Batch:
        return replace(
            self,
            chunks=tuple(chunk.to(device) for chunk in self.chunks),
            queries=self.queries.to(device),
            candidates=self.candidates.to(device),
            positive_keys=self.positive_keys.to(device),
            candidate_keys=self.candidate_keys.to(device),
            other_queries=None if self.other_queries is None else self.other_queries.to(device),
            other_passages=None if self.other_passages is None else self.other_passages.to(device),
            lesson=None if self.lesson is None else self.lesson.to(device),
        )
