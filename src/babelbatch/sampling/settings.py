"""The settings of a strategy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from babelbatch.configuration.rules import problems_of_alpha

if TYPE_CHECKING:
    import numpy as np

    from babelbatch.records import Corpus
    from babelbatch.sampling.pools import Availability
    from babelbatch.sampling.sampler import Sampler


@dataclass(frozen=True)
class Sampling:
    """The settings of a strategy. Shipped under the names of `conf/sampling/`.

    name: what tables, plots and dashboards call it.
    alpha: the probability of a same-language batch; the rest cross languages. With a schedule, that of the first step.
    batch_size: pairs in the global batch.
    alpha_draw: `random`: each step is drawn on its own. `stratified`: the steps are spread evenly, so that any window
        of n steps holds n * (its mean alpha) same-language batches, give or take one.
    schedule: how alpha changes over the run. `linear` and `cosine` (half a period) go to `alpha_end`; `switch` jumps
        there once `switch_at` of the batches are done, a number between 0 and 1; `steps` follows `alpha_steps`.
    alpha_end: the last alpha of a schedule. switch_at: the fraction of the batches after which `switch` jumps to it.
    alpha_steps: [fraction, alpha] pairs in order; from that fraction of the batches on, that alpha.
    same_language: what X-X means. `batch`: the whole batch in one language. `pair`: each pair in one language,
        languages mixed within the batch (LAReQA's X-X; languages act as a shortcut there, and it is much worse).
    languages: train on these only; default all languages of the corpus.
    language_exponent: X-X takes language l with probability proportional to (pairs in l) ** exponent: 0 is uniform (the
        paper), 1 is by size; 1 / T for a language temperature T. With `same_language: pair` the choice is among the
        languages that each item has.
    cross_language: which pairs X-Y has. `any`; `english`: those of English and another language; `x_en`: queries in
        another language, passages in English; `en_x`: the other way.
    pair_exponent: an item of an X-Y batch takes one of its language pairs with probability proportional to (items that
        have that pair) ** exponent: 0 is uniform (the paper), 1 is by size.

    Raises ValueError if the numbers do not fit the schedule.
    """

    name: str
    alpha: float
    batch_size: int = 128
    alpha_draw: Literal["random", "stratified"] = "random"
    schedule: Literal["constant", "linear", "cosine", "switch", "steps"] = "constant"
    alpha_end: float | None = None
    switch_at: float | None = None
    alpha_steps: list[list[float]] | None = None
    same_language: Literal["batch", "pair"] = "batch"
    languages: list[str] | None = None
    language_exponent: float = 0.0
    cross_language: Literal["any", "english", "x_en", "en_x"] = "any"
    pair_exponent: float = 0.0

    def __post_init__(self) -> None:
        problems = [f"sampling.{problem}" for problem in problems_of_alpha(asdict(self))]
        if problems:
            raise ValueError("; ".join(problems))

    def sampler(
        self,
        corpus: Corpus,
        seed: int,
        rows: np.ndarray | None = None,
        availability: Availability | None = None,
        steps: int | None = None,
    ) -> Sampler:
        """Plans the steps of this strategy on a corpus; see `Sampler`. A subclass may return its own sampler."""
        from babelbatch.sampling.sampler import Sampler  # which imports this module

        return Sampler(corpus, self, seed, rows, availability, steps)
