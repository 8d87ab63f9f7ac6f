"""A budget of tokens as a number of steps: the least that reaches it, also where plans depend on the length."""

from __future__ import annotations

import re
from itertools import accumulate

import numpy as np
import pytest
import torch

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.token_budget import TokensOfBatch, steps_for_tokens
from babelbatch.encoder import Encoder, static
from babelbatch.records import BatchRequirements, Corpus
from babelbatch.sampling import Sampling
from conftest import MakeCorpus

TRANSLATED = BatchRequirements(query_translations=True, passage_translations=True)
STRATEGIES = {
    "hybrid": Sampling("hybrid", 0.5, batch_size=6),
    "schedule": Sampling("schedule", 1.0, batch_size=6, schedule="linear", alpha_end=0.0),
    "sequential": Sampling("sequential", 1.0, batch_size=6, schedule="switch", alpha_end=0.0, switch_at=0.5),
}


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    """The texts of item n are n % 7 words longer than the shortest."""
    made = make_corpus(48, negatives=1)
    longer = [
        text + " more" * (int(text.split()[1]) % 7 if text.startswith("passage") else 0) for text in made.passage_texts
    ]
    object.__setattr__(made, "passage_texts", tuple(longer))
    return made


@pytest.fixture(scope="module")
def encoder(corpus: Corpus) -> Encoder:
    torch.manual_seed(0)
    return static([*corpus.query_texts, *corpus.passage_texts], vocab_size=300, hidden_size=8)


def data_of(corpus: Corpus, encoder: Encoder, sampling: Sampling, steps: int | None, **options: object) -> PairData:
    inputs = TrainingInputs(corpus, sampling, encoder, seed=0, steps=steps, requirements=TRANSLATED, **options)
    return PairData(inputs, validation_fraction=0.2)


def tokens_of_run(corpus: Corpus, encoder: Encoder, sampling: Sampling, batches: int) -> list[int]:
    """Tokens of each batch of a run of that length, as one rank builds them."""
    stream = data_of(corpus, encoder, sampling, batches).training
    return [stream.builder(stream.plan(step), step).workload.real_tokens for step in range(batches)]


@pytest.mark.parametrize("batches_per_step", [1, 3])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("budget", [1, 2_000, 9_000])
def test_the_least_steps_that_reach_it(
    corpus: Corpus, encoder: Encoder, strategy: str, budget: int, batches_per_step: int
) -> None:
    sampling = STRATEGIES[strategy]
    data = data_of(corpus, encoder, sampling, None, max_tokens=budget, batches_per_step=batches_per_step)
    batches = data.training.steps
    assert batches % batches_per_step == 0
    assert sum(tokens_of_run(corpus, encoder, sampling, batches)) >= budget
    if batches > batches_per_step:
        assert sum(tokens_of_run(corpus, encoder, sampling, batches - batches_per_step)) < budget
    again = data_of(corpus, encoder, sampling, None, max_tokens=budget, batches_per_step=batches_per_step)
    assert again.training.steps == batches


def test_the_schedule_of_alpha_ends_with_the_budget(corpus: Corpus, encoder: Encoder) -> None:
    """X-X for the first half of the steps that the budget turns out to have."""
    stream = data_of(corpus, encoder, STRATEGIES["sequential"], None, max_tokens=9_000).training
    kinds = [stream.plan(step).kind for step in range(stream.steps)]
    half = round(stream.steps / 2)
    assert kinds == ["x_x"] * half + ["x_y"] * (stream.steps - half)


def test_ranks_do_not_change_it(corpus: Corpus, encoder: Encoder) -> None:
    """Tokens of the global batch, though two ranks encode a text that both have twice."""
    stream = data_of(corpus, encoder, STRATEGIES["hybrid"], 6).training
    for step in range(6):
        plan = stream.plan(step)
        shares = [stream.builder(plan, step, rank=rank, ranks=2).workload.real_tokens for rank in range(2)]
        assert stream.builder.tokens(plan) == stream.builder(plan, step).workload.real_tokens <= sum(shares)


def test_a_limit_that_does_not_reach_it(corpus: Corpus, encoder: Encoder) -> None:
    for sampling in STRATEGIES.values():
        found = sum(tokens_of_run(corpus, encoder, sampling, 8))
        expected = (
            f"trainer.max_steps: 4 steps encode {found:,} of the 1,000,000 tokens of trainer.max_tokens; raise it, or "
            "set trainer.max_steps=-1 for no limit"
        )
        with pytest.raises(ValueError, match=re.escape(expected)):
            data_of(corpus, encoder, sampling, 8, max_tokens=1_000_000, batches_per_step=2)
        exact = data_of(corpus, encoder, sampling, 8, max_tokens=found, batches_per_step=2)
        assert exact.training.steps == 8


@pytest.mark.parametrize("seed", range(20))
def test_any_dependence_on_the_length(seed: int) -> None:
    """Runs of n and of n - 1 steps lie on both sides of the budget, however the tokens change with the length."""
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 50, size=(600, 600))

    def run(batches: int | None) -> TokensOfBatch:
        assert batches is not None
        return lambda step: int(table[batches, step])

    budget = int(rng.integers(1, 5_000))
    steps = steps_for_tokens(budget, run, limit=None, batches_per_step=1, depends_on_length=True)
    totals = [int(table[n, :n].sum()) for n in range(600)]
    assert totals[steps] >= budget > totals[steps - 1]


def test_plans_that_do_not_depend_on_the_length_are_made_once() -> None:
    asked: list[int | None] = []

    def run(batches: int | None) -> TokensOfBatch:
        asked.append(batches)
        return lambda step: step + 1

    steps = steps_for_tokens(100, run, limit=None, batches_per_step=2, depends_on_length=False)
    assert list(accumulate(range(1, 40)))[2 * steps - 1] >= 100 > list(accumulate(range(1, 40)))[2 * steps - 3]
    assert asked == [None]
