"""Splits a text into sentences by the rules of the Wikimedia Foundation's sentencex library for its language."""

from __future__ import annotations

from importlib.metadata import version

import sentencex

VERSION = f"sentencex {version('sentencex')}"
"""The library and its version; another version may split differently."""


def sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Start and end of each sentence in the text, in characters, without the spaces around it.

    language: ISO 639-1 code; a language without its own rules uses those of a related one, or of English.
    Thai does not mark the end of a sentence: its paragraphs are returned whole or in parts.
    """
    found = []
    for boundary in sentencex.get_sentence_boundaries(language, text):
        start, end = boundary["start_index"], boundary["end_index"]
        sentence = text[start:end]
        if stripped := sentence.strip():
            start += len(sentence) - len(sentence.lstrip())
            found.append((start, start + len(stripped)))
    return found
