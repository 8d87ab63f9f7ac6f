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
    """The contents of one training step: B items of a corpus, each with the languages of its query and passage.

    kind: `x_x` or `x_y`.
    items: (B,) int64 rows of the corpus. query_languages, passage_languages: (B,) int64.
    query_translation_languages, passage_translation_languages: (B,) int64, a second language of the same query and of
        the same passage, ABSENT where there is none; None: the objective compares no translations.
    part: name of the part of a mixture that the items come from.
    """

    kind: str
    items: np.ndarray
    query_languages: np.ndarray
    passage_languages: np.ndarray
    query_translation_languages: np.ndarray | None = None
    passage_translation_languages: np.ndarray | None = None
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

    chunks: tokenised by the teacher's tokenizer. query_chunks: see `Batch`.
    """

    chunks: tuple[Padded, ...]
    query_chunks: int
    queries: PairedTexts
    passages: PairedTexts

    def to(self, device: torch.device) -> TeacherBatch:
        chunks = tuple(chunk.to(device) for chunk in self.chunks)
        return TeacherBatch(chunks, self.query_chunks, self.queries.to(device), self.passages.to(device))


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
    real_tokens: tokens in the chunks without padding.
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
    real_tokens: int
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
            translated_queries=None if self.translated_queries is None else self.translated_queries.to(device),
            translated_passages=None if self.translated_passages is None else self.translated_passages.to(device),
            teacher_batch=None if self.teacher_batch is None else self.teacher_batch.to(device),
        )
