"""Plans of steps: a pure function of (seed, step) for the global batch (arXiv 2408.10536, section 2.2).

X-X batch: every query and passage in one language. X-Y batch: every pair crosses two languages. A hybrid draws an X-X
batch with probability alpha, else an X-Y batch. A batch of a mixture is drawn from one of its parts.

Plans have no state: any step can be computed without the earlier ones, so ranks, workers and resumed runs agree without
communication. Random numbers are hashes of their purpose and step, and the order of the items advances with the global
step, whatever the kinds of the batches.
"""

from __future__ import annotations

from math import floor

import numpy as np
from numpy.typing import NDArray

from babelbatch.records import Corpus, Mixture, Plan, find_language
from babelbatch.sampling.alpha import alpha_schedule
from babelbatch.sampling.part import Part
from babelbatch.sampling.pools import Availability, Pool
from babelbatch.sampling.proportional_schedule import ProportionalSchedule
from babelbatch.sampling.randomness import KIND, uniform
from babelbatch.sampling.settings import Sampling
from babelbatch.sampling.source import Source


class Sampler:
    """Plans the steps of one strategy on one corpus.

    Without replacement: no item occurs twice within an epoch of its pool, the n items that exist in the step's
    languages. An epoch is n // batch_size steps; the remainder is dropped, and each epoch has its own order. Pools of
    equal size share their order, so in a fully parallel corpus an epoch contains every item at most once, whatever the
    languages. If languages have different items, an X-X epoch is counted in the steps of its language, so one pass over
    all languages sees nearly every item. In a mixture the same is true of each part, with epochs counted in its places
    (`proportional_schedule.py`).

    alpha: the probability of an X-X batch, as a function of the step.
    rows: the rows of the corpus to draw from, each once; default all.
    availability: `Availability(corpus)` if at hand; computing it takes most of the time of a start.
    steps: batches of the run; needed if alpha changes.
    Raises ValueError for a language that the corpus lacks and for a pool smaller than a batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        sampling: Sampling,
        seed: int,
        rows: NDArray[np.int64] | None = None,
        availability: Availability | None = None,
        steps: int | None = None,
    ) -> None:
        self.sampling = sampling
        self.seed = seed
        self.alpha = alpha_schedule(sampling, steps)
        wanted = {"x_x"} if max(self.alpha.values) > 0 else set()
        wanted |= {"x_y"} if min(self.alpha.values) < 1 else set()
        columns = _columns(corpus, sampling.languages)
        if corpus.mixture is None:
            parts = [Part(corpus, Availability(corpus) if availability is None else availability, columns, rows)]
        else:
            parts = _parts(corpus, corpus.mixture, columns, rows)
        self._sources = [Source(part, sampling, seed, wanted) for part in parts]
        self._schedule: ProportionalSchedule | None = None
        if corpus.mixture is not None:
            weights = {kind: self._weights(kind, corpus.mixture) for kind in sorted(wanted)}
            self._schedule = ProportionalSchedule(weights, seed)

    def plan(self, step: int) -> Plan:
        """Items and languages of the global batch at `step`, in O(batch_size) whatever the step."""
        kind = "x_x" if self.is_same_language(step) else "x_y"
        part, place = self._schedule.at(kind, step) if self._schedule else (0, step)
        return self._sources[part].plan(kind, step, place)

    def is_same_language(self, step: int) -> bool:
        """Whether the step is of the X-X kind."""
        if self.sampling.alpha_draw == "stratified":
            offset = uniform(self.seed, KIND, 0)
            return floor(self.alpha.sum_before(step + 1) + offset) > floor(self.alpha.sum_before(step) + offset)
        return uniform(self.seed, KIND, step) < self.alpha.at(step)

    def _weights(self, kind: str, mixture: Mixture) -> list[float]:
        """How much of the batches of that kind come from each part; 0 if it has none."""
        sizes = [source.sizes.get(kind, 0) for source in self._sources]
        if not any(sizes):
            raise ValueError(f"no part of the mixture ({', '.join(mixture.names)}) {_LACKS[kind]}")
        return [size ** float(mixture.exponent) if size else 0.0 for size in sizes]


_LACKS = {
    "x_x": "has a query and its passage in one language; set sampling=x_y",
    "x_y": "has an item in two of the languages, as X-Y pairs need; set sampling=x_x or add a parallel corpus",
}


def largest_batch(corpus: Corpus, rows: NDArray[np.int64], availability: Availability | None = None) -> int:
    """The largest batch that X-X in every language, and X-Y, can fill from `rows`.

    A kind without any item in the whole corpus does not count: X-Y if it is not parallel, X-X for parallel sentences.
    """
    availability = Availability(corpus) if availability is None else availability
    columns = np.arange(len(corpus.languages))
    pools, all_items = _all_pools(availability, columns, rows), _all_pools(availability, columns, None)
    return min((len(pool) for pool, whole in zip(pools, all_items, strict=True) if len(whole)), default=0)


def _all_pools(availability: Availability, columns: NDArray[np.int64], rows: NDArray[np.int64] | None) -> list[Pool]:
    crosslingual = [availability.crosslingual(columns, rows)] if len(columns) > 1 else []
    return [*availability.monolingual(columns, rows), *crosslingual]


def _parts(corpus: Corpus, mixture: Mixture, columns: NDArray[np.int64], rows: NDArray[np.int64] | None) -> list[Part]:
    """The parts of a mixture."""
    parts = []
    for name, start, stop in mixture.spans(len(corpus)):
        own = rows if rows is None else rows[(rows >= start) & (rows < stop)]
        parts.append(Part(corpus, Availability(corpus, start, stop), columns, own, name, start, stop))
    return parts


def _columns(corpus: Corpus, languages: list[str] | None) -> NDArray[np.int64]:
    if languages is None:
        return np.arange(len(corpus.languages))
    typed = languages
    languages = [find_language(language, corpus.languages) or language for language in typed]
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(f"sampling.languages: {typed} names no language, or one twice; name each once")
    unknown = [language for language in languages if language not in corpus.languages]
    if unknown:
        raise ValueError(
            f"sampling.languages: the corpus '{corpus.name}' has no {', '.join(unknown)}; "
            f"it has: {', '.join(corpus.languages)}"
        )
    return np.array([corpus.languages.index(language) for language in languages])
