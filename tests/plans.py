"""Plans of steps and corpora to draw them from, for the tests of samplers."""

from __future__ import annotations

import numpy as np

from babelbatch.records import Corpus, Plan
from babelbatch.sampling import Sampler, Sampling
from conftest import MakeCorpus

X_X = Sampling(name="x_x", alpha=1.0, batch_size=4)
X_Y = Sampling(name="x_y", alpha=0.0, batch_size=4)
HYBRID = Sampling(name="hybrid", alpha=0.5, batch_size=4)


def plans(sampler: Sampler, steps: int) -> list[Plan]:
    """The first steps."""
    return [sampler.plan(step) for step in range(steps)]


def same(one: Plan, other: Plan) -> bool:
    """Whether two plans are equal to the bit, types of the arrays included."""
    return one.kind == other.kind and all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("items", "query_languages", "passage_languages")
    )


def ragged_corpus(make_corpus: MakeCorpus, no_passage: list[tuple[int, str]]) -> Corpus:
    """40 items: no German query in every third, no Chinese query in every second, no Chinese passage in every tenth."""
    return make_corpus(
        40,
        no_query=[(item, "de") for item in range(0, 40, 3)] + [(item, "zh") for item in range(0, 40, 2)],
        no_passage=[*no_passage, *((item, "zh") for item in range(1, 40, 10))],
    )
