"""Texts that may be too many for memory: gone through in chunks, and told apart by a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

_CHUNK_TEXTS = 2_000
_CHUNK_CHARACTERS = 1_000_000  # the tokenizer needs some hundred bytes a token while it works


class Texts(Protocol):
    """Texts that can be counted, and gone through more than once: a tuple, or what reads them from a disk."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[str]: ...


def chunks(texts: Texts) -> Iterator[list[str]]:
    """The texts, some at a time: at most so many, and of so many characters unless one alone has more."""
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
    """SHA-256 of all texts: changes with any of them, with their order, and with where one ends and the next begins.

    ValueError: a text is not Unicode.
    """
    digests = _Digests()
    for chunk in chunks(texts):
        digests.add(chunk)
    return digests.value()


def unchanged(texts: Texts, expected: str) -> Iterator[list[str]]:
    """The texts in chunks. ValueError at the end if they do not have the expected fingerprint."""
    digests = _Digests()
    for chunk in chunks(texts):
        digests.add(chunk)
        yield chunk
    if digests.value() != expected:
        raise ValueError("the texts changed while they were being tokenised; leave their file alone and start again")


class _Digests:
    """Of the lengths and of the bytes: together they say where each text ends."""

    def __init__(self) -> None:
        self._lengths, self._content = hashlib.sha256(), hashlib.sha256()

    def add(self, chunk: list[str]) -> None:
        try:
            encoded = [text.encode() for text in chunk]
        except UnicodeEncodeError as error:
            raise ValueError(
                f"character {error.start:,} of the text {error.object[:60]!r} is half of a surrogate pair, "
                "which is not Unicode; mend the file that the text comes from"
            ) from None
        self._lengths.update(np.fromiter(map(len, encoded), "<u8", count=len(encoded)).tobytes())
        self._content.update(b"".join(encoded))

    def value(self) -> str:
        return self._lengths.hexdigest() + self._content.hexdigest()
