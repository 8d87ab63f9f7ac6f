"""Counter-based random numbers: hashes of a purpose and a step, so that any step can be drawn without the earlier ones.

Each decision of a step has its own stream. Drawing from one never shifts another, so hybrid with alpha 1 has the same
batches as X-X bit for bit. A new decision takes a new purpose, added at the end.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

KIND, LANGUAGE, PAIRS, ORDER, WEIGHTED, PARTS, BLOCKS, LANGUAGES, LANGUAGE_BLOCKS = range(9)
"""The purposes: the kind of a step; its X-X language, if all languages have the same items; the languages of its pairs,
drawn evenly; the order of an epoch; the languages of its pairs, drawn by weight; the parts of a mixture; the order of
their blocks of steps; the X-X language, if languages have different items; the order of its blocks of steps."""

_GAMMA = 0x9E3779B97F4A7C15  # the golden ratio's fraction
_64_BITS = 2**64 - 1
_ROUNDS = 6  # after 4, the distance of two positions is visibly not uniform at 1,025 items; after 6, it is
_SORTED = 1024

_Value = TypeVar("_Value", int, NDArray[Any])


def derive_seed(seed: int, purpose: int, step: int) -> int:
    """The seed of one decision at one step, 64 random bits: a pure function of the arguments.

    Each argument is finalised as SplitMix64 does it (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number
    Generators"): over the steps, the numbers of a purpose are those of that generator.
    """
    state = 0
    for part in (seed, purpose, step):
        state = _finalised(state + (part + 1) * _GAMMA & _64_BITS)
    return state


def uniform(seed: int, purpose: int, step: int) -> float:
    """A random number in [0, 1)."""
    return (derive_seed(seed, purpose, step) >> 11) / 2**53


def random_below(
    limits: NDArray[np.integer[Any]] | int, count: int, seed: int, purpose: int, step: int
) -> NDArray[np.int64]:
    """(count,) int64, number n uniform in range(limits[n]); limits are below 2**31."""
    return (random_uint64(derive_seed(seed, purpose, step), count) >> 32).astype(np.int64) * limits >> 32


def random_fractions(count: int, seed: int, purpose: int, step: int) -> NDArray[np.float64]:
    """(count,) float64, uniform in [0, 1)."""
    return (random_uint64(derive_seed(seed, purpose, step), count) >> 11) / 2**53


def random_uint64(state: int, count: int) -> NDArray[np.uint64]:
    """(count,) distinct uint64, the first numbers of SplitMix64 from `state`."""
    return _finalised(np.arange(1, count + 1, dtype=np.uint64) * _GAMMA + state)


def _finalised(value: _Value) -> _Value:
    """Every bit of 64 changes about half of the bits of the result; no two values have the same result."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _64_BITS
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _64_BITS
    value ^= value >> 31
    return value


def permuted(positions: NDArray[np.int64], size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Where a pseudo-random permutation of range(size) sends `positions`, in O(len(positions)) time and memory.

    A generalised Feistel network: positions are cells of a nearly square table of at least `size` cells; columns are
    rotated by a hash of the row, then rows by a hash of the column, in turn. A position outside, about one in
    sqrt(size), is encrypted again until it falls inside (Black and Rogaway 2002, "Ciphers with Arbitrary Finite
    Domains"). Up to 1,024 items, where so few rotations would favour some orders, random numbers are sorted instead.

    The permutation depends on (seed, epoch). `size` is below 2**62.
    """
    state = derive_seed(seed, ORDER, epoch)
    if size <= _SORTED:
        return random_uint64(state, size).argsort()[positions]
    width = isqrt(size)
    height = -(-size // width)
    keys = [state + number * _GAMMA & _64_BITS for number in range(1, _ROUNDS + 1)]

    def encrypt(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
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


def _rotated(value: NDArray[np.uint64], by: NDArray[np.uint64], key: int, length: int) -> NDArray[np.uint64]:
    """(value + a hash of `by` and the key) mod length."""
    offset = (by + key) * 0xBF58476D1CE4E5B9
    offset ^= offset >> 32
    offset *= 0x94D049BB133111EB
    offset >>= 32
    offset *= length
    offset >>= 32
    offset += value
    return np.minimum(offset, offset - length)  # unsigned: what is not yet a turn wraps to something huge
