"""Passages of any languages from a text file or a table, to be searched."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import LanguageCodes
from babelbatch.sources.bad_rows import BadRows, OnBadRow, usable_lines
from babelbatch.sources.lines import MissingColumn, Place, Record, suffix, text_in
from babelbatch.sources.records import is_table, records
from babelbatch.sources.tables import files_of

_LETTERS = 200  # of a text, that its script is read from


@dataclass(frozen=True, slots=True)
class Passages:
    """Texts and the language of each. language_of: (n,) int16, index into `languages`. by_script: whether no language
    is given, so that `languages` are the scripts that the texts are written in."""

    texts: tuple[str, ...]
    languages: tuple[str, ...]
    language_of: NDArray[np.int16]
    by_script: bool

    @property
    def shares(self) -> NDArray[np.float64]:
        """(languages,) share of each in the passages."""
        return np.bincount(self.language_of, minlength=len(self.languages)) / len(self.texts)


def read_passages(
    path: str,
    text_column: str,
    language_column: str,
    language: str | None,
    on_bad_row: OnBadRow = "error",
) -> Passages:
    """The passages of a file, of the tables in a folder, or of a file for each language (`wiki.{language}.txt`).

    JSON lines, CSV, TSV and Parquet files have a column for the text and perhaps one for the language; of any other
    file each line is a passage. A language in the name of a file takes precedence over one in a column, and that over
    `language`.
    on_bad_row: `error` refuses the passages with a list of the rows that cannot be used: an empty or missing text, a
        language that is no code, a line that is no JSON or not UTF-8. `skip` leaves them out, and lists them in the
        log.
    Raises ValueError, with file and line, for damage, for the rows of `on_bad_row`, and for a passage without a
    language where others have one.
    """
    bad = BadRows(on_bad_row)
    codes = LanguageCodes(path)
    texts: list[str] = []
    names: list[str | None] = []
    places: dict[bool, Place] = {}  # whether a language is given -> the first such row
    default = None if language is None else codes(language, "language")
    for file, of_file in _files(path):
        other = default if of_file is None else codes(of_file, file)
        for place, text, of_row in _rows(file, text_column, language_column, codes, bad):
            name = other if of_file else of_row or other
            texts.append(text)
            names.append(name)
            places.setdefault(name is not None, place)
    bad.refuse()
    if not texts:
        raise ValueError(f"passages: {path} has no passage; write one on each line")
    if len(places) == 2:
        raise ValueError(
            f"{places[False]}: no language, and others have one ({places[True]}); add it in the column "
            f"'{language_column}', or set language="
        )
    codes.report()
    bad.report("passages")
    by_script = False in places
    found = [script_of(text) for text in texts] if by_script else [str(name) for name in names]
    languages = tuple(sorted(set(found)))
    number = {name: row for row, name in enumerate(languages)}
    return Passages(tuple(texts), languages, np.array([number[name] for name in found], np.int16), by_script)


def script_of(text: str) -> str:
    """The script of most letters of a text, as Unicode names it, such as `Greek`; `no letters` without one."""
    letters = islice(filter(str.isalpha, text), _LETTERS)
    scripts = Counter(unicodedata.name(letter, "OTHER").partition(" ")[0].title() for letter in letters)
    return scripts.most_common(1)[0][0].replace("Cjk", "CJK") if scripts else "no letters"


def _files(path: str) -> Iterator[tuple[Path, str | None]]:
    """The files at a path, each with the language in its name, if the path is a pattern."""
    if "{language}" not in path:
        if not Path(path).exists():
            raise ValueError(f"passages: there is no file or folder '{path}'")
        yield from ((file, None) for file in files_of(path))
        return
    named = re.escape(path).replace(r"\{language\}", "(?P<language>[^/]+)", 1).replace(r"\{language\}", "(?P=language)")
    found = [
        (Path(file), match["language"])
        for file in sorted(glob.glob("*".join(glob.escape(part) for part in path.split("{language}"))))
        if (match := re.fullmatch(named, file))
    ]
    if not found:
        raise ValueError(f"passages: no file fits '{path}'; put a language where {{language}} is, such as en")
    yield from found


def _rows(
    file: Path, text_column: str, language_column: str, codes: LanguageCodes, bad: BadRows
) -> Iterator[tuple[Place, str, str | None]]:
    """Place, text and language of each row."""
    if not (is_table(file) or suffix(file) == ".json"):
        yield from ((place, text.strip(), None) for place, text in usable_lines(file, bad) if text.strip())
        return

    def row(place: Place, record: Record) -> tuple[str, str | None]:
        if text_column not in record:
            raise MissingColumn(
                f"{place}: no '{text_column}'; set text_column= to one of: {', '.join(map(str, record))}"
            )
        given = record.get(language_column) is not None
        language = codes(text_in(record, language_column, place), place) if given else None
        return text_in(record, text_column, place), language

    for place, record in records(file, bad):
        if (found := bad.attempt(place, partial(row, place, record))) is not None:
            yield place, *found
