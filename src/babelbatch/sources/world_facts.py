"""Facts about territories, languages and scripts from CLDR, as queries and one-sentence passages in eleven languages.

The source is the Unicode CLDR in the installed Babel (Babel 2.18: CLDR 47). Names are CLDR's own. A fact is used if
CLDR names its subject and its object in all eleven languages, so the facts do not depend on the requested languages.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from babel import Locale
from babel.core import get_global
from babel.languages import get_territory_language_info
from babel.localedata import locale_identifiers
from babel.numbers import get_territory_currencies

from babelbatch.sources.languages import select_languages
from babelbatch.sources.world_facts_wordings import load_wordings

CLDR_VERSION: str = get_global("cldr")["version"]

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
"""XQuAD-R's languages. CLDR's `zh` is Chinese in simplified characters."""

RELATIONS = {
    "currency": ("territory", "currency"),
    "currency_since": ("territory", "year"),
    "official_language": ("territory", "language"),
    "week_start": ("territory", "day"),
    "weekend_start": ("territory", "day"),
    "script": ("language", "script"),
    "home": ("language", "territory"),
    "script_language": ("script", "language"),
}
"""The kinds of a relation's subject and object."""

# The release of CLDR 47: the current currency must not depend on the day on which the code runs.
CURRENCY_DATE = datetime.date(2025, 3, 13)
PLURALS = {"currency": "currencies", "language": "languages", "script": "scripts", "territory": "territories"}
# CLDR names these two only as modifiers of "Chinese" ("Simplified"), and `und` is no language.
NOT_A_NAME = {"Hans", "Hant", "und"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement. subject, object: a CLDR code (`PE`, `qu`, `Latn`, `PEN`), a year, or a day, 0 for Monday."""

    relation: str
    subject: str
    object: str

    @property
    def id(self) -> str:
        """`<relation>/<subject>`; unique, because a relation has one object for each subject."""
        return f"{self.relation}/{self.subject}"

    @property
    def entities(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Subject and object, each with its kind: the territory `AR` is not the language `ar`."""
        subject_kind, object_kind = RELATIONS[self.relation]
        return (subject_kind, self.subject), (object_kind, self.object)


@dataclass(frozen=True, slots=True)
class Texts:
    """One query and one passage of every fact, in the order of `facts()`."""

    queries: tuple[str, ...]
    passages: tuple[str, ...]


@cache
def facts() -> tuple[Fact, ...]:
    """Every fact that has names in all eleven languages, sorted by relation and then by subject.

    If two facts share a query or a passage in a language, only the first is used.
    """
    found = []
    seen: set[tuple[str, str]] = set()
    for fact in sorted(_candidates(), key=lambda fact: (list(RELATIONS).index(fact.relation), fact.subject)):
        if all(_name(language, *entity) for language in LANGUAGES for entity in fact.entities):
            own = {(language, text) for language in LANGUAGES for text in _query_and_passage(fact, language)}
            if not own & seen:
                seen |= own
                found.append(fact)
    return tuple(found)


@cache
def texts(language: str) -> Texts:
    """The texts of all facts in one of `LANGUAGES`."""
    queries, passages = zip(*(_query_and_passage(fact, language) for fact in facts()), strict=True)
    return Texts(queries, passages)


@cache
def split(seed: int, held_out: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows of `facts()` to train on and rows held out, both ascending.

    The SHA-256 of the seed and the fact's id decides whether a fact is drawn; nothing else does. A drawn fact is held
    out if its subject also occurs, as subject or object, in a fact that is not drawn. Held-out facts are therefore new
    statements about entities known from training.

    held_out: the share of facts to draw. Raises ValueError if it is not above 0 and below 1.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be above 0 and below 1, not {held_out}: 0.2 holds out a fifth of the facts")
    drawn = {row for row, fact in enumerate(facts()) if _number(f"{seed} {fact.id}") < held_out * 2**64}
    known = {entity for row, fact in enumerate(facts()) if row not in drawn for entity in fact.entities}
    held = {row for row in drawn if facts()[row].entities[0] in known}
    return tuple(row for row in range(len(facts())) if row not in held), tuple(sorted(held))


def select_fact_languages(languages: list[str] | None) -> tuple[str, ...]:
    """The requested languages in their order, or all eleven for None. Raises ValueError as `select_languages` does."""
    return select_languages("world_facts", LANGUAGES, languages)


def _candidates() -> Iterator[Fact]:
    codes = map(str, Locale("en").territories)
    territories = [code for code in codes if len(code) == 2 and code.isalpha()]
    for territory in territories:
        yield from _currency(territory)
        yield from _official_language(territory)
    for territory, (week_start, weekend_start) in _weeks().items():
        yield Fact("week_start", territory, str(week_start))
        yield Fact("weekend_start", territory, str(weekend_start))
    for tags, likely in get_global("likely_subtags").items():
        language, script, *region = likely.split("_")
        if tags == language:
            yield Fact("script", language, script)
            # A region of digits is the world or a continent, the home of constructed languages.
            if region and region[0].isalpha():
                yield Fact("home", language, region[0])
        elif tags == f"und_{script}":
            yield Fact("script_language", script, language)


def _currency(territory: str) -> Iterator[Fact]:
    """The only legal tender of a territory, and the year since when it is; nothing where there are several or none."""
    tender = get_territory_currencies(territory, start_date=CURRENCY_DATE, include_details=True)
    if len(tender) == 1:
        yield Fact("currency", territory, tender[0]["currency"])
        if tender[0]["from"]:
            yield Fact("currency_since", territory, str(tender[0]["from"].year))


def _official_language(territory: str) -> Iterator[Fact]:
    """The official language, by law or de facto, of the whole territory that the largest share of its people use.

    CLDR counts all who can use a language, not only those whose first language it is. Scripts of one language count as
    that language. Nothing where two languages have the largest share.
    """
    shares: dict[str, float] = {}
    for tags, info in (get_territory_language_info(territory) or {}).items():
        if info["official_status"] in ("official", "de_facto_official"):
            language = tags.split("_")[0]
            shares[language] = max(shares.get(language, 0.0), float(info["population_percent"] or 0))
    most = [language for language, share in shares.items() if share == max(shares.values())]
    if len(most) == 1:
        yield Fact("official_language", territory, most[0])


def _weeks() -> dict[str, tuple[int, int]]:
    """First day of the week and of the weekend, 0 for Monday, for every territory with a locale in Babel.

    Babel stores them by locale, and a locale inherits missing values from its parent. Locales whose parent belongs to
    another territory are skipped: `pt_ST` would take its week from `pt_PT`.
    """
    weeks: dict[str, tuple[int, int]] = {}
    for identifier in sorted(locale_identifiers()):
        territory = _territory(identifier)
        parent = get_global("parent_exceptions").get(identifier, "")
        if territory and territory not in weeks and _territory(parent) in (None, territory):
            locale = Locale.parse(identifier)
            weeks[territory] = locale.first_week_day, locale.weekend_start
    return weeks


def _territory(identifier: str) -> str | None:
    """The country or territory at the end of a locale identifier, if any: `PT` of `pt_PT`, but none of `en_001`."""
    last = identifier.rpartition("_")[2]
    return last if len(last) == 2 and last.isupper() else None


@cache
def _locale(language: str) -> Locale:
    return Locale(language)


def _name(language: str, kind: str, code: str) -> str | None:
    """CLDR's name of a thing in a language, or None."""
    if code in NOT_A_NAME:
        return None
    if kind == "year":
        return code
    if kind == "day":
        return str(_locale(language).days["stand-alone"]["wide"][int(code)])
    return _names(language, kind).get(code)


@cache
def _names(language: str, kind: str) -> dict[str, str]:
    """CLDR's names of all things of a kind, read once: Babel looks for aliases at every look-up."""
    return dict(getattr(_locale(language), PLURALS[kind]))


@cache  # to see whether a text is new, every fact is put into words in every language
def _query_and_passage(fact: Fact, language: str) -> tuple[str, str]:
    """The texts of a fact. The wordings of both are drawn independently, by fact and language.

    A sentence starts with a capital letter even where its first name does not: Russian CLDR has `о-ва Кука`.
    """
    wordings = load_wordings(tuple(RELATIONS), LANGUAGES)[fact.relation, language]
    queries, passages = wordings.queries, wordings.passages
    subject, object_ = (_name(language, *entity) for entity in fact.entities)
    query = queries[_number(f"question {language} {fact.id}") % len(queries)].format(subject=subject)
    passage = passages[_number(f"passage {language} {fact.id}") % len(passages)].format(subject=subject, object=object_)
    return query[0].upper() + query[1:], passage[0].upper() + passage[1:]


def _number(text: str) -> int:
    """A uint64 hash of the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
