"""Multipliers of the learning rate, worked out by hand."""

from __future__ import annotations

import re

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from babelbatch.training import scheduler


def rates(name: str, steps: int, total_steps: int, **options: float) -> list[float]:
    """The learning rate of each of the first `steps` optimiser steps, from a base rate of 2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = getattr(scheduler, name)(optimizer, total_steps, **options)
    assert isinstance(schedule, LambdaLR)
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def test_constant():
    assert rates("constant", 5, 10) == [2, 2, 2, 2, 2]
    assert rates("constant", 6, 10, warmup=0.4) == pytest.approx([0.5, 1.0, 1.5, 2, 2, 2])


def test_linear():
    """One step of warm-up, then nine equal steps down to 0."""
    expected = [2, 2, 16 / 9, 14 / 9, 12 / 9, 10 / 9, 8 / 9, 6 / 9, 4 / 9, 2 / 9, 0, 0]
    assert rates("linear", 12, 10) == pytest.approx(expected)
    assert rates("linear", 6, 5, warmup=0) == pytest.approx([2, 1.6, 1.2, 0.8, 0.4, 0])


def test_cosine():
    """Two steps of warm-up, then 1, (2 + sqrt 2) / 4, 1/2, (2 - sqrt 2) / 4, 0 of the base rate."""
    root = 2**0.5
    expected = [1, 2, 2, (2 + root) / 2, 1, (2 - root) / 2, 0, 0]
    assert rates("cosine", 8, 6, warmup=1 / 3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_the_first_step_learns_and_the_peak_is_the_base_rate(name):
    found = rates(name, 100, 100, warmup=0.25)
    assert found[0] == pytest.approx(2 / 25)
    assert max(found) == found[24] == found[25] == 2


@pytest.mark.parametrize(("name", "end"), [("constant", 2), ("linear", 0), ("cosine", 0)])
def test_warm_up_only(name, end):
    assert rates(name, 5, 4, warmup=1.0) == pytest.approx([0.5, 1.0, 1.5, 2, 2])


@pytest.mark.parametrize(("name", "last"), [("constant", 2), ("linear", 2), ("cosine", 2)])
def test_a_single_step(name, last):
    assert rates(name, 1, 1, warmup=0) == [last]


@pytest.mark.parametrize("warmup", [0.0, 1.0])
@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_a_single_step_learns_at_the_base_rate_whatever_the_warm_up(name, warmup):
    assert rates(name, 1, 1, warmup=warmup) == [2]


def test_a_share_of_the_rate_is_left_at_the_end():
    assert rates("linear", 6, 4, warmup=0, final=0.2) == pytest.approx([2, 1.6, 1.2, 0.8, 0.4, 0.4])
    assert rates("cosine", 6, 4, warmup=0, final=0.5)[::2] == pytest.approx([2, 1.5, 1])
    assert rates("linear", 3, 2, warmup=0, final=1.0) == [2, 2, 2]


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("total_steps", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
def test_no_step_of_a_run_is_lost_and_the_decay_ends_when_it_does(name, total_steps, warmup):
    found = rates(name, total_steps + 1, total_steps, warmup=warmup)
    assert all(0 < rate <= 2 for rate in found[:-1])
    peak = found.index(2)
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert found[-1] == pytest.approx(0 if warmup < 1 and peak < total_steps else 2, abs=1e-12)


def test_stages_warm_up_and_decay_each():
    """Five steps each: one of warm-up, then 1, 3/4, 1/2, 1/4 of the base rate."""
    expected = [2, 2, 1.5, 1, 0.5]
    assert rates("stages", 10, 10, at=[0.5], warmup=0.2) == pytest.approx([*expected, *expected])
    assert rates("stages", 10, 10, at=[], warmup=0.1) == rates("linear", 10, 10)


def test_stages_learn_equally():
    """The sums of the rates of two halves are equal, where `linear` gives the first half 72 % of them; and the mean
    rate is equal where one stage is a quarter of the run."""
    once, twice = rates("linear", 10_000, 10_000), rates("stages", 10_000, 10_000, at=[0.5])
    assert sum(once[:5_000]) / sum(once) == pytest.approx(0.722, abs=1e-3)
    assert sum(twice[:5_000]) == sum(twice[5_000:])
    assert sum(twice) == pytest.approx(sum(once), rel=1e-3)
    quarter = rates("stages", 10_000, 10_000, at=[0.25])
    assert sum(quarter[:2_500]) / 2_500 == pytest.approx(sum(quarter[2_500:]) / 7_500, rel=1e-3)


@pytest.mark.parametrize("at", [[0.0], [1.0], [0.5, 0.5], [0.6, 0.4], [0.01]])
def test_stages_that_do_not_divide_the_run(at):
    expected = f"scheduler.at: {at} does not divide 10 steps into stages; give ascending shares between 0 and 1"
    with pytest.raises(ValueError, match=re.escape(expected)):
        rates("stages", 1, 10, at=at)
