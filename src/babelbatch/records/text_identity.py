"""When two texts count as the same: for passage keys, mining and leakage; and how ids that look equal differ."""

from __future__ import annotations

import unicodedata

_DOTTED_AND_DOTLESS = str.maketrans({"ı": "i", "\u0307": None})  # İ is case-folded to i and a dot above


def same_text(text: str) -> str:
    """The text without differences of case, white space and Unicode form (NFKC, after which NFC and NFD are equal).
    Dotted and dotless i are one letter, so that a Turkish text in capitals equals the same in small letters."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_DOTTED_AND_DOTLESS)
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def same_id(id_: str) -> str:
    """The id in NFC, without blanks at its ends and with plain blanks: ids with equal results look equal."""
    return " ".join(unicodedata.normalize("NFC", id_).split())


def escaped(id_: str) -> str:
    """The id with escapes for everything that is not ASCII, in quotes, such as 'caf\\xe9'."""
    return ascii(id_)
