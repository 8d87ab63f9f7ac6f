"""The length of a run with a budget of tokens, computed before it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

TokensOfBatch = Callable[[int], int]
"""From a batch to its tokens."""


class RunOfLength(Protocol):
    """From the batches of a run to the tokens of each; its plans may depend on the length, as with a schedule."""

    def __call__(self, batches: int | None) -> TokensOfBatch: ...


def steps_for_tokens(
    budget: int, run: RunOfLength, *, limit: int | None, batches_per_step: int, depends_on_length: bool
) -> int:
    """The least number of optimiser steps whose batches have at least `budget` tokens.

    Plans are pure functions of the step, so the number is known before the run: every rank and every resumed run
    computes the same one, and schedules of alpha and of the learning rate know their length. Where plans depend on the
    length of the run, it is a number n such that a run of n steps has at least the tokens, and one of n - 1 fewer.

    limit: the most steps allowed; None for no limit.
    depends_on_length: whether plans depend on the length; if not, `run` is called once, with None.
    Raises ValueError if the limit does not have the tokens.
    """
    if depends_on_length:
        return _crossing(budget, run, limit, batches_per_step)
    tokens_of, tokens, step = run(None), 0, 0
    while tokens < budget:
        if step == limit:
            raise _limit_too_low(budget, tokens, limit)
        tokens += sum(map(tokens_of, range(step * batches_per_step, (step + 1) * batches_per_step)))
        step += 1
    return step


def _crossing(budget: int, run: RunOfLength, limit: int | None, batches_per_step: int) -> int:
    def total(steps: int) -> int:
        batches = steps * batches_per_step
        return sum(map(run(batches), range(batches)))

    low, low_total, high = 0, 0, 1 if limit is None else min(limit, 1)
    high_total = total(high)
    while high_total < budget:
        if high == limit:
            raise _limit_too_low(budget, high_total, high)
        low, low_total = high, high_total
        guess = min(2 * high + 16, max(high + 1, -(-high * budget // max(1, high_total)) + 1))
        high = guess if limit is None else min(limit, guess)
        high_total = total(high)
    halve = False
    while high - low > 1:
        inside = low + (budget - low_total) * (high - low) // max(1, high_total - low_total)
        middle = (low + high) // 2 if halve else min(max(inside, low + 1), high - 1)
        middle_total = total(middle)
        halve = not halve
        if middle_total < budget:
            low, low_total = middle, middle_total
        else:
            high, high_total = middle, middle_total
    return high


def _limit_too_low(budget: int, tokens: int, limit: int | None) -> ValueError:
    return ValueError(
        f"trainer.max_steps: {limit:,} steps encode {tokens:,} of the {budget:,} tokens of trainer.max_tokens; raise "
        "it, or set trainer.max_steps=-1 for no limit"
    )
