"""The batches of one strategy from a corpus, or from one part of a mixture."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import Plan, primary_language
from babelbatch.sampling.language_pairs import CrossLanguage, SameLanguage
from babelbatch.sampling.part import Part
from babelbatch.sampling.pools import Pool
from babelbatch.sampling.proportional_schedule import ProportionalSchedule
from babelbatch.sampling.randomness import LANGUAGE, LANGUAGE_BLOCKS, LANGUAGES, permuted, uniform
from babelbatch.sampling.settings import Sampling

_ENGLISH = "en"

Drawn = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""(B,) each: items, query languages, passage languages."""


class Source:
    """The batches of one strategy from one part.

    wanted: the kinds of batches to draw. kinds: those of them that the part can give; a part of a mixture need not give
        both, nor have all languages. sizes: for each kind of a mixture's part, the number of items that it draws from.
    Raises ValueError for a pool smaller than a batch.
    """

    def __init__(self, part: Part, sampling: Sampling, seed: int, wanted: set[str]) -> None:
        self._start, self._name = part.start, part.name
        self._batches = {kind: found for kind in sorted(wanted) if (found := _BATCHES[kind](part, sampling, seed))}
        if not self._batches:  # so it is part of a mixture; another strategy may draw from it, or none
            part.refuse_if_unusable()
        # Counting takes as long as building the pools, and only the parts of a mixture are weighed.
        counted = self._batches if part.name is not None else {}
        self.sizes = {kind: batches.count_items(part) for kind, batches in counted.items()}

    @property
    def kinds(self) -> set[str]:
        return set(self._batches)

    def plan(self, kind: str, step: int, place: int) -> Plan:
        """The batch of a step, its items at `place`, counted in batches, in the order of their pool."""
        items, queries, passages = self._batches[kind].draw(step, place)
        return Plan(kind, items + self._start if self._start else items, queries, passages, part=self._name)


class Batches(Protocol):
    """The batches of one kind from one part."""

    def draw(self, step: int, place: int) -> Drawn:
        """The items and languages of a step."""
        ...

    def count_items(self, part: Part) -> int:
        """Number of items that the batches draw from."""
        ...


class SingleLanguageBatches:
    """X-X: both texts of all items in one language, drawn for each step.

    If all languages have the same items, they share one order of them, which advances with every step. Otherwise each
    language has its own order, which advances with the steps of that language.
    """

    def __init__(self, part: Part, fitting: list[int], pools: list[Pool], sampling: Sampling, seed: int) -> None:
        self._batch_size, self._seed = sampling.batch_size, seed
        self._pools, self._columns = [pools[place] for place in fitting], part.columns[fitting]
        sizes = np.array([len(pool) for pool in self._pools], np.float64)
        weights = sizes**sampling.language_exponent
        self._edges = np.cumsum(weights)[:-1] / weights.sum()
        self._schedule: ProportionalSchedule | None = None
        if not sizes.min() == sizes.max() == len(part.any_monolingual(self._columns)):
            self._schedule = ProportionalSchedule({"x_x": weights.tolist()}, seed, LANGUAGES, LANGUAGE_BLOCKS)

    def draw(self, step: int, place: int) -> Drawn:
        if self._schedule is None:
            language = int(self._edges.searchsorted(uniform(self._seed, LANGUAGE, step), side="right"))
        else:
            language, place = self._schedule.at("x_x", place)
        items = items_at(place, self._pools[language], self._batch_size, self._seed)
        languages = np.full(len(items), self._columns[language])
        return items, languages, languages

    def count_items(self, part: Part) -> int:
        return len(part.any_monolingual())


class SameLanguagePairs:
    """X-X with mixed batches: both texts of an item in one language, drawn for each item."""

    def __init__(self, part: Part, pool: Pool, sampling: Sampling, seed: int) -> None:
        self._pool, self._batch_size, self._seed = pool, sampling.batch_size, seed
        exponent = sampling.language_exponent
        weights = _powers(part.pair_counts().diagonal(), exponent) if exponent else None
        self._languages = SameLanguage(part.columns, part.tables, seed, weights)

    def draw(self, step: int, place: int) -> Drawn:
        items = items_at(place, self._pool, self._batch_size, self._seed)
        languages = self._languages.draw(items, step)
        return items, languages, languages

    def count_items(self, part: Part) -> int:
        return len(self._pool)


