"""From texts to token ids, without lists of all of them."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from babelbatch.progress import bar
from babelbatch.tokens.backend import encoder, state
from babelbatch.tokens.cache import FORMAT, Pieces, Unusable, find_or_build
from babelbatch.tokens.store import IDS_TYPE, OFFSETS_TYPE, Tokens, map_tokens
from babelbatch.tokens.texts import Texts, chunks, fingerprint, unchanged

if TYPE_CHECKING:
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    from babelbatch.progress import Work


log = logging.getLogger(__name__)


def tokenise(
    texts: Texts,
    tokenizer: PreTrainedTokenizerBase,
    *,
    prefix: str,
    max_length: int,
    description: str,
    cache: Path | None = None,
) -> Tokens:
    """Tokenises `prefix + text`, cut to `max_length` tokens including the special ones. Many texts show a bar.

    cache: a folder that keeps the result, or None. What is there already is mapped instead of made again, if tokenizer,
        settings and all of the texts are the same; processes that start together make it once. Neither making nor
        mapping it takes memory in proportion to the texts. If the folder cannot be used, a warning is logged and the
        result is in memory; as it is for a tokenizer that is partly written in Python, of which nobody can tell
        whether it is still the same.

    ValueError: a text is not Unicode, or the texts changed meanwhile.
    """
    pad_id = tokenizer.pad_token_id
    assert pad_id is not None

    def pieces(of: Iterator[list[str]]) -> Pieces:
        with bar(description, len(texts), unit="texts") as progress:
            yield from _pieces(of, encoder(tokenizer, max_length), prefix, progress)

    if cache is not None and (same := state(tokenizer, max_length)) is not None:
        these = fingerprint(texts)
        name = _name(str(FORMAT), *same, prefix, these)
        try:
            return map_tokens(find_or_build(cache, name, lambda: pieces(unchanged(texts, these)), description), pad_id)
        except Unusable as error:
            _warn_once(
                f"token ids cannot be kept in {cache} ({error}): they are made in memory, anew in every run; "
                "set BABELBATCH_CACHE to another folder"
            )
    ids, lengths = [np.empty(0, IDS_TYPE)], [np.zeros(1, OFFSETS_TYPE)]
    for some_ids, some_lengths in pieces(chunks(texts)):
        ids.append(some_ids)
        lengths.append(some_lengths)
    return Tokens(np.concatenate(ids), np.cumsum(np.concatenate(lengths)), pad_id)


def _pieces(of: Iterator[list[str]], encode: Callable[[list[str]], list], prefix: str, progress: Work) -> Pieces:
    """Ids and lengths of the texts, a chunk at a time. While one becomes an array the next one is tokenised."""
    with ThreadPoolExecutor(1) as ahead:
        coming: Future[list] | None = None
        for chunk in of:
            current, coming = coming, ahead.submit(encode, [prefix + text for text in chunk])
            if current is not None:
                yield _arrays(current.result())
            progress.advance(len(chunk))
        if coming is not None:
            yield _arrays(coming.result())


def _arrays(encodings: list) -> tuple[np.ndarray, np.ndarray]:
    rows = [encoding if isinstance(encoding, list) else encoding.ids for encoding in encodings]
    lengths = np.fromiter(map(len, rows), OFFSETS_TYPE, count=len(rows))
    return np.fromiter(chain.from_iterable(rows), IDS_TYPE, count=int(lengths.sum())), lengths


def _name(*parts: str) -> str:
    """SHA-256 of the parts and of where they end."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part.encode())
    return digest.hexdigest()


@functools.cache
def _warn_once(message: str) -> None:
    log.warning(message)
