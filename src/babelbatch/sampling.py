"""What a training step holds: a pure function of (seed, step) for the global batch (arXiv 2408.10536, section 2.2).

X-X batch: every question and passage in one language. X-Y batch: every pair crosses two languages. A hybrid draws an
X-X batch with probability alpha, else an X-Y batch.

Nothing here has state. Any step can be computed without the earlier ones, so every rank, worker and resumed run agrees
without talking. Two things make that possible: a counter-based generator (Philox, Salmon et al. 2011), and an order of
the items that advances with the global step, whichever kind of batch the step turns out to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from babelbatch.records import ABSENT, Corpus, Plan

# Each decision of a step draws from a stream of its own: taking one never shifts another, which is why hybrid with
# alpha 1 and X-X are the same batches bit for bit.
_KIND, _LANGUAGE, _PAIRS, _ORDER = range(4)


def generator(seed: int, purpose: int, step: int) -> np.random.Generator:
    """The random numbers of one decision at one step: a function of its arguments alone."""
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=[0, 0, 0, step]))


def permuted(positions: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Where a pseudo-random permutation of range(size) sends `positions`, in O(len(positions)) time and memory.

    A balanced Feistel network over the smallest even number of bits that holds `size`, walked until the value falls
    inside (Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains"). The permutation depends on (seed, epoch).
    """
    half_bits = np.uint64(max(1, (size - 1).bit_length() + 1 >> 1))
    mask = np.uint64((1 << int(half_bits)) - 1)
    round_keys = generator(seed, _ORDER, epoch).integers(0, 2**64, size=8, dtype=np.uint64)

    def encrypt(value: np.ndarray) -> np.ndarray:
        left, right = value >> half_bits, value & mask
        for key in round_keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return left << half_bits | right

    result = encrypt(np.asarray(positions, np.uint64))
    while (outside := result >= size).any():
        result[outside] = encrypt(result[outside])
    return result.astype(np.int64)


def _mixed(value: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014): every input bit changes about half of the output bits."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


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

    `rows`, default all, restricts the corpus (a validation split plans over its own rows).
    Raises ValueError for a language that the corpus lacks and for a pool smaller than a batch.
    """

    def __init__(self, corpus: Corpus, sampling: Sampling, seed: int, rows: np.ndarray | None = None) -> None:
        self.sampling = sampling
        self.seed = seed
        self._languages = _columns(corpus, sampling.languages)
        rows = np.arange(len(corpus)) if rows is None else rows
        self._has_question = corpus.questions[np.ix_(rows, self._languages)] != ABSENT
        self._has_passage = corpus.passages[np.ix_(rows, self._languages)] != ABSENT
        self._rows = rows
        same, crossing = _same_and_crossing(self._has_question, self._has_passage)
        names = [corpus.languages[column] for column in self._languages]
        if sampling.alpha > 0 and sampling.same_language == "batch":
            self._monolingual = [
                self._pool(same[:, column], f"an X-X batch in '{name}'") for column, name in enumerate(names)
            ]
            sizes = np.array([len(pool) for pool in self._monolingual], np.float64)
            weights = sizes**sampling.language_exponent
            self._language_edges = np.cumsum(weights)[:-1] / weights.sum()
        if sampling.alpha > 0 and sampling.same_language == "pair":
            self._any_same = self._pool(same.any(axis=1), "a batch of same-language pairs")
        if sampling.alpha < 1:
            if len(names) < 2:
                raise ValueError(f"X-Y pairs need two languages, there is only '{names[0]}'; set sampling=x_x")
            self._crosslingual = self._pool(crossing, "an X-Y batch")

    def plan(self, step: int) -> Plan:
        """Items and languages of the global batch at `step`, in O(batch_size) whatever the step."""
        if self.is_same_language(step):
            if self.sampling.same_language == "pair":
                return self._plan_pairs("x_x", step, self._any_same, crossing=False)
            draw = generator(self.seed, _LANGUAGE, step).random()
            language = int(np.searchsorted(self._language_edges, draw, side="right"))
            items = self._items(self._monolingual[language], step)
            column = np.full(len(items), self._languages[language])
            return Plan("x_x", self._rows[items], column, column)
        return self._plan_pairs("x_y", step, self._crosslingual, crossing=True)

    def is_same_language(self, step: int) -> bool:
        """Whether the step is of the X-X kind."""
        alpha = self.sampling.alpha
        if self.sampling.alpha_draw == "stratified":
            offset = generator(self.seed, _KIND, 0).random()
            return np.floor((step + 1) * alpha + offset) > np.floor(step * alpha + offset)
        return generator(self.seed, _KIND, step).random() < alpha

    def _pool(self, eligible: np.ndarray, purpose: str) -> np.ndarray:
        pool = np.flatnonzero(eligible)
        if len(pool) == 0 and purpose == "an X-Y batch":
            raise ValueError("no item exists in two languages: X-Y pairs need the same id in more than one language")
        if len(pool) < self.sampling.batch_size:
            raise ValueError(
                f"{purpose} needs {self.sampling.batch_size} items, there are {len(pool)} to train on; "
                "lower sampling.batch_size or leave the language out of sampling.languages"
            )
        return pool

    def _items(self, pool: np.ndarray, step: int) -> np.ndarray:
        size = self.sampling.batch_size
        epoch, batch = divmod(step, len(pool) // size)
        return pool[permuted(np.arange(batch * size, (batch + 1) * size), len(pool), self.seed, epoch)]

    def _plan_pairs(self, kind: str, step: int, pool: np.ndarray, *, crossing: bool) -> Plan:
        """Each item with a language pair of its own, uniform over those it exists in."""
        items = self._items(pool, step)
        allowed = self._has_question[items][:, :, None] & self._has_passage[items][:, None, :]
        allowed &= np.eye(len(self._languages), dtype=bool) != crossing
        allowed = allowed.reshape(len(items), -1)
        draws = generator(self.seed, _PAIRS, step).random(len(items))
        # The draw-th of the allowed cells: the first whose running count exceeds draw * count.
        running = allowed.cumsum(axis=1)
        cell = (running > (draws * running[:, -1])[:, None]).argmax(axis=1)
        question, passage = np.divmod(cell, len(self._languages))
        return Plan(kind, self._rows[items], self._languages[question], self._languages[passage])


def largest_batch(corpus: Corpus, rows: np.ndarray) -> int:
    """The largest batch that every X-X language, and X-Y where there are two languages, can fill from `rows`."""
    same, crossing = _same_and_crossing(corpus.questions[rows] != ABSENT, corpus.passages[rows] != ABSENT)
    pools = same.sum(axis=0).tolist()
    return min(pools if len(corpus.languages) == 1 else [*pools, int(crossing.sum())])


def _same_and_crossing(has_question: np.ndarray, has_passage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, L) whether an item can be an X-X pair in a language, and (N,) whether it can be an X-Y pair."""
    same = has_question & has_passage
    pairs = has_question.sum(axis=1) * has_passage.sum(axis=1)
    return same, pairs > same.sum(axis=1)  # more (question language, passage language) pairs than same-language ones


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
