"""Plans of steps: a pure function of (seed, step) for the global batch (arXiv 2408.10536, section 2.2).

X-X batch: every question and passage in one language. X-Y batch: every pair crosses two languages. A hybrid draws an
X-X batch with probability alpha, else an X-Y batch. A batch of a mixture is drawn from one of its parts.

Nothing here has state. Any step can be computed without the earlier ones, so every rank, worker and resumed run agrees
without talking. Two things make that possible: random numbers that are hashes of what they are for, and an order of the
items that advances with the global step, whichever kind of batch the step turns out to be.
"""

from __future__ import annotations

from math import floor

import numpy as np

from babelbatch.records import Corpus, Mixture, Plan
from babelbatch.sampling.alpha import alpha_schedule
from babelbatch.sampling.mixing import PartSchedule
from babelbatch.sampling.pools import Availability, Pool
from babelbatch.sampling.randomness import KIND, uniform
from babelbatch.sampling.settings import Sampling
from babelbatch.sampling.source import Source


class Sampler:
    """Plans the steps of one strategy on one corpus. `plan(step)` is pure; what is kept is derived from the corpus.

    Without replacement: within an epoch of a pool of n items (those that exist in the step's languages) no item
    occurs twice. An epoch is n // batch_size steps; the rest of its order is dropped, and another epoch has another
    order. Pools of equal size share their order: in a fully parallel corpus an epoch holds every item at most once,
    whatever the languages. Where languages have items of their own, an X-X epoch is counted in the steps of the
    language, so that one pass over all languages sees nearly every item (`mixing.py`). In a mixture the same holds of
    each part, its epochs counted in its places: the steps that one of the kinds would draw from it. A place that turns
    out to be another part's is passed over.

    alpha: the probability of an X-X batch, as a function of the step.
    rows: the rows of the corpus to draw from, each once, by default all (a validation split plans over its own rows).
    availability: `Availability(corpus)`, if known already: to find out takes most of the time of a start.
    steps: batches of the run; needed where alpha changes.
    Raises ValueError for a language that the corpus lacks and for a pool smaller than a batch.
    """

    def __init__(
        self,
        corpus: Corpus,
        sampling: Sampling,
        seed: int,
        rows: np.ndarray | None = None,
        availability: Availability | None = None,
        steps: int | None = None,
    ) -> None:
        self.sampling = sampling
        self.seed = seed
        self.alpha = alpha_schedule(sampling, steps)
        columns = _columns(corpus, sampling.languages)
        ever = {"x_x": max(self.alpha.values) > 0, "x_y": min(self.alpha.values) < 1}
        wanted = {kind for kind in ever if ever[kind]}
        self._mixing: PartSchedule | None = None
        if corpus.mixture is None:
            availability = Availability(corpus) if availability is None else availability
            self._sources = [Source(corpus, availability, sampling, columns, seed, rows, wanted)]
            return
        self._sources = []
        for name, start, stop in corpus.mixture.spans(len(corpus)):
            own = rows if rows is None else rows[(rows >= start) & (rows < stop)]
            part = Availability(corpus, start, stop)
            self._sources.append(Source(corpus, part, sampling, columns, seed, own, wanted, start, stop, name))
        self._mixing = PartSchedule({kind: self._weights(kind, corpus.mixture) for kind in sorted(wanted)}, seed)

    def plan(self, step: int) -> Plan:
        """Items and languages of the global batch at `step`, in O(batch_size) whatever the step."""
        kind = "x_x" if self.is_same_language(step) else "x_y"
        part, place = self._mixing.at(kind, step) if self._mixing else (0, step)
        return self._sources[part].plan(kind, step, place)

    def is_same_language(self, step: int) -> bool:
        """Whether the step is of the X-X kind."""
        if self.sampling.alpha_draw == "stratified":
            offset = uniform(self.seed, KIND, 0)
            return floor(self.alpha.before(step + 1) + offset) > floor(self.alpha.before(step) + offset)
        return uniform(self.seed, KIND, step) < self.alpha.at(step)

    def _weights(self, kind: str, mixture: Mixture) -> list[float]:
        """Of each part, for batches of that kind: 0 if it gives none."""
        sizes = [source.sizes.get(kind, 0) for source in self._sources]
        if not any(sizes):
            raise ValueError(f"no part of the mixture ({', '.join(mixture.names)}) {_LACKS[kind]}")
        return [size ** float(mixture.exponent) if size else 0.0 for size in sizes]


_LACKS = {
    "x_x": "has a question and its passage in one language; set sampling=x_y",
    "x_y": "has an item in two of the languages, as X-Y pairs need; set sampling=x_x or add a parallel corpus",
}


def largest_batch(corpus: Corpus, rows: np.ndarray, availability: Availability | None = None) -> int:
    """The largest batch that X-X in every language, and X-Y, can fill from `rows`. What no item of the corpus is for is
    left out: X-Y if it is not parallel, X-X if it is parallel sentences."""
    availability = Availability(corpus) if availability is None else availability
    columns = np.arange(len(corpus.languages))
    pools, known = _all_pools(availability, columns, rows), _all_pools(availability, columns, None)
    return min((len(pool) for pool, whole in zip(pools, known, strict=True) if len(whole)), default=0)


def _all_pools(availability: Availability, columns: np.ndarray, rows: np.ndarray | None) -> list[Pool]:
    crosslingual = [availability.crosslingual(columns, rows)] if len(columns) > 1 else []
    return [*availability.monolingual(columns, rows), *crosslingual]


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
