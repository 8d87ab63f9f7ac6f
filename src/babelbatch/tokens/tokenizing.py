"""From texts to token ids, with bounded memory."""

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
from numpy.typing import NDArray

from babelbatch.progress import bar
from babelbatch.tokens.backend import Encodings, batch_encoder, tokenizer_state
from babelbatch.tokens.cache import FORMAT, CacheError, TokenBlocks, find_or_build
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

    cache: a folder for the result, or None. An entry for the same tokenizer, settings and texts is memory-mapped
        instead of built; processes that start together build it once. Neither takes memory in proportion to the texts.
        If the folder cannot be used, a warning is logged and the result is in memory. So it is for a tokenizer with
        parts in Python, whose behaviour cannot be fingerprinted.

    Raises ValueError if a text is not Unicode, or if the texts changed meanwhile.
    """
    pad_id = tokenizer.pad_token_id
    assert isinstance(pad_id, int)

    def blocks(text_chunks: Iterator[list[str]]) -> TokenBlocks:
        with bar(description, len(texts), unit="texts") as progress:
            yield from _encode_chunks(text_chunks, batch_encoder(tokenizer, max_length), prefix, progress)

    if cache is not None and (state := tokenizer_state(tokenizer, max_length)) is not None:
        expected = fingerprint(texts)
        name = _entry_name(str(FORMAT), *state, prefix, expected)
        try:
            entry = find_or_build(cache, name, lambda: blocks(unchanged(texts, expected)), description)
            return map_tokens(entry, pad_id)
        except CacheError as error:
            _warn_once(
                f"token ids cannot be kept in {cache} ({error}): they are made in memory, anew in every run; "
                "set BABELBATCH_CACHE to another folder"
            )
    ids, lengths = [np.empty(0, IDS_TYPE)], [np.zeros(1, OFFSETS_TYPE)]
    for block_ids, block_lengths in blocks(chunks(texts)):
        ids.append(block_ids)
        lengths.append(block_lengths)
    return Tokens(np.concatenate(ids), np.cumsum(np.concatenate(lengths)), pad_id)


def _encode_chunks(
    text_chunks: Iterator[list[str]], encode: Callable[[list[str]], Encodings], prefix: str, progress: Work
) -> TokenBlocks:
    """Ids and lengths of the texts, chunk by chunk. The next chunk is tokenised while one becomes an array."""
    with ThreadPoolExecutor(1) as executor:
        pending: Future[Encodings] | None = None
        for chunk in text_chunks:
            done, pending = pending, executor.submit(encode, [prefix + text for text in chunk])
            if done is not None:
                yield _to_arrays(done.result())
            progress.advance(len(chunk))
        if pending is not None:
            yield _to_arrays(pending.result())


def _to_arrays(encodings: Encodings) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    rows = [encoding if isinstance(encoding, list) else encoding.ids for encoding in encodings]
    lengths = np.fromiter(map(len, rows), OFFSETS_TYPE, count=len(rows))
    return np.fromiter(chain.from_iterable(rows), IDS_TYPE, count=int(lengths.sum())), lengths


def _entry_name(*parts: str) -> str:
    """SHA-256 of the parts and of their boundaries."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part.encode())
    return digest.hexdigest()


@functools.cache
def _warn_once(message: str) -> None:
    log.warning(message)
