"""A corpus with a fraction of its items in some languages: how much parallel data a language has, as a variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import ABSENT, Corpus, find_language


def with_language_fraction(corpus: Corpus, fractions: Mapping[str, float], seed: int) -> Corpus:
    """The corpus, in which a language has its query, passage and hard negatives in a fraction of its items only.

    fractions: language -> share of the items that have a query or a passage in it, above 0 and at most 1.
    Items are taken by a hash of their id and `seed`, exactly round(share times number) of them and at least one. So the
    items of a smaller fraction are among those of a larger one, languages with equal data keep the same items, and the
    order of the items does not matter. Other languages, ids and passage keys stay as they are. Texts that no item has
    any more stay as well, so tokens are cached once for all fractions.
    Raises ValueError for a language that the corpus lacks, or that is there twice in two spellings.
    """
    found = [find_language(language, corpus.languages) or language for language in fractions]
    if len(set(found)) < len(found):
        raise ValueError(f"language_fraction: {', '.join(fractions)} name a language twice; leave one of them out")
    fractions = dict(zip(found, fractions.values(), strict=True))
    if unknown := [language for language in fractions if language not in corpus.languages]:
        raise ValueError(
            f"language_fraction: the corpus {corpus.name} has no {', '.join(unknown)}; it has: "
            f"{', '.join(corpus.languages)}"
        )
    order = np.argsort(_hashes(corpus, seed), kind="stable")
    queries, passages = np.array(corpus.queries), np.array(corpus.passages)
    negatives, negative_keys = np.array(corpus.negatives), np.array(corpus.negative_keys)
    for language, fraction in fractions.items():
        column = corpus.languages.index(language)
        exists = (queries[:, column] != ABSENT) | (passages[:, column] != ABSENT)
        having = order[exists[order]]
        removed = having[max(1, round(fraction * len(having))) :]
        queries[removed, column] = passages[removed, column] = ABSENT
        negatives[removed, column] = negative_keys[removed, column] = ABSENT
    return replace(corpus, queries=queries, passages=passages, negatives=negatives, negative_keys=negative_keys)


def _hashes(corpus: Corpus, seed: int) -> NDArray[np.uint64]:
    key = str(seed).encode()
    digests = (blake2b(name.encode(), digest_size=8, key=key).digest() for name in corpus.ids)
    return np.frombuffer(b"".join(digests), np.uint64)
