"""Your own queries and passages, from a table: JSON lines, CSV, TSV or Parquet, a folder of them, or the hub."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus, LanguageCodes, is_registered
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.columns import (
    LANGUAGE,
    WIDE,
    ColumnNames,
    Layout,
    by_language,
    complete_columns,
    find_layout,
    is_wide,
)
from babelbatch.sources.languages import chosen_languages
from babelbatch.sources.lines import MissingColumn, Place, Record, id_in, text_in, text_of
from babelbatch.sources.tables import HubTable, files_of, rows_of_files
from babelbatch.storage import file_signatures

log = logging.getLogger(__name__)

_SPLITS = {"dev", "val"}  # file names that are splits rather than the languages Domung and Vehes
_NUMBERED = re.compile(r".*[-_](?!419)\d{3}")  # en_001 is rather the first part of a table than English of the world
_READING = 2  # version: how columns are understood and rows are numbered


def load_corpus(
    path: str | None = None,
    hub: str | None = None,
    hub_config: str | None = None,
    split: str = "train",
    revision: str | None = None,
    columns: dict[str, str | dict[str, str]] | None = None,
    language: str | None = None,
    languages: list[str] | None = None,
    negatives: int | None = None,
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """Pairs from a table in one of two forms. Rows are read one at a time into the cache folder, once.

    Long: a row is one item in one language, with `question`, `passage` (or a list of passages, of which each makes an
        item, and none counts as wrong for another), and optionally `id` (the same for translations
        of a question; without it each row is a separate item), `language`, `passage_id` (the same for equivalent
        passages) and `negatives`: a list of texts, or columns `negative_1`, `negative_2` ...
    Wide: a row is one item, with a question and a passage column for each language. An empty cell is an absent text.

    Tables of FlagEmbedding (`query`, `pos`, `neg`) and of sentence-transformers (`anchor`, `positive`, `negative`;
    `sentence1`, `sentence2`, `label` or `score`) are read in the long form. Of rows with a label, those with 0 are left
    out. Negatives in `neg` or `negative` are read beside other names, too.

    path: a file, or a folder of files. hub: instead of a path, a data set that `datasets` loads.
    hub_config, split, revision: of the data set of the hub.
    columns: the names of columns where they differ from those above: `{question: query}`; for the wide form a pattern,
        `{question: "question_{language}", passage: "passage_{language}"}`, or a column for each language, `{question:
        {en: query, de: frage}, passage: {en: text, de: antwort}}`.
    language: of all rows, if there is no column of languages. A separate file for each language needs neither: its name
        is then the language (`de.jsonl`).
    languages: only these; default all, in the order of their first rows. Codes are read in any spelling, see
        `records.canonical_language`.
    negatives: the first so many of each item and language; default all.
    on_bad_row: `error` refuses the table with a list of the rows that cannot be used: a missing value, an empty text,
        a second row of one id and language, a line that is no JSON. `skip` leaves them out, and lists them in the log
        and in metrics.json.
    Raises ValueError, with file and line, for a file that cannot be read, and for the rows of `on_bad_row`.
    """
    if (path is None) == (hub is None):
        raise ValueError("corpus=table: set either path, to a file or folder, or hub, to a data set of the hub")
    codes = LanguageCodes("corpus table")
    languages = chosen_languages(languages)
    language = None if language is None else codes(language, "language")
    reader = _Reader(complete_columns(columns), frozenset(columns or ()), language, languages, codes)
    inputs: dict[str, object] = {
        "columns": reader.columns, "given": sorted(reader.given), "language": language, "languages": languages,
        "negatives": negatives, "on_bad_row": on_bad_row, "reading": _READING,
    }  # fmt: skip
    bad = BadRows(on_bad_row)
    if path is not None:
        files = files_of(path)
        inputs["files"] = file_signatures(files)
        rows: Callable[[], Iterator[tuple[Place, Record]]] = partial(rows_of_files, files, bad)
    else:
        assert hub is not None
        table = HubTable(hub, hub_config, split, revision)
        inputs["hub"] = [hub, hub_config, split, revision, table.version()]
        rows = table.rows
    return stored_corpus("table", inputs, lambda folder: _build(folder, rows, reader, negatives, bad))


def _build(
    folder: Path,
    rows: Callable[[], Iterator[tuple[Place, Record]]],
    reader: _Reader,
    negatives: int | None,
    bad: BadRows,
) -> tuple[str, ...]:
    with Assembly(folder, reader.languages, bad) as assembly:
        for place, record in rows():
            for add in bad.attempt(place, partial(reader.additions, place, record, assembly)) or ():
                add()
        bad.refuse()
        missing = [language for language in assembly.languages if language not in reader.seen]
        if missing or not reader.seen:
            found = ", ".join(sorted(reader.seen | reader.left_out)) or "none"
            raise ValueError(f"languages: no row is in '{', '.join(missing)}'; the table has: {found}")
        if reader.unpaired:
            log.info("corpus table: %s rows with label 0 are no pairs, and are left out", f"{reader.unpaired:,}")
        if reader.of_files:
            log.info("corpus table: no column of languages; by the names of the files: %s", ", ".join(reader.of_files))
        reader.codes.report()
        assembly.finish(negatives)
        return assembly.languages


class _Reader:
    """Adds the rows of a table to an assembly.

    seen, left_out: the languages of its rows, selected ones and others. of_files: those that file names say.
    """

    def __init__(
        self,
        columns: Mapping[str, ColumnNames],
        given: frozenset[str],
        language: str | None,
        languages: list[str] | None,
        codes: LanguageCodes,
    ) -> None:
        self.columns, self.given, self.languages = dict(columns), given, languages
        self.codes = codes
        self.unpaired = 0  # rows whose label says that question and passage do not belong together
        self.seen: set[str] = set()
        self.left_out: set[str] = set()
        self.of_files: dict[str, None] = {}
        self._language = language
        self._first: Layout | None = None
        self._wide = by_language(self.columns["question"])
        self._layout = cache(self._new_layout)

    def additions(self, place: Place, record: Record, assembly: Assembly) -> list[Callable[[], None]]:
        """What adds the texts of a row to the assembly, after all of the row has been checked."""
        found: list[Callable[[], None]] = []
        try:
            columns = self._layout(tuple(record))
        except KeyError as missing:
            remedy = "name the right one in columns, such as columns.question=query"
            if not self._wide and is_wide(tuple(record)):
                patterns = ", ".join(f'{role}: "{pattern}"' for role, pattern in WIDE.items())
                remedy = f"there is a column for each language: set columns to '{{{patterns}}}'"
            raise MissingColumn(
                f"{place}: no column '{missing.args[0]}'; there are: {', '.join(record)}; {remedy}"
            ) from None
        self._first = self._first or columns
        for role in ("id", "language"):
            if getattr(columns, role) is None and getattr(self._first, role) is not None:
                raise ValueError(f"{place}: no '{getattr(self._first, role)}', which the first row has; add it")
        if columns.label is not None and not _belongs_together(record[columns.label], columns.label, place):
            self.unpaired += 1
            return found
        id_ = f"{place.path.name}:{place.line}" if columns.id is None else id_in(record, columns.id, place)
        key = None
        if columns.passage_id is not None and record[columns.passage_id] not in (None, ""):
            key = id_in(record, columns.passage_id, place)
        if self._wide:
            self._add_wide(place, record, columns, id_, key, assembly, found)
        else:
            language = self._language_of(place, record, columns)
            if self._is_selected(language):
                text = text_in(record, columns.questions[None], place)
                found.append(partial(assembly.query, id_, language, text, place.path, place.line))
                texts = _passages(record, columns.passages[None], place)
                if len(texts) > 1 and key is None:
                    key = f"{place.path.name}:{place.line}"
                for number, passage in enumerate(texts, start=1):
                    item = id_ if number == 1 else f"{id_}#{number}"
                    if number > 1:
                        found.append(partial(assembly.query, item, language, text, place.path, place.line))
                    found.append(partial(assembly.passage, item, language, passage, place.path, place.line, key))
                    self._add_negatives(place, record, columns.negatives.get(None, ()), item, language, assembly, found)
        return found

    def _add_wide(
        self,
        place: Place,
        record: Record,
        columns: Layout,
        id_: str,
        key: str | None,
        assembly: Assembly,
        found: list[Callable[[], None]],
    ) -> None:
        texts = {
            role: {language: text for language, name in names.items() if (text := _optional(record, name, place))}
            for role, names in (("question", columns.questions), ("passage", columns.passages))
        }
        for role, of_role in texts.items():
            if not of_role:
                names = (columns.questions if role == "question" else columns.passages).values()
                raise ValueError(
                    f"{place}: no {role} in any language ({', '.join(names)}); write one, or remove the row"
                )
        for language, text in texts["question"].items():
            assert language is not None, "the layout is wide"
            language = self.codes(language, place)
            if self._is_selected(language):
                found.append(partial(assembly.query, id_, language, text, place.path, place.line))
        for language, text in texts["passage"].items():
            assert language is not None, "the layout is wide"
            wrong = columns.negatives.get(language, ())
            language = self.codes(language, place)
            if self._is_selected(language):
                found.append(partial(assembly.passage, id_, language, text, place.path, place.line, key))
                self._add_negatives(place, record, wrong, id_, language, assembly, found)

    def _add_negatives(
        self,
        place: Place,
        record: Record,
        names: tuple[str, ...],
        id_: str,
        language: str,
        assembly: Assembly,
        found: list[Callable[[], None]],
    ) -> None:
        for name in names:
            for text in _texts(record, name, place):
                found.append(partial(assembly.negative, id_, language, text, place.path, place.line))

    def _is_selected(self, language: str) -> bool:
        selected = self.languages is None or language in self.languages
        (self.seen if selected else self.left_out).add(language)
        return selected

    def _language_of(self, place: Place, record: Record, columns: Layout) -> str:
        if columns.language is not None:
            return self.codes(text_in(record, columns.language, place), place)
        if self._language is not None:
            return self._language
        language = place.path.name.partition(".")[0]
        if not _is_language(language):
            raise MissingColumn(
                f"{place}: no column '{self.columns['language']}'; there are: {', '.join(record)}; name it in "
                "columns.language, set language=en if all rows are in one, or give each language a file: en.jsonl"
            )
        self.of_files[found := self.codes(language, place)] = None
        return found

    def _new_layout(self, names: tuple[str, ...]) -> Layout:
        return find_layout(names, self.columns, self.given)


def _is_language(name: str) -> bool:
    """Whether a file of this name has the rows of a language: `de`, but not `en_train`, `qa` or `en_001`."""
    of_form = re.fullmatch(LANGUAGE, name) and name not in _SPLITS and not _NUMBERED.fullmatch(name)
    try:
        return bool(of_form) and is_registered(name)
    except ValueError:
        return False


def _optional(record: Record, column: str, place: Place) -> str | None:
    value = record[column]
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return text_of(value, f"'{column}'", place)


def _passages(record: Record, column: str, place: Place) -> list[str]:
    """The relevant passages in a cell: a text, or a list of them."""
    value = record[column]
    if not isinstance(value, list):
        return [text_in(record, column, place)]
    if not value:
        raise ValueError(f"{place}: '{column}' is empty; write a passage, or remove the row")
    return list(dict.fromkeys(text_of(text, f"'{column}'", place) for text in value))


def _belongs_together(value: object, column: str, place: Place) -> bool:
    text = str(value).lower()
    if text in {"1", "1.0", "true"}:
        return True
    if text in {"0", "0.0", "false"}:
        return False
    raise ValueError(
        f"{place}: '{column}' is {str(value)[:20]}, neither 1 (a pair) nor 0; keep the rows that are pairs, without "
        f"the column '{column}'"
    )


def _texts(record: Record, column: str, place: Place) -> list[str]:
    """The negatives in a cell: a list of texts, or one text, or nothing."""
    value = record.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str):
        if value.lstrip().startswith("[") and value.rstrip().endswith("]"):
            raise ValueError(
                f"{place}: '{column}' is a list written as a text; give each negative its own column, negative_1, "
                "negative_2 ..., or write JSON lines"
            )
        return [text_of(value, f"'{column}'", place)]
    if not isinstance(value, list):
        raise ValueError(f"{place}: '{column}' is {str(value)[:40]}, neither a list of texts nor a text")
    return [text_of(text, f"'{column}'", place) for text in value]
