"""Which part of a mixture a step draws from."""

from __future__ import annotations

from math import floor

import numpy as np

from babelbatch.sampling.randomness import BLOCKS, PARTS, stream, uniform, words

_BLOCK = 64  # steps that share out the parts between them: few to put in order, enough for no kind to meet one part


class Mixing:
    """Parts in proportion to their weights, spread evenly: so can be said, without the earlier steps, how many of them
    drew from the same part, and a part's items go round in an order of their own.

    Steps are put in another order within blocks of 64, lest the parts follow the rhythm of the kinds. In that order
    the first part is taken at an even pace, the second at an even pace of what is left, and so on.

    parts: P indices. weights: P numbers. The same parts with the same weights are drawn alike, whatever the kind of
        batch. A single part is taken in every step, in its own order: it is the corpus that it was.
    """

    def __init__(self, parts: list[int], weights: list[float], seed: int) -> None:
        self._seed = seed
        order = sorted(zip(weights, parts, strict=True), key=lambda pair: (-pair[0], pair[1]))
        left = np.cumsum([weight for weight, _ in order[::-1]])[::-1].tolist()
        self._shares = [
            (part, weight / rest, uniform(seed, PARTS, part))
            for (weight, part), rest in zip(order[:-1], left[:-1], strict=True)
        ]
        self._last = order[-1][1]

    def at(self, step: int) -> tuple[int, int]:
        """The part of a step, and how many steps before it, in the order above, are the part's too."""
        if not self._shares:
            return self._last, step
        block, place = divmod(step, _BLOCK)
        place = block * _BLOCK + int(words(stream(self._seed, BLOCKS, block), _BLOCK).argsort()[place])
        for part, share, offset in self._shares:
            before = floor(place * share + offset)
            if floor((place + 1) * share + offset) > before:
                return part, before
            place -= before
        return self._last, place
