"""A benchmark of questions and the passages that answer them, gathered from rows that hold one of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.records import Benchmark
from babelbatch.sources.lines import Place
from babelbatch.sources.squad import examples


@dataclass(frozen=True, slots=True)
class Asked:
    """A question in one language, and the passage that answers it.

    id: the same in every language. None: the passage is a candidate, and the question is not asked.
    key: equal for rows of one language with one passage; its first text counts.
    """

    place: Place
    language: str
    id: str | None
    question: str
    key: str
    passage: str


def own_paragraphs(path: Path, language: str) -> Iterator[Asked]:
    """The questions of a file of the SQuAD format, each with its whole context."""
    for example in examples(path):
        yield Asked(example.place, language, example.id, example.question, example.context, example.context)


def passage_benchmark(
    name: str, languages: Sequence[str], rows: Iterable[Asked], protocol: str, pooled: bool = True
) -> Benchmark:
    """The candidates of a language are its distinct passages. A question is answered by its passage, in every language
    that has the question.

    name, languages, protocol, pooled: as in `Benchmark`.
    ValueError, with both places: a question twice in a language.
    """
    column_of = {language: column for column, language in enumerate(languages)}
    candidates: dict[tuple[int, str], tuple[int, str]] = {}  # language and key -> row and text
    counts = [0] * len(languages)
    ids: list[str] = []
    questions: dict[tuple[str, int], tuple[str, Place]] = {}  # id and language -> text and place
    passages: list[tuple[int, str]] = []  # of each question, as in `candidates`
    answers: dict[str, list[int]] = {}
    for row in rows:
        column = column_of[row.language]
        candidate, _ = candidates.setdefault((column, row.key), (len(candidates), row.passage))
        if candidate == len(ids):
            ids.append(f"{row.language}_{counts[column]}")
            counts[column] += 1
        if row.id is None:
            continue
        if (earlier := questions.get((row.id, column))) is not None:
            raise ValueError(
                f"{row.place}: a second question '{row.id}' in '{row.language}'; {earlier[1]} has one already; give "
                "each its own id"
            )
        questions[row.id, column] = row.question, row.place
        answers.setdefault(row.id, []).append(candidate)
        passages.append((column, row.key))
    relevant = [sorted(answers[id_]) for id_, _ in questions]
    return Benchmark(
        name=name,
        languages=tuple(languages),
        query_ids=tuple(id_ for id_, _ in questions),
        query_texts=tuple(text for text, _ in questions.values()),
        query_languages=np.array([column for _, column in questions], np.int16),
        candidate_ids=tuple(ids),
        candidate_texts=tuple(text for _, text in candidates.values()),
        candidate_languages=np.array([column for column, _ in candidates], np.int16),
        relevant_offsets=np.cumsum([0, *map(len, relevant)]),
        relevant=np.array([candidate for rows_ in relevant for candidate in rows_], np.int64),
        protocol=protocol,
        pooled=pooled,
        clusters=joined_clusters([id_ for id_, _ in questions], passages),
        cluster_unit="passage",
    )
