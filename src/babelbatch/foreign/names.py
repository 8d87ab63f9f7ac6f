"""From the ids of other tools to queries and languages: by a pattern, by a table, or by the name of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from babelbatch.foreign.declaration import Declaration, match_whole, shown
from babelbatch.foreign.lines import pairs


class Query(NamedTuple):
    """A query as our benchmark names it. candidate_language: of the only candidates that it is ranked with; None if the
    id does not say it."""

    id: str
    language: str
    candidate_language: str | None


@dataclass(frozen=True, slots=True)
class Names:
    """Reads the ids of one declaration.

    query_languages, candidate_languages: tables of the user, or None.
    """

    declaration: Declaration
    query_languages: Mapping[str, str] | None
    candidate_languages: Mapping[str, str] | None

    def query(self, raw: str, context: Mapping[str, str], place: str) -> Query:
        """The query of an id. context: what the names of its file and subset say. place: for messages.

        Raises ValueError if the id does not match the pattern, or if nothing says its language.
        """
        groups = dict(context)
        if self.declaration.query is not None:
            found = match_whole(self.declaration.query, raw)
            if found is None:
                raise ValueError(
                    f"{place}: the query {shown(raw)} does not match query: '{self.declaration.query.pattern}'; mend "
                    "the pattern"
                )
            groups |= found
        if "language" not in groups and self.query_languages is not None:
            if raw not in self.query_languages:
                raise ValueError(f"{place}: the query {shown(raw)} is not in query_languages; add it there")
            groups["language"] = self.query_languages[raw]
        if "language" not in groups:
            raise ValueError(
                f"{place}: nothing says the language of query {shown(raw)}; write query: with a group such as "
                "(?P<language>[a-z]+), or query_languages: with a file of ids and languages"
            )
        language = self._ours(groups["language"])
        other = groups.get("candidate_language")
        id_ = self.declaration.query_id.replace("{language}", language).replace("{id}", groups.get("id", raw))
        return Query(id_, language, None if other is None else self._ours(other))

    def candidate_language(self, raw: str, place: str) -> str | None:
        """The language of a candidate; None if the declaration does not say how to find it.

        Raises ValueError if it does, and this id has none.
        """
        if self.candidate_languages is not None:
            if raw not in self.candidate_languages:
                raise ValueError(f"{place}: the candidate {shown(raw)} is not in candidate_languages; add it there")
            return self._ours(self.candidate_languages[raw])
        if self.declaration.candidate is None:
            return None
        found = match_whole(self.declaration.candidate, raw)
        if found is None or "language" not in found:
            raise ValueError(
                f"{place}: candidate: '{self.declaration.candidate.pattern}' finds no language in {shown(raw)}; mend "
                "the pattern"
            )
        return self._ours(found["language"])

    @property
    def say_candidate_languages(self) -> bool:
        """Whether the declaration says how to find the language of a candidate."""
        return self.declaration.candidate is not None or self.candidate_languages is not None

    def _ours(self, language: str) -> str:
        return self.declaration.languages.get(language, language)


def names_of(declaration: Declaration) -> Names:
    """The reader of a declaration's ids, with its tables. Raises ValueError as `lines.pairs`."""

    def table(path: Path | None) -> dict[str, str] | None:
        return None if path is None else pairs(path, "language")

    return Names(declaration, table(declaration.query_languages), table(declaration.candidate_languages))
