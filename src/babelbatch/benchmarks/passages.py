"""A benchmark from rows of a query and its relevant passage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.records import Benchmark, SkippedRows
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import Place
from babelbatch.sources.squad import examples


@dataclass(frozen=True, slots=True)
class QueryPassage:
    """A query in one language, and its relevant passage.

    id: the same in every language. None: the passage is a candidate, and there is no query.
    key: equal for rows of one language with one passage; the text of the first such row is used.
    answer: equal for passages that answer the same thing; None: the passage does so alone.
    """

    place: Place
    language: str
    id: str | None
    query: str
    key: str
    passage: str
    answer: str | None = None


def own_paragraphs(path: Path, language: str, bad: BadRows) -> Iterator[QueryPassage]:
    """The queries of a file of the SQuAD format, each with its whole context. bad: as in `examples`."""
    for example in examples(path, bad=bad):
        yield QueryPassage(example.place, language, example.id, example.question, example.context, example.context)


def passage_benchmark(
    name: str,
    languages: Sequence[str],
    rows: Iterable[QueryPassage],
    protocol: str,
    pooled: bool = True,
    bad: BadRows | None = None,
) -> Benchmark:
    """Candidates: the distinct passages of each language. A query's passage is relevant, in every language that has the
    query, and so are those with its `answer`, in any language.

    name, languages, protocol, pooled: as in `Benchmark`. bad: has the rows that the reader leaves out, and collects
    those whose query id occurs twice in a language.
    Raises ValueError, with both places, for such rows without `bad`.
    """
    column_of = {language: column for column, language in enumerate(languages)}
    candidates: dict[tuple[int, str], tuple[int, str]] = {}  # language and key -> row and text
    counts = [0] * len(languages)
    ids: list[str] = []
    queries: dict[tuple[str, int], tuple[str, Place]] = {}  # id and language -> text and place
    passages: list[tuple[int, str]] = []  # of each query, as in `candidates`
    asked: list[str | None] = []  # the answer of each query
    same: dict[str, set[int]] = {}  # answer -> candidates
    answers: dict[str, set[int]] = {}
    for row in rows:
        column = column_of[row.language]
        if row.id is not None and (earlier := queries.get((row.id, column))) is not None:
            message = (
                f"{row.place}: a second query '{row.id}' in '{row.language}'; {earlier[1]} has the first; give each "
                "its own id"
            )
            if bad is None:
                raise ValueError(message)
            bad.add(message)
            continue
        candidate, _ = candidates.setdefault((column, row.key), (len(candidates), row.passage))
        if candidate == len(ids):
            ids.append(f"{row.language}_{counts[column]}")
            counts[column] += 1
        if row.answer is not None:
            same.setdefault(row.answer, set()).add(candidate)
        if row.id is None:
            continue
        queries[row.id, column] = row.query, row.place
        answers.setdefault(row.id, set()).add(candidate)
        passages.append((column, row.key))
        asked.append(row.answer)
    if bad is not None:
        bad.refuse()
    for (id_, _), answer in zip(queries, asked, strict=True):
        if answer is not None:
            answers[id_] |= same[answer]
    query_ids = [id_ for id_, _ in queries]
    # A query has two sources, its passage and its answer, and shares a cluster through either.
    of_query = zip(passages, asked, strict=True)
    sources = [passage if answer is None else ("answer", answer) for passage, answer in of_query]
    clusters = joined_clusters([*query_ids, *query_ids], [*passages, *sources])[: len(query_ids)]
    relevant = [sorted(answers[id_]) for id_, _ in queries]
    return Benchmark(
        name=name,
        languages=tuple(languages),
        query_ids=tuple(id_ for id_, _ in queries),
        query_texts=tuple(text for text, _ in queries.values()),
        query_languages=np.array([column for _, column in queries], np.int16),
        candidate_ids=tuple(ids),
        candidate_texts=tuple(text for _, text in candidates.values()),
        candidate_languages=np.array([column for column, _ in candidates], np.int16),
        relevant_offsets=np.cumsum([0, *map(len, relevant)]),
        relevant=np.array([candidate for rows_ in relevant for candidate in rows_], np.int64),
        protocol=protocol,
        pooled=pooled,
        clusters=clusters,
        cluster_unit="passage",
        skipped_rows=SkippedRows() if bad is None else bad.report(f"benchmark {name}"),
    )
