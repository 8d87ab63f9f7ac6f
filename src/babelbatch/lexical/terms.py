"""The terms of a text: its words, or pairs of characters where a script has no spaces between words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import regex  # has \p{M}: the standard library's \w excludes vowel signs, which would split Hindi words

from babelbatch.records import primary_language

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_PIECES = regex.compile(
    rf"(?P<run>(?:[{_UNSPACED}--\p{{P}}]\p{{M}}*)+)|(?:[[\p{{L}}\p{{N}}]--[{_UNSPACED}]]\p{{M}}*)+", regex.V1
)
_CHARACTERS = regex.compile(r"\X")
_TURKIC = str.maketrans("Iİ", "ıi")

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip


def folded(text: str, language: str) -> str:
    """The text in Unicode form NFKC, case-folded; in Turkish and Azerbaijani I is the capital of ı."""
    if primary_language(language) in {"tr", "az"}:
        text = unicodedata.normalize("NFC", text).translate(_TURKIC)  # İ may be written as I and a dot
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def terms(text: str, language: str, stem: Callable[[str], str] | None = None) -> list[str]:
    """The terms of a text in order, with repetitions.

    A word is a run of letters, digits and their marks. A run in a script without spaces (Han, Kana, Thai, Lao, Khmer,
    Burmese), or with few (Hangul), is split into overlapping pairs of characters; a single character is a term. That
    is what Lucene's CJKAnalyzer does for Chinese, Japanese and Korean. A character includes its marks.

    stem: applied to words, not to pairs.
    """
    found: list[str] = []
    for piece in _PIECES.finditer(folded(text, language)):
        if piece["run"] is None:
            found.append(stem(piece[0]) if stem else piece[0])
        else:
            characters = _CHARACTERS.findall(piece[0])
            found += ["".join(characters[place : place + 2]) for place in range(max(1, len(characters) - 1))]
    return found


def stemmer(language: str) -> Callable[[str], str] | None:
    """The Snowball stemmer of a language, in any spelling of its code, or None if it has none."""
    name = _STEMMERS.get(primary_language(language))
    if name is None:
        return None
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer(name).stemWord
    return stem
