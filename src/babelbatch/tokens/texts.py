"""Texts that may exceed memory: read in chunks, and identified by a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from babelbatch.progress import bar

_CHUNK_TEXTS = 2_000
_CHUNK_CHARACTERS = 1_000_000  # the tokenizer needs some hundred bytes per token while it works


class Texts(Protocol):
    """Texts with a length that can be iterated repeatedly: a tuple, or a reader of a file."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


class PrefixedTexts:
    """Texts, each with a prefix of its own: `prefixes[row] + texts[row]`."""

    def __init__(self, texts: Texts, prefixes: Sequence[str]) -> None:
        self._texts, self._prefixes = texts, prefixes

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return (prefix + text for prefix, text in zip(self._prefixes, self._texts, strict=True))


def chunks(texts: Texts) -> Iterator[list[str]]:
    """The texts in chunks, bounded in number and in characters (a single longer text is a chunk of its own)."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if len(chunk) == _CHUNK_TEXTS or (chunk and characters + len(text) > _CHUNK_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk


def fingerprint(texts: Texts) -> str:
    """SHA-256 of all texts; depends on each text, their order and their boundaries.

    Raises ValueError if a text is not Unicode.
    """
    digests = _Digests()
    with bar(f"reading {len(texts):,} texts", len(texts), unit="texts") as progress:
        for chunk in chunks(texts):
            digests.add(chunk)
            progress.advance(len(chunk))
    return digests.value()


def unchanged(texts: Texts, expected: str) -> Iterator[list[str]]:
    """The texts in chunks. Raises ValueError at the end if they do not have the expected fingerprint."""
    digests = _Digests()
    for chunk in chunks(texts):
        digests.add(chunk)
        yield chunk
    if digests.value() != expected:
        raise ValueError("the texts changed while they were being tokenised; leave their file alone and start again")


class _Digests:
    """SHA-256 of the lengths and of the bytes of texts. The lengths make the boundaries count."""

    def __init__(self) -> None:
        self._lengths, self._content = hashlib.sha256(), hashlib.sha256()

    def add(self, chunk: list[str]) -> None:
        try:
            encoded = [text.encode() for text in chunk]
        except UnicodeEncodeError as error:
            raise ValueError(
                f"character {error.start:,} of the text {error.object[:60]!r} is half of a surrogate pair, "
                "which is not Unicode; correct the file of the text"
            ) from None
        self._lengths.update(np.fromiter(map(len, encoded), "<u8", count=len(encoded)).tobytes())
        self._content.update(b"".join(encoded))

    def value(self) -> str:
        return self._lengths.hexdigest() + self._content.hexdigest()
