"""The queries of a search: of the command line, typed at the terminal, or piped in."""

from __future__ import annotations

import io
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence

from babelbatch.records import find_language

PROMPT = "query> "

_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Categories of Unicode: control and format characters, blanks."""


def given_queries(
    query: str | None, language: str | None, languages: Sequence[str], *, debias: str
) -> Iterator[tuple[str, str | None]]:
    """Yields each query with its language: that of the command line, else what is typed at the terminal or piped in.

    `:el` sets the language of the queries that follow. An empty line at the terminal ends; blank lines of a pipe are
    skipped. language: of the first queries. languages: of the passages. Raises ValueError for a line that cannot be
    searched for; at the terminal the reason is printed, and the next line is read.
    """
    if query is not None:
        yield query, language
        return
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # what is not UTF-8 is refused with its line
    if sys.stdin.isatty():
        import readline  # noqa: F401 - line editing and history for `input`

        print("A question in any language; an empty line ends.", end="")
        print(" :el says that the next ones are in el." if debias != "none" else "")
    for line in iter(_read_line, ""):
        try:
            refuse_unreadable(line)
            if re.fullmatch(r":\S+", line) and debias == "none":
                raise ValueError(f"{line} would set the language of the questions, which only debias= uses")
            if line.startswith(":") and debias != "none":
                language = known_language(line[1:].strip(), languages)
            elif debias != "none" and language is None:
                raise ValueError(f"query_language: debias={debias} needs it; type : and a language, such as :el")
            else:
                yield line, language
        except ValueError as error:
            if not sys.stdin.isatty():
                raise
            print(error)


def known_language(language: str | None, languages: Sequence[str]) -> str | None:
    """The language of the passages that a code means. Raises ValueError if they have none."""
    found = None if language is None else find_language(language, languages)
    if language is not None and found is None:
        raise ValueError(
            f"query_language: no passage is in '{language}', so there is nothing to fit debias on; there are: "
            f"{', '.join(languages)}"
        )
    return found


def refuse_unreadable(query: str) -> None:
    """Raises ValueError for a query without a character that can be seen, or whose bytes were not UTF-8."""
    if _is_blank(query):
        raise ValueError(f"query: {query!r} has no character that can be seen; write a question")
    try:
        query.encode()
    except UnicodeEncodeError:
        raise ValueError(f"query: {query[:60]!r} is not UTF-8; convert it") from None


def _is_blank(text: str) -> bool:
    """Whether a text has blanks, control and format characters only."""
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def _read_line() -> str:
    """The next line: of a pipe, without blank ones, or typed at the terminal. Empty at the end."""
    if sys.stdin.isatty():
        try:
            return input(PROMPT).strip()
        except (EOFError, KeyboardInterrupt) as end:
            print()  # so that what follows begins a line
            if isinstance(end, KeyboardInterrupt):
                raise
            return ""
    lines = (line.removeprefix("\ufeff").strip() for line in sys.stdin)  # some editors begin a file with this mark
    return next((line for line in lines if not _is_blank(line)), "")