class CrossLanguagePairs:
    """X-Y: query and passage of each item in different languages."""

    def __init__(self, part: Part, pool: Pool, allowed: NDArray[np.bool_], sampling: Sampling, seed: int) -> None:
        self._pool, self._batch_size, self._seed = pool, sampling.batch_size, seed
        weights = None
        if sampling.pair_exponent:
            weights = _powers(part.pair_counts() * allowed, sampling.pair_exponent)
        elif sampling.cross_language != "any":
            weights = allowed.astype(np.float64)
        self._languages = CrossLanguage(part.columns, part.tables, seed, weights)

    def draw(self, step: int, place: int) -> Drawn:
        items = items_at(place, self._pool, self._batch_size, self._seed)
        return items, *self._languages.draw(items, step)

    def count_items(self, part: Part) -> int:
        return len(self._pool)


def items_at(place: int, pool: Pool, batch_size: int, seed: int) -> NDArray[np.int64]:
    """(B,) the items of batch number `place` of a pool: an epoch is a permutation of the pool, cut into batches."""
    epoch, batch = divmod(place, len(pool) // batch_size)
    return pool[permuted(np.arange(batch * batch_size, (batch + 1) * batch_size), len(pool), seed, epoch)]


def _x_x(part: Part, sampling: Sampling, seed: int) -> Batches | None:
    if sampling.same_language == "pair":
        pool = part.any_monolingual()
        enough = part.fills_batch(pool, sampling.batch_size, "a batch of same-language pairs")
        return SameLanguagePairs(part, pool, sampling, seed) if enough else None
    pools = part.monolingual()
    fitting = [
        place
        for place, (pool, language) in enumerate(zip(pools, part.languages, strict=True))
        if part.fills_batch(pool, sampling.batch_size, f"an X-X batch in '{language}'", language)
    ]
    return SingleLanguageBatches(part, fitting, pools, sampling, seed) if fitting else None


def _x_y(part: Part, sampling: Sampling, seed: int) -> Batches | None:
    wanted = sampling.cross_language
    allowed = _allowed_pairs(sampling, part.corpus.name, part.languages)
    pool = part.crosslingual(None if wanted == "any" else allowed)
    if part.name is None and len(pool) == 0:
        one_of = "" if wanted == "any" else f" that sampling.cross_language={wanted} pairs"
        raise ValueError(
            f"no item exists in two languages{one_of}: X-Y pairs need the same id in more than one language"
        )
    enough = part.fills_batch(pool, sampling.batch_size, "an X-Y batch")
    return CrossLanguagePairs(part, pool, allowed, sampling, seed) if enough else None


_BATCHES = {"x_x": _x_x, "x_y": _x_y}


def _allowed_pairs(sampling: Sampling, corpus: str, languages: list[str]) -> NDArray[np.bool_]:
    """(L, L) whether X-Y pairs may have that query language and that passage language."""
    if len(languages) < 2:
        raise ValueError(f"X-Y pairs need two languages, there is only '{languages[0]}'; set sampling=x_x")
    if sampling.cross_language != "any" and _ENGLISH not in map(primary_language, languages):
        raise ValueError(
            f"sampling.cross_language: {sampling.cross_language} pairs languages with English, but '{corpus}' is "
            f"trained on in {', '.join(languages)}; set sampling.cross_language=any"
        )
    english = np.array(list(map(primary_language, languages))) == _ENGLISH
    to_english = np.broadcast_to(english, (len(languages),) * 2)
    from_english = to_english.T
    pairs = {
        "any": np.ones((len(languages),) * 2, bool),
        "english": to_english | from_english,
        "x_en": to_english,
        "en_x": from_english,
    }
    allowed: NDArray[np.bool_] = pairs[sampling.cross_language] & ~np.eye(len(languages), dtype=bool)
    return allowed


def _powers(counts: NDArray[np.int64], exponent: float) -> NDArray[np.float64]:
    """counts ** exponent, and 0 for a count of 0."""
    found: NDArray[np.float64] = np.where(counts > 0, np.maximum(counts, 1.0) ** exponent, 0.0)
    return found
