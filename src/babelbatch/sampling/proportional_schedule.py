"""Choices in proportion to weights, one for each step: the part of a mixture, or the X-X language."""

from __future__ import annotations

from itertools import pairwise
from math import floor

import numpy as np
from numpy.typing import NDArray

from babelbatch.sampling.randomness import BLOCKS, PARTS, derive_seed, random_uint64, uniform

_BLOCK = 64  # steps that are shuffled together: few to sort, enough to decouple the parts from the kinds
_ROUNDING = 1e-12  # a share below it is what rounding leaves over


class ProportionalSchedule:
    """Chooses the part that each step draws from, in proportion to the weights.

    The choice is a closed form of the step, so the number of earlier steps of a part is known without replaying the
    run. An outcome is the part for each kind that a step may have; where the shares allow, the same part for all
    kinds. A part has a place in each step in which one of the kinds would draw from it, so all kinds go through its
    items at the same pace and no two steps have the same place. A step of the other kind skips its place.

    Steps are shuffled within blocks of 64, so that the outcomes do not follow the rhythm of the kinds. In that order
    the first outcome comes at an even pace, the second at an even pace among the remaining steps, and so on.

    weights: for each kind, P numbers, 0 for a part without batches of the kind, not all 0. A single outcome is not
        shuffled: a mixture of one part has the batches of its corpus.
    purpose, block_purpose: of the random numbers (`randomness.py`).
    """

    def __init__(
        self, weights: dict[str, list[float]], seed: int, purpose: int = PARTS, block_purpose: int = BLOCKS
    ) -> None:
        self._seed, self._block_purpose = seed, block_purpose
        self._kinds = list(weights)
        outcomes = _outcomes(np.array(list(weights.values()), np.float64))
        left = np.cumsum([share for share, _ in outcomes[::-1]])[::-1].tolist()
        self._shares = [
            (parts, share / rest, uniform(seed, purpose, number))
            for number, ((share, parts), rest) in enumerate(zip(outcomes[:-1], left[:-1], strict=True))
        ]
        self._last = outcomes[-1][1]

    def at(self, kind: str, step: int) -> tuple[int, int]:
        """The part of a step of that kind, and the number of places that the part has before it, in shuffled order."""
        own = self._kinds.index(kind)
        if not self._shares:
            return self._last[own], step
        place = self._shuffled(step)
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

    def _shuffled(self, step: int) -> int:
        block, place = divmod(step, _BLOCK)
        order = random_uint64(derive_seed(self._seed, self._block_purpose, block), _BLOCK).argsort()
        return block * _BLOCK + int(order[place])


def _outcomes(weights: NDArray[np.float64]) -> list[tuple[float, tuple[int, ...]]]:
    """Shares, largest first, each with a part for every kind, from (K, P) weights.

    The shares of a part, for each kind, add up to its weight. The kinds have a part in common as often as the smaller
    of their shares of it.
    """
    shares = weights / weights.sum(axis=1, keepdims=True)
    common = shares.min(axis=0)
    found = [(float(share), (part,) * len(shares)) for part, share in enumerate(common) if share > 0]
    ends = (shares - common).cumsum(axis=1)  # the remainders of each kind on a line, cut at the ends of all kinds
    for low, high in pairwise(np.unique([0.0, *ends.flat]).tolist()):
        if high - low > _ROUNDING:
            found.append((high - low, tuple(int(line.searchsorted((low + high) / 2)) for line in ends)))
    return sorted(found, key=lambda outcome: (-outcome[0], outcome[1]))
