"""The texts that babelbatch-encode writes vectors of, and the vectors that it wrote of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from babelbatch.evaluation.encoding import Task
from babelbatch.progress import bar
from babelbatch.records import Benchmark, Corpus
from babelbatch.search.sharded_vectors import ShardedVectors, sets_in

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role


@dataclass(frozen=True, slots=True)
class TextSet:
    """Texts that are encoded in one role.

    name: of the folder with their vectors. task: selects the prompt of queries, see `encoding.Task`. ids: of the texts;
    None where they have none but their row.
    """

    name: str
    texts: Sequence[str]
    role: Role
    task: Task = None
    ids: Sequence[str] | None = None


def queries_of(benchmark: Benchmark) -> TextSet:
    """The queries of a benchmark."""
    task = benchmark.query_tasks or benchmark.name
    return TextSet(f"{benchmark.name}.queries", benchmark.query_texts, "query", task, benchmark.query_ids)


def candidates_of(benchmark: Benchmark) -> TextSet:
    """The candidates of a benchmark."""
    name = f"{benchmark.name}.passages"
    return TextSet(name, benchmark.candidate_texts, "passage", None, benchmark.candidate_ids)


def corpus_queries(corpus: Corpus) -> TextSet:
    """The distinct queries of a corpus."""
    return TextSet("corpus.queries", corpus.query_texts, "query", corpus.query_tasks())


def corpus_passages(corpus: Corpus) -> TextSet:
    """The distinct passages of a corpus."""
    return TextSet("corpus.passages", corpus.passage_texts, "passage")


def passages_to_search(texts: Sequence[str]) -> TextSet:
    """The passages of babelbatch-search."""
    return TextSet("passages", texts, "passage")


def encoder_digest(encoder: Encoder) -> str:
    """A digest of the weights, buffers, tokenizer, configuration and settings of an encoder."""
    from babelbatch.encoder import fingerprint, unstored_buffers_digest  # imports transformers

    return f"{fingerprint(encoder)} {unstored_buffers_digest(encoder)}"


def identity_of(texts: TextSet, encoder: Encoder, digest: str) -> str:
    """A digest of everything that vectors of the texts depend on, but for rounding. digest: of the encoder."""
    settings = encoder.settings
    tasks = repeat(texts.task) if texts.task is None or isinstance(texts.task, str) else iter(texts.task)
    found = hashlib.sha256(f"{digest} {texts.role} {len(texts.texts)}\n".encode())
    with bar(f"reading {texts.name}", len(texts.texts), "texts") as progress:
        for text, task in zip(texts.texts, tasks, strict=False):
            content = (settings.prefix(texts.role, task) + text).encode()
            found.update(f"{len(content)} ".encode() + content)
            progress.advance(1)
    return found.hexdigest()


def folders_in(setting: str | Sequence[str]) -> list[Path]:
    """The folders that a setting names, one or several."""
    return [Path(setting)] if isinstance(setting, str) else [Path(name) for name in setting]


def stored_vectors(
    folders: Sequence[Path], sets: Sequence[TextSet], encoder: Encoder
) -> Iterator[ShardedVectors | None]:
    """The vectors of each set that babelbatch-encode wrote into the folders; None for a set of queries that it did not.

    Raises ValueError if there are none of a set of passages, and as `ShardedVectors`.
    """
    digest, there = encoder_digest(encoder), sets_in(folders)
    for texts in sets:
        if texts.name in there:
            yield ShardedVectors([folder / texts.name for folder in folders], identity_of(texts, encoder, digest))
        elif texts.role == "query":
            yield None
        else:
            others = f"there are those of {', '.join(there)}" if there else "it is no folder of babelbatch-encode"
            raise ValueError(f"vectors: {', '.join(map(str, folders))} has no vectors of {texts.name}; {others}")
