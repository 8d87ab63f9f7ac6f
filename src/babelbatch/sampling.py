"""What a training step holds: a pure function of (seed, step) for the global batch (arXiv 2408.10536, section 2.2).

X-X batch: every question and passage in one language. X-Y batch: every pair crosses two languages. A hybrid draws an
X-X batch with probability alpha, else an X-Y batch.

Nothing here has state. Any step can be computed without the earlier ones, so every rank, worker and resumed run agrees
without talking. Two things make that possible: random numbers that are hashes of what they are for, and an order of the
items that advances with the global step, whichever kind of batch the step turns out to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import floor, isqrt
from typing import Literal, TypeVar

import numpy as np

from babelbatch.pools import Pool, Presence
from babelbatch.records import ABSENT, Corpus, Plan

# Each decision of a step draws from a stream of its own: taking one never shifts another, which is why hybrid with
# alpha 1 and X-X are the same batches bit for bit.
_KIND, _LANGUAGE, _PAIRS, _ORDER = range(4)

_GAMMA = 0x9E3779B97F4A7C15  # the golden ratio's fraction
_64_BITS = 2**64 - 1
_ROUNDS = 6  # after 4, the distance of two positions is visibly not uniform at 1,025 items; after 6, it is
_SORTED = 1024

_Words = TypeVar("_Words", int, np.ndarray)


def stream(seed: int, purpose: int, step: int) -> int:
    """64 random bits for one decision at one step: a function of the arguments alone.

    Each argument is finalised as SplitMix64 does it (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number
    Generators"): over the steps, the numbers of a purpose are those of that generator.
    """
    state = 0
    for part in (seed, purpose, step):
        state = _finalised(state + (part + 1) * _GAMMA & _64_BITS)
    return state


def uniform(seed: int, purpose: int, step: int) -> float:
    """A random number in [0, 1)."""
    return (stream(seed, purpose, step) >> 11) / 2**53


def below(limits: np.ndarray | int, count: int, seed: int, purpose: int, step: int) -> np.ndarray:
    """(count,) int64, number n uniform in range(limits[n]); limits are below 2**31."""
    return (_words(stream(seed, purpose, step), count) >> 32).astype(np.int64) * limits >> 32


def _words(state: int, count: int) -> np.ndarray:
    """(count,) uint64, the first numbers of SplitMix64 from `state`. They differ from each other."""
    return _finalised(np.arange(1, count + 1, dtype=np.uint64) * _GAMMA + state)


def _finalised(value: _Words) -> _Words:
    """Every bit of 64 changes about half of the bits of the result; no two values have the same result."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _64_BITS
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _64_BITS
    return value ^ value >> 31


def permuted(positions: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Where a pseudo-random permutation of range(size) sends `positions`, in O(len(positions)) time and memory.

    A generalised Feistel network: positions are cells of the squarest table that holds `size`; columns are rotated by
    a hash of the row, then rows by a hash of the column, in turn. What falls outside, about one in sqrt(size), is sent
    on until it falls inside (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains"). A table that is small
    has few rotations, and some orders would be likelier than others: up to 1,024, the order is that of random numbers.
    The permutation depends on (seed, epoch). `size` is below 2**62.
    """
    state = stream(seed, _ORDER, epoch)
    if size <= _SORTED:
        return _words(state, size).argsort()[positions]
    width = isqrt(size)
    height = -(-size // width)
    keys = [state + number * _GAMMA & _64_BITS for number in range(1, _ROUNDS + 1)]

    def encrypt(value: np.ndarray) -> np.ndarray:
        row = value // width
        column = value - row * width
        for one, other in zip(keys[::2], keys[1::2], strict=True):
            column = _rotated(column, row, one, width)
            row = _rotated(row, column, other, height)
        return row * width + column

    result = encrypt(np.asarray(positions, np.uint64))
    while len(outside := np.flatnonzero(result >= size)):
        result[outside] = encrypt(result[outside])
    return result.astype(np.int64)


def _rotated(value: np.ndarray, by: np.ndarray, key: int, length: int) -> np.ndarray:
    """(value + a hash of `by` and the key) mod length."""
    offset = (by + key) * 0xBF58476D1CE4E5B9
    offset ^= offset >> 32
    offset *= 0x94D049BB133111EB
    offset >>= 32
    offset *= length
    offset >>= 32
    offset += value
    return np.minimum(offset, offset - length)  # unsigned: what is not yet a turn wraps to something huge


@dataclass(frozen=True)
class Sampling:
    """The settings of a strategy. Shipped as `x_x`, `x_y`, `hybrid`, `mixed` and `english`.

    name: what tables, plots and dashboards call it.
    alpha: the probability of a same-language batch; the rest cross languages.
    batch_size: pairs in the global batch.
    alpha_draw: `random`: each step is drawn on its own. `stratified`: the steps are spread evenly, so that any window
        of n steps holds alpha * n same-language batches, give or take one.
    same_language: what X-X means. `batch`: the whole batch in one language. `pair`: each pair in one language,
        languages mixed within the batch (LAReQA's X-X; languages act as a shortcut there, and it is much worse).
    languages: train on these only; default all languages of the corpus.
    language_exponent: an X-X batch takes language l with probability proportional to (pairs in l) ** exponent:
        0 is uniform (the paper), 1 is by size.
    """

    name: str
    alpha: float
    batch_size: int = 128
    alpha_draw: Literal["random", "stratified"] = "random"
    same_language: Literal["batch", "pair"] = "batch"
    languages: list[str] | None = None
    language_exponent: float = 0.0


class Sampler:
    """Plans the steps of one strategy on one corpus. `plan(step)` is pure; what is kept is derived from the corpus.

    Without replacement: within an epoch of a pool of n items (those that exist in the step's languages) no item
    occurs twice. An epoch is n // batch_size steps; the rest of its order is dropped, and another epoch has another
    order. Pools of equal size share their order: in a fully parallel corpus an epoch holds every item at most once,
    whatever the languages.

    rows: the rows of the corpus to draw from, each once, by default all (a validation split plans over its own rows).
    presence: `Presence(corpus)`, if known already: to find out takes most of the time of a start.
    Raises ValueError for a language that the corpus lacks and for a pool smaller than a batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        sampling: Sampling,
        seed: int,
        rows: np.ndarray | None = None,
        presence: Presence | None = None,
    ) -> None:
        self.sampling = sampling
        self.seed = seed
        self._languages = _columns(corpus, sampling.languages)
        presence = Presence(corpus) if presence is None else presence
        self._tables = None if presence.complete else (corpus.questions, corpus.passages)
        names = [corpus.languages[column] for column in self._languages]
        if sampling.alpha > 0 and sampling.same_language == "batch":
            self._monolingual = presence.monolingual(self._languages, rows)
            for pool, name in zip(self._monolingual, names, strict=True):
                self._check(pool, f"an X-X batch in '{name}'")
            sizes = np.array([len(pool) for pool in self._monolingual], np.float64)
            weights = sizes**sampling.language_exponent
            self._language_edges = np.cumsum(weights)[:-1] / weights.sum()
        if sampling.alpha > 0 and sampling.same_language == "pair":
            self._any_monolingual = presence.any_monolingual(self._languages, rows)
            self._check(self._any_monolingual, "a batch of same-language pairs")
        if sampling.alpha < 1:
            if len(names) < 2:
                raise ValueError(f"X-Y pairs need two languages, there is only '{names[0]}'; set sampling=x_x")
            self._crosslingual = presence.crosslingual(self._languages, rows)
            if len(self._crosslingual) == 0:
                raise ValueError(
                    "no item exists in two languages: X-Y pairs need the same id in more than one language"
                )
            self._check(self._crosslingual, "an X-Y batch")

    def plan(self, step: int) -> Plan:
        """Items and languages of the global batch at `step`, in O(batch_size) whatever the step."""
        if not self.is_same_language(step):
            items = self._items(self._crosslingual, step)
            return Plan("x_y", items, *self._crosslingual_pairs(items, step))
        if self.sampling.same_language == "pair":
            items = self._items(self._any_monolingual, step)
            languages = self._monolingual_pairs(items, step)
        else:
            draw = uniform(self.seed, _LANGUAGE, step)
            language = int(self._language_edges.searchsorted(draw, side="right"))
            items = self._items(self._monolingual[language], step)
            languages = np.full(len(items), self._languages[language])
        return Plan("x_x", items, languages, languages)

    def is_same_language(self, step: int) -> bool:
        """Whether the step is of the X-X kind."""
        alpha = self.sampling.alpha
        if self.sampling.alpha_draw == "stratified":
            offset = uniform(self.seed, _KIND, 0)
            return floor((step + 1) * alpha + offset) > floor(step * alpha + offset)
        return uniform(self.seed, _KIND, step) < alpha

    def _check(self, pool: Pool, purpose: str) -> None:
        if len(pool) < self.sampling.batch_size:
            raise ValueError(
                f"{purpose} needs {self.sampling.batch_size} items, there are {len(pool)} to train on; "
                "lower sampling.batch_size or leave the language out of sampling.languages"
            )

    def _items(self, pool: Pool, step: int) -> np.ndarray:
        size = self.sampling.batch_size
        epoch, batch = divmod(step, len(pool) // size)
        return pool[permuted(np.arange(batch * size, (batch + 1) * size), len(pool), self.seed, epoch)]

    def _monolingual_pairs(self, items: np.ndarray, step: int) -> np.ndarray:
        """(B,) a language for both texts of each item, uniform over those it has both in."""
        if self._tables is None:
            return self._languages[self._draw(len(self._languages), len(items), step)]
        questions, passages = self._exist(items)
        running = _running(questions & passages)
        return self._languages[_place(self._draw(running[-1], len(items), step), running)]

    def _crosslingual_pairs(self, items: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(B,) and (B,) different languages for question and passage, uniform over the ordered pairs of each item."""
        if self._tables is None:
            others = len(self._languages) - 1
            question, passage = np.divmod(self._draw((others + 1) * others, len(items), step), others)
            passage += passage >= question
        else:
            questions, passages = self._exist(items)
            # A question language counts once for each passage in another language.
            pairs = questions * (passages.sum(axis=0, dtype=np.int32) - passages)
            running = _running(pairs)
            draw = self._draw(running[-1], len(items), step)
            question = _place(draw, running)
            batch = np.arange(len(items))
            draw -= running[question, batch] - pairs[question, batch]
            passages[question, batch] = False
            passage = _place(draw, _running(passages))
        return self._languages[question], self._languages[passage]

    def _draw(self, limits: np.ndarray | int, count: int, step: int) -> np.ndarray:
        return below(limits, count, self.seed, _PAIRS, step)

    def _exist(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(L, B) each, whether an item has a question and a passage in each of the languages."""
        questions, passages = (
            (table.take(items, axis=0) != ABSENT).T.take(self._languages, axis=0) for table in self._tables
        )
        return questions, passages


def _running(counts: np.ndarray) -> np.ndarray:
    """(L, B) sums of the rows so far: a cumsum, several times as fast for a long B."""
    return np.stack(list(accumulate(counts.astype(np.int32))))


def _place(value: np.ndarray, running: np.ndarray) -> np.ndarray:
    """(B,) the first row of `running` that exceeds the value."""
    return (running <= value).sum(axis=0)


def largest_batch(corpus: Corpus, rows: np.ndarray, presence: Presence | None = None) -> int:
    """The largest batch that every X-X language, and X-Y where there are two languages, can fill from `rows`."""
    presence = Presence(corpus) if presence is None else presence
    columns = np.arange(len(corpus.languages))
    pools = presence.monolingual(columns, rows)
    if len(columns) > 1:
        pools.append(presence.crosslingual(columns, rows))
    return min(map(len, pools))


def _columns(corpus: Corpus, languages: list[str] | None) -> np.ndarray:
    if languages is None:
        return np.arange(len(corpus.languages))
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(f"sampling.languages: {languages} names no language, or one twice; name each once")
    unknown = [language for language in languages if language not in corpus.languages]
    if unknown:
        raise ValueError(
            f"sampling.languages: the corpus '{corpus.name}' has no {', '.join(unknown)}; "
            f"it has: {', '.join(corpus.languages)}"
        )
    return np.array([corpus.languages.index(language) for language in languages])
