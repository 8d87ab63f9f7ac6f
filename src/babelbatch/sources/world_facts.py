"""Facts about territories, languages and scripts from CLDR, as questions and one-sentence passages in eleven languages.

The source is the Unicode CLDR as the installed Babel carries it (Babel 2.18: CLDR 47). Names stay as CLDR has them. A
fact is kept only if CLDR names its subject and its object in all eleven languages, so that the facts are the same
whatever languages are asked for.
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

from babelbatch.sources.languages import chosen
from babelbatch.sources.world_facts_templates import TEMPLATES

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
"""What kind of thing the subject and the object of a relation are."""

# Today's currency must not depend on the day the code runs: the release of CLDR 47.
CURRENCY_DATE = datetime.date(2025, 3, 13)
PLURALS = {"currency": "currencies", "language": "languages", "script": "scripts", "territory": "territories"}
# CLDR names these two only as modifiers of "Chinese" ("Simplified"), and `und` is no language.
NOT_A_NAME = {"Hans", "Hant", "und"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement. subject, object: a code of CLDR's (`PE`, `qu`, `Latn`, `PEN`), a year, or a day, 0 for Monday."""

    relation: str
    subject: str
    object: str

    @property
    def id(self) -> str:
        """`<relation>/<subject>`, which is unique since a relation has one object for each subject."""
        return f"{self.relation}/{self.subject}"

    @property
    def entities(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Subject and object, each with its kind: the territory `AR` is not the language `ar`."""
        subject_kind, object_kind = RELATIONS[self.relation]
        return (subject_kind, self.subject), (object_kind, self.object)


@dataclass(frozen=True, slots=True)
class Texts:
    """One question and one passage of every fact, in the order of `facts()`."""

    questions: tuple[str, ...]
    passages: tuple[str, ...]


@cache
def facts() -> tuple[Fact, ...]:
    """Every fact that can be told in all eleven languages, sorted by relation and then by subject.

    Should two facts share a question or a passage in some language, only the first of them is kept.
    """
    kept = []
    seen: set[tuple[str, str]] = set()
    for fact in sorted(_candidates(), key=lambda fact: (list(RELATIONS).index(fact.relation), fact.subject)):
        if all(_name(language, *entity) for language in LANGUAGES for entity in fact.entities):
            told = {(language, text) for language in LANGUAGES for text in _tell(fact, language)}
            if not told & seen:
                seen |= told
                kept.append(fact)
    return tuple(kept)


@cache
def texts(language: str) -> Texts:
    """The facts told in one of `LANGUAGES`."""
    questions, passages = zip(*(_tell(fact, language) for fact in facts()), strict=True)
    return Texts(questions, passages)


@cache
def split(seed: int, held_out: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows of `facts()` to train on and rows held out, both ascending.

    A fact is drawn by the SHA-256 of the seed and its id, so the draw depends on nothing else. It is held out if its
    subject also occurs, as subject or object, in a fact that was not drawn; otherwise it stays in training, so that the
    held-out facts are new statements about entities known from training.

    held_out: the share of facts to draw, above 0 and below 1. ValueError if it is not.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be above 0 and below 1, not {held_out}: 0.2 holds out a fifth of the facts")
    drawn = {row for row, fact in enumerate(facts()) if _number(f"{seed} {fact.id}") < held_out * 2**64}
    known = {entity for row, fact in enumerate(facts()) if row not in drawn for entity in fact.entities}
    held = {row for row in drawn if facts()[row].entities[0] in known}
    return tuple(row for row in range(len(facts())) if row not in held), tuple(sorted(held))


def choose_languages(languages: list[str] | None) -> tuple[str, ...]:
    """The languages asked for, in that order, or all eleven if None. ValueError if one is unknown, twice, or none."""
    return chosen("world_facts", LANGUAGES, languages)


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
    """The currency that is legal tender, and the year since which CLDR says so; nothing where there are two or none."""
    tender = get_territory_currencies(territory, start_date=CURRENCY_DATE, include_details=True)
    if len(tender) == 1:
        yield Fact("currency", territory, tender[0]["currency"])
        if tender[0]["from"]:
            yield Fact("currency_since", territory, str(tender[0]["from"].year))


def _official_language(territory: str) -> Iterator[Fact]:
    """Of the languages official in the whole territory, by law or de facto, the one that most of its people use.

    CLDR counts who can use the language, not whose first language it is. Scripts of one language count as that
    language. Nothing where the first two are equal.
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
    """First day of the week and of the weekend, 0 for Monday, for every territory that Babel has a locale of.

    Babel keeps them per locale, and a locale inherits from its parent what it does not say itself. Locales whose parent
    belongs to another territory are passed over: `pt_ST` would take its week from `pt_PT`.
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
    """What CLDR calls a thing in a language, or None if it has no name for it there."""
    if code in NOT_A_NAME:
        return None
    if kind == "year":
        return code
    locale = _locale(language)
    if kind == "day":
        return str(locale.days["stand-alone"]["wide"][int(code)])
    name: str | None = getattr(locale, PLURALS[kind]).get(code)
    return name


def _tell(fact: Fact, language: str) -> tuple[str, str]:
    """The question and the passage. Their wordings are drawn by fact and language, each on its own.

    A sentence opens with a capital even where its name does not: Russian CLDR has `о-ва Кука`.
    """
    questions, passages = TEMPLATES[fact.relation][language]
    subject, object_ = (_name(language, *entity) for entity in fact.entities)
    question = questions[_number(f"question {language} {fact.id}") % len(questions)].format(subject=subject)
    passage = passages[_number(f"passage {language} {fact.id}") % len(passages)].format(subject=subject, object=object_)
    return question[0].upper() + question[1:], passage[0].upper() + passage[1:]


def _number(text: str) -> int:
    """An unsigned 64-bit number that only depends on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
