"""A benchmark from a table of pairs, as `corpus=table` has them: a question and its passage in a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from babelbatch.benchmarks.passages import QueryPassage, passage_benchmark
from babelbatch.records import Benchmark, LanguageCodes
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.columns import by_language, complete_columns
from babelbatch.sources.lines import Place, Record, id_in, text_in
from babelbatch.sources.tables import files_of, rows_of_files


def pairs_benchmark(
    path: str,
    candidates: str | None,
    columns: Mapping[str, str] | None,
    language: str | None,
    languages: Sequence[str] | None,
    pooled: bool,
    metric: str,
    bad: BadRows,
) -> Benchmark:
    """Candidates: the distinct passages of each language. A question's own passage is relevant, in every language that
    has the question, and so are those of the same passage_id, in any language. Questions with one passage or passage_id
    form a cluster.

    path: a table of the long form. candidates: a table whose passages are candidates too, and not its questions.
    columns: other names of id, language, question, passage and passage_id. The rest as in `table.load_benchmark`.
    bad: collects rows with a missing value, and a second row of one id and language.
    Raises ValueError, with file and line, for a row that cannot be read, a missing value, a row without a language and
    two rows of one id and language.
    """
    names = complete_columns(columns)
    if any(by_language(names[role]) for role in ("question", "passage")):
        raise ValueError(
            "columns: layout=pairs has a row for each language, so question and passage are one column each"
        )
    reader = _Reader({role: str(name) for role, name in names.items()}, language, bad)
    rows = [*reader.rows(path, questions=True)]
    if candidates is not None:
        rows += reader.rows(candidates, questions=False)
    bad.refuse()
    reader.codes.report()
    found = sorted({row.language for row in rows})
    for each in languages or ():
        if each not in found:
            raise ValueError(f"languages: there is nothing in '{each}'; there are: {', '.join(found)}")
    selected = tuple(languages or found)
    benchmark = passage_benchmark(
        "table",
        selected,
        (row for row in rows if row.language in selected),
        f"pairs of {Path(path).resolve().name}"
        + (f" and candidates of {Path(candidates).resolve().name}" if candidates else "")
        + ": candidate = passage, relevant = the question's own"
        + (" or with its passage_id" if any(row.answer is not None for row in rows) else "")
        + ", in every language",
        pooled,
    )
    return replace(benchmark, metric=metric, skipped_rows=bad.report("benchmark table"))


class _Reader:
    """Reads tables of pairs. columns: role -> name. language: of rows without one."""

    def __init__(self, columns: Mapping[str, str], language: str | None, bad: BadRows) -> None:
        self.codes = LanguageCodes("benchmark table")
        self._columns, self._language, self._bad = columns, language, bad
        self._first: dict[tuple[str, str], Place] = {}  # (id, language) of a question

    def rows(self, path: str, *, questions: bool) -> Iterator[QueryPassage]:
        for place, record in rows_of_files(files_of(path), self._bad):
            row = self._bad.attempt(place, partial(self._row, record, place, questions))
            if row is not None:
                yield row

    def _row(self, record: Record, place: Place, questions: bool) -> QueryPassage:
        passage = text_in(record, self._columns["passage"], place)
        answer = None
        if record.get(self._columns["passage_id"]) not in (None, ""):
            answer = id_in(record, self._columns["passage_id"], place)
        id_, question = None, ""
        if questions:
            question = text_in(record, self._columns["question"], place)
            id_ = f"{place.path.name}:{place.line}"
            if self._columns["id"] in record:
                id_ = id_in(record, self._columns["id"], place)
        language = self._language_of(record, place)
        if id_ is not None and (first := self._first.setdefault((id_, language), place)) is not place:
            raise ValueError(
                f"{place}: a second query '{id_}' in '{language}'; {first} has the first; give each its own id"
            )
        return QueryPassage(place, language, id_, question, passage, passage, answer)

    def _language_of(self, record: Record, place: Place) -> str:
        name = self._columns["language"]
        if name in record:
            return self.codes(text_in(record, name, place), place)
        if self._language is None:
            raise ValueError(
                f"{place}: it has no language; add a column '{name}', name yours in columns.language, or set "
                "language=en if all is in one"
            )
        return self.codes(self._language, "language")
