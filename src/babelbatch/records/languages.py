"""Language codes: one tag for each language, however data spell it.

A code may be in the form of BCP 47 (`en`, `en-US`, `zh-Hant`), with an underscore (`pt_BR`), in any letter case, with
the three letters of ISO 639-3 (`eng`), or as in FLORES-200 (`eng_Latn`, `zho_Hans`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import cache

log = logging.getLogger(__name__)

_ALSO = {"ko": "Hang"}  # the usual script is "Kore", which is Hangul with Han
_THREE_LETTERS = re.compile(r"[a-z]{3}")
_FORM = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


@cache
def canonical_language(code: str) -> str:
    """The canonical BCP 47 tag: the shortest code of the language, a script only if it is not the usual one, the
    region and variants as they are. `EN`, `eng` and `eng_Latn` are `en`, `zho_Hans` is `zh`, `zh_Hant` is `zh-Hant`,
    `arb_Arab` is `ar`, `pt_BR` is `pt-BR`. The other varieties of Arabic, Pashto, Fulah and the like are languages of
    their own: `acm_Arab` is `acm`, `pbt_Arab` is `pbt`, `fuv_Latn` is `fuv`.

    Raises ValueError for what has not the form of a code.
    """
    from langcodes import Language, standardize_tag  # its tables take a while to load

    try:
        tag = Language.get(standardize_tag(code, macro=True)) if _FORM.fullmatch(code) else None
    except ValueError:
        tag = None
    if tag is None or tag.language is None:
        raise ValueError(f"'{code[:40]}' is not a language; write a code such as en or zh-Hant")
    if tag.script is not None and tag.script in {_usual_script(tag.language), _ALSO.get(tag.language)}:
        tag = Language.make(**{**tag.to_dict(), "script": None})
    return tag.to_tag()


@cache
def is_registered(code: str) -> bool:
    """Whether each part of a code is in the registry of BCP 47: `jp` is in none, and Japanese is `ja`."""
    from langcodes import Language

    return bool(Language.get(canonical_language(code)).is_valid())


@cache
def primary_language(code: str) -> str:
    """The language without script and region, for what is known of a language as a whole: `en` for `en-US`. What is no
    code is returned unchanged."""
    try:
        return canonical_language(code).partition("-")[0]
    except ValueError:
        return code


def script_of(code: str) -> str | None:
    """The script of a language in ISO 15924, such as `Arab`: that in the code, else the usual one; None if unknown."""
    try:
        tag = canonical_language(code)
    except ValueError:
        return None
    stated = next((part for part in tag.split("-")[1:] if len(part) == 4 and part.isalpha()), None)
    return stated or _usual_script(tag.partition("-")[0], guess=False)


@cache
def english_name(code: str) -> str | None:
    """The name of a language in the Unicode CLDR, `Egyptian Arabic`; None if it has none there."""
    from babel import Locale  # takes a while to load

    try:
        tag = canonical_language(code)
    except ValueError:
        return None
    names = Locale("en").languages
    found = names.get(tag.replace("-", "_")) or names.get(tag.partition("-")[0])
    return None if found is None else str(found)


@cache
def script_name(script: str) -> str:
    """The English name of a script in ISO 15924: `Arabic` for `Arab`. Both forms of Han have one."""
    from babel import Locale

    common = {"Hans": "Han", "Hant": "Han", "Jpan": "Japanese", "Kore": "Hangul", "Hang": "Hangul"}
    return common.get(script) or str(Locale("en").scripts.get(script, script))


def _usual_script(language: str, *, guess: bool = True) -> str | None:
    """Of the CLDR, which has 7,000 languages. guess: for others take the default of langcodes, mostly Latin."""
    from babel.core import get_global
    from langcodes import Language

    likely = get_global("likely_subtags").get(language)
    if likely is not None:
        return str(likely).split("_")[1]
    return Language.get(language).maximize().script if guess else None


def find_language(code: str, languages: Sequence[str]) -> str | None:
    """The one of `languages` that is `code`, in whatever spelling; None if there is none."""
    if code in languages:
        return code
    wanted = _tag(code)
    return next((language for language in languages if _tag(language) == wanted), None)


def same_language(languages: Sequence[str]) -> tuple[str, str] | None:
    """Two spellings of one language among `languages`; None if there are none.

    Two codes of ISO 639-3 are two languages, also if one has been retired since, as `kzj` has (it is `dtp` now, and the
    Tatoeba test set has both).
    """
    first: dict[str, str] = {}
    for language in languages:
        tag = _tag(language)
        if _THREE_LETTERS.fullmatch(language) and _THREE_LETTERS.fullmatch(tag):
            tag = language
        if (other := first.setdefault(tag, language)) != language:
            return other, language
    return None


def names_one_twice(languages: Sequence[str]) -> bool:
    """Whether a language is there twice, in one spelling or in two."""
    return len(set(languages)) < len(languages) or same_language(languages) is not None


class LanguageCodes:
    """Turns the codes of a data set into canonical ones, and notes the other spellings. name: of the data set.

    Only codes that exist are accepted: data in a language that nobody means would count as one more to draw from, and
    the report would take the language that was meant for one that was not trained on.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._spellings: dict[str, list[str]] = {}
        self._canonical: dict[str, str] = {}

    def __call__(self, code: str, where: object) -> str:
        """The canonical code. where: for the message. Raises ValueError for what is no code."""
        if (known := self._canonical.get(code)) is not None:
            return known
        try:
            found = canonical_language(code)
            if not is_registered(code):
                raise ValueError(f"there is no language '{code[:40]}'; {_instead_of(code)}")
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        self._canonical[code] = found
        self._spellings.setdefault(found, []).append(code)
        return found

    def report(self) -> None:
        """Logs which codes are read as another."""
        for found, spellings in sorted(self._spellings.items()):
            if spellings != [found]:
                others = ", ".join(code for code in spellings if code != found)
                one = ": one language" if len(spellings) > 1 else ""
                log.info("%s: %s is read as the language %s%s", self._name, others, found, one)


def _instead_of(code: str) -> str:
    """What to write instead of a code that does not exist, which may be that of a country."""
    from langcodes import Language, tag_is_valid

    if len(code) != 2 or not tag_is_valid(f"und-{code}"):
        return "write a code such as en or zh-Hant"
    return f"if the country is meant, its language is '{Language.get(f'und-{code}').maximize().language}'"


def _tag(code: str) -> str:
    try:
        return canonical_language(code)
    except ValueError:
        return code
