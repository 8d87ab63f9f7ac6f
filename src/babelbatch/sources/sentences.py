"""Sentences of a text, by the rules that the sentencex library of the Wikimedia Foundation keeps for each language."""

from __future__ import annotations

from importlib.metadata import version

import sentencex

VERSION = f"sentencex {version('sentencex')}"
"""Whose rules they are. Another version may split otherwise."""


def sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Start and end of each sentence in the text, in characters, without the spaces around it.

    language: ISO 639-1 code; one without rules of its own is split as a related one, or as English.
    Thai marks no end of a sentence; what comes back are whole paragraphs, or parts of one.
    """
    found = []
    for boundary in sentencex.get_sentence_boundaries(language, text):
        start, end = boundary["start_index"], boundary["end_index"]
        sentence = text[start:end]
        if stripped := sentence.strip():
            start += len(sentence) - len(sentence.lstrip())
            found.append((start, start + len(stripped)))
    return found
