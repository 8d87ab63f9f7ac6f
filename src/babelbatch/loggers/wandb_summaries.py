"""The columns of W&B's table of runs: one number for each curve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

STEP = "trainer/global_step"


class Summaries:
    """Curves over the optimiser steps; of each loss the lowest and the last value; of all others the last value.

    For a score that is the final evaluation. The best point of a test curve would flatter the run.
    """

    def __init__(self, benchmarks: Iterable[str] = ()) -> None:
        self._benchmarks = set(benchmarks)
        self._defined = {STEP}
        self._lowest_before: dict[str, float] = {}

    def begin(self, run: wandb.Run) -> None:
        """What is known at the start: a pattern for the scores of each benchmark, which have very many keys."""
        run.define_metric(STEP)
        for benchmark in self._benchmarks:
            run.define_metric(f"{benchmark}/*", step_metric=STEP)

    def define(self, run: wandb.Run, names: Iterable[str]) -> None:
        """Defines each other metric when it first comes: of two patterns that match it, wandb takes any."""
        for name in set(names) - self._defined:
            self._defined.add(name)
            if name.partition("/")[0] in self._benchmarks:
                continue
            loss = name.startswith(("train/loss", "validation/loss"))
            if loss and run.resumed and (before := _summary(run, name)):  # defining it resets its minimum
                self._lowest_before[name] = before["min"]
            run.define_metric(name, step_metric=STEP, summary="min,last" if loss else None)

    def restore_lowest(self, run: wandb.Run) -> None:
        """Makes the minimum of each loss that of the whole run: wandb's is that of this process since it resumed."""
        for name, before in self._lowest_before.items():
            now = run.summary[name]
            run.summary[name] = {"min": min(before, now["min"]), "last": now["last"]}


def _summary(run: wandb.Run, name: str) -> dict[str, float] | None:
    found: dict[str, float] | None = run.summary.get(name)  # type: ignore[no-untyped-call] # wandb has no annotations
    return found
