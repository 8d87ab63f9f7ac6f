"""Which part of a mixture a step draws from."""

from __future__ import annotations

from itertools import pairwise
from math import floor

import numpy as np

from babelbatch.sampling.randomness import BLOCKS, PARTS, derive_seed, random_uint64, uniform

_BLOCK = 64  # steps that share out the parts between them: few to put in order, enough for no kind to meet one part
_NOTHING = 1e-12  # of a share: what rounding leaves over


class PartSchedule:
    """Parts in proportion to their weights, spread evenly: so can be said, without the earlier steps, how many of them
    were a part's, and its items go round in an order of their own.

    What is spread is not parts but outcomes: the part that a step draws from, for each kind that the step may be of. As
    often as the shares allow, that is one part whatever the kind. A part has a place in every step in which one of the
    kinds would draw from it; so both kinds go through its items at one pace, and no two steps have the same place. A
    step of the other kind passes over its place.

    Steps are put in another order within blocks of 64, lest the outcomes follow the rhythm of the kinds. In that order
    the first outcome is taken at an even pace, the second at an even pace of what is left, and so on.

    weights: for each kind, P numbers, 0 for a part that gives no such batch, not all 0. Kinds whose weights have the
        same proportions are drawn alike. A single outcome is taken in every step, in its own order: a part that is
        alone is the corpus that it was.
    parts, blocks: purposes of the random numbers (`randomness.py`).
    """

    def __init__(self, weights: dict[str, list[float]], seed: int, parts: int = PARTS, blocks: int = BLOCKS) -> None:
        self._seed, self._blocks = seed, blocks
        self._kinds = list(weights)
        outcomes = _outcomes(np.array(list(weights.values()), np.float64))
        left = np.cumsum([share for share, _ in outcomes[::-1]])[::-1].tolist()
        self._shares = [
            (chosen, share / rest, uniform(seed, parts, number))
            for number, ((share, chosen), rest) in enumerate(zip(outcomes[:-1], left[:-1], strict=True))
        ]
        self._last = outcomes[-1][1]

    def at(self, kind: str, step: int) -> tuple[int, int]:
        """The part of a step of that kind, and how many places the part has before it, in the order above."""
        own = self._kinds.index(kind)
        if not self._shares:
            return self._last[own], step
        block, place = divmod(step, _BLOCK)
        place = block * _BLOCK + int(
            random_uint64(derive_seed(self._seed, self._blocks, block), _BLOCK).argsort()[place]
        )
        drawn, counts = None, []
        for parts, share, offset in self._shares:
            before = floor(place * share + offset)
            if drawn is None and floor((place + 1) * share + offset) > before:
                drawn = parts
            counts.append((parts, before))
            place -= before
        counts.append((self._last, place))
        part = (self._last if drawn is None else drawn)[own]
        return part, sum(before for parts, before in counts if part in parts)


def _outcomes(weights: np.ndarray) -> list[tuple[float, tuple[int, ...]]]:
    """Shares, largest first, each with a part for every kind, from (K, P) weights. A kind's shares of a part add up to
    what its weights say; the kinds have a part in common as often as the smaller of their shares of it."""
    shares = weights / weights.sum(axis=1, keepdims=True)
    common = shares.min(axis=0)
    found = [(float(share), (part,) * len(shares)) for part, share in enumerate(common) if share > 0]
    ends = (shares - common).cumsum(axis=1)  # what is left of each kind, laid end to end: where the lines are cut
    for low, high in pairwise(np.unique([0.0, *ends.flat]).tolist()):
        if high - low > _NOTHING:
            found.append((high - low, tuple(int(line.searchsorted((low + high) / 2)) for line in ends)))
    return sorted(found, key=lambda outcome: (-outcome[0], outcome[1]))
