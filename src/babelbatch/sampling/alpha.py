"""Schedules of alpha, the probability of an X-X batch, over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from babelbatch.sampling.settings import Sampling


class Alpha(Protocol):
    """Alpha as a function of the step; constant after the last step of the run."""

    def at(self, step: int) -> float:
        """Alpha at a step."""
        ...

    def sum_before(self, step: int) -> float:
        """The sum of alpha over the earlier steps, in closed form: the expected number of X-X batches."""
        ...

    @property
    def values(self) -> tuple[float, ...]:
        """The turning points of alpha in order: its first value, its plateaus, its last value."""
        ...

    @property
    def mean(self) -> float:
        """Its mean over the run."""
        ...


@dataclass(frozen=True)
class ConstantAlpha:
    alpha: float

    def at(self, step: int) -> float:
        return self.alpha

    def sum_before(self, step: int) -> float:
        return step * self.alpha

    @property
    def values(self) -> tuple[float, ...]:
        return (self.alpha,)

    @property
    def mean(self) -> float:
        return self.alpha


@dataclass(frozen=True)
class AlphaRamp:
    """From start to end over `steps` steps, linear or along half a period of a cosine."""

    start: float
    end: float
    steps: int
    curve: Literal["linear", "cosine"]

    def at(self, step: int) -> float:
        progress = min((step + 0.5) / self.steps, 1.0)  # in the middle of the step
        gone = progress if self.curve == "linear" else (1 - math.cos(math.pi * progress)) / 2
        return self.start + (self.end - self.start) * gone

    def sum_before(self, step: int) -> float:
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
class AlphaSteps:
    """Piecewise constant: `alphas[n]` from step `starts[n]` on, `starts[0]` being 0, in a run of `steps` steps."""

    starts: tuple[int, ...]
    alphas: tuple[float, ...]
    steps: int

    def at(self, step: int) -> float:
        return [alpha for start, alpha in zip(self.starts, self.alphas, strict=True) if start <= step][-1]

    def sum_before(self, step: int) -> float:
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
        return self.sum_before(self.steps) / self.steps


def alpha_schedule(sampling: Sampling, steps: int | None) -> Alpha:
    """Alpha of a strategy over a run of `steps` batches. Raises ValueError if alpha changes and `steps` is None."""
    if sampling.schedule == "constant":
        return ConstantAlpha(sampling.alpha)
    if steps is None:
        raise ValueError(f"sampling.schedule: {sampling.schedule} needs to know how many steps there are")
    alpha_end, switch_at = sampling.alpha_end, sampling.switch_at
    if sampling.schedule == "steps":
        assert sampling.alpha_steps is not None, "Sampling checks it"
        changes = sampling.alpha_steps
    elif sampling.schedule == "switch":
        assert switch_at is not None, "Sampling checks it"
        assert alpha_end is not None, "Sampling checks it"
        changes = [[switch_at, alpha_end]]
    else:
        assert alpha_end is not None, "Sampling checks it"
        return AlphaRamp(sampling.alpha, alpha_end, steps, sampling.schedule)
    # Rounded to a step, so that alpha 1 and 0 are exact on either side.
    starts = [round(fraction * steps) for fraction, _ in changes]
    return AlphaSteps((0, *starts), (sampling.alpha, *(alpha for _, alpha in changes)), steps)


def describe_alpha(sampling: Sampling, alpha: Alpha) -> str:
    """Alpha in a few words, such as `0.5` or `1 to 0, linear, 0.5 on average`."""
    values = " to ".join(f"{value:g}" for value in alpha.values)
    return values if sampling.schedule == "constant" else f"{values}, {sampling.schedule}, {alpha.mean:g} on average"
