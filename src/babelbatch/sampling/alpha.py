"""Alpha over a run: the probability of a same-language batch at each step, and how many such batches to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from babelbatch.sampling.settings import Sampling


class Alpha(Protocol):
    """How alpha goes over a run of known length; after it, alpha stays where it is."""

    def at(self, step: int) -> float:
        """Alpha at a step."""
        ...

    def before(self, step: int) -> float:
        """The sum of alpha over the steps before it, in closed form."""
        ...

    @property
    def values(self) -> tuple[float, ...]:
        """Those that alpha starts from, stays at and ends at, in order: between them lie all others."""
        ...

    @property
    def mean(self) -> float:
        """Over the run."""
        ...


@dataclass(frozen=True)
class Constant:
    alpha: float

    def at(self, step: int) -> float:
        return self.alpha

    def before(self, step: int) -> float:
        return step * self.alpha

    @property
    def values(self) -> tuple[float, ...]:
        return (self.alpha,)

    @property
    def mean(self) -> float:
        return self.alpha


@dataclass(frozen=True)
class Slope:
    """From start to end over `steps` steps, along a line or half a period of a cosine."""

    start: float
    end: float
    steps: int
    curve: Literal["linear", "cosine"]

    def at(self, step: int) -> float:
        progress = min((step + 0.5) / self.steps, 1.0)  # in the middle of the step
        gone = progress if self.curve == "linear" else (1 - math.cos(math.pi * progress)) / 2
        return self.start + (self.end - self.start) * gone

    def before(self, step: int) -> float:
        inside = min(step, self.steps)
        progress = inside / self.steps
        wave = math.sin(math.pi * progress) / math.pi
        gone = (progress**2 if self.curve == "linear" else progress - wave) / 2
        return inside * self.start + (self.end - self.start) * self.steps * gone + (step - inside) * self.end

    @property
    def values(self) -> tuple[float, ...]:
        return self.start, self.end

    @property
    def mean(self) -> float:
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Stairs:
    """From step `starts[n]` on, `alphas[n]`; the first starts at 0, and the run has `steps` steps."""

    starts: tuple[int, ...]
    alphas: tuple[float, ...]
    steps: int

    def at(self, step: int) -> float:
        return [alpha for start, alpha in zip(self.starts, self.alphas, strict=True) if start <= step][-1]

    def before(self, step: int) -> float:
        ends = pairwise((*self.starts, math.inf))
        return sum(
            alpha * max(0, min(step, end) - start) for (start, end), alpha in zip(ends, self.alphas, strict=True)
        )

    @property
    def values(self) -> tuple[float, ...]:
        ends = pairwise((*self.starts, self.steps))
        return tuple(alpha for (start, end), alpha in zip(ends, self.alphas, strict=True) if start < end)

    @property
    def mean(self) -> float:
        return self.before(self.steps) / self.steps


def alpha_schedule(sampling: Sampling, steps: int | None) -> Alpha:
    """Alpha of a strategy over a run of `steps` batches. Raises ValueError if alpha changes and `steps` is None."""
    if sampling.schedule == "constant":
        return Constant(sampling.alpha)
    if steps is None:
        raise ValueError(f"sampling.schedule: {sampling.schedule} needs to know how many steps there are")
    if sampling.schedule == "steps":
        changes = sampling.alpha_steps
    elif sampling.schedule == "switch":
        changes = [[sampling.switch_at, sampling.alpha_end]]
    else:
        return Slope(sampling.alpha, sampling.alpha_end, steps, sampling.schedule)
    # Between two steps, so that alpha 1 and 0 are exact on either side.
    starts = [round(fraction * steps) for fraction, _ in changes]
    return Stairs((0, *starts), (sampling.alpha, *(alpha for _, alpha in changes)), steps)


def describe_alpha(sampling: Sampling, alpha: Alpha) -> str:
    """Alpha in a few words: `0.5`, or `1 to 0, linear, 0.5 on average`."""
    said = " to ".join(f"{value:g}" for value in alpha.values)
    return said if sampling.schedule == "constant" else f"{said}, {sampling.schedule}, {alpha.mean:g} on average"
