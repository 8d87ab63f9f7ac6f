"""The contrastive loss, beside arithmetic done by hand and a loop that is too simple to be wrong."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from babelbatch.loss import Contrastive, Encoded
from babelbatch.loss.contrastive import contrastive_loss

# Scores at temperature 1: query 0 is closer to its positive (1 against 0.6), query 1 likewise (0.8 against 0).
QUERIES = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
POSITIVES = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
HARD = torch.tensor([[0.8, 0.6]])  # scores 0.8 and 0.6
DIFFERENT, EQUAL = torch.tensor([1, 2]), torch.tensor([1, 1])


def test_without_keys():
    loss = contrastive_loss(QUERIES, POSITIVES, 1.0)
    first = -log(exp(1.0) / (exp(1.0) + exp(0.6)))
    second = -log(exp(0.8) / (exp(0.0) + exp(0.8)))
    assert loss.value.item() == pytest.approx((first + second) / 2, rel=1e-6)
    assert loss.masked.tolist() == [0, 0]


def test_temperature_divides_the_scores():
    loss = contrastive_loss(QUERIES, POSITIVES, 0.05)
    first = -log(exp(20) / (exp(20) + exp(12)))
    second = -log(exp(16) / (exp(0) + exp(16)))
    assert loss.value.item() == pytest.approx((first + second) / 2, rel=1e-4)


def test_different_keys_mask_nothing():
    plain = contrastive_loss(QUERIES, POSITIVES, 0.5)
    keyed = contrastive_loss(QUERIES, POSITIVES, 0.5, DIFFERENT, DIFFERENT)
    assert keyed.value.item() == plain.value.item()
    assert keyed.masked.tolist() == [0, 0]


def test_equal_keys_leave_only_the_positive():
    loss = contrastive_loss(QUERIES, POSITIVES, 0.5, EQUAL, EQUAL)
    assert loss.value.item() == 0.0
    assert loss.masked.tolist() == [1, 1]


def test_hard_negatives_join_the_denominator():
    loss = contrastive_loss(QUERIES, torch.cat([POSITIVES, HARD]), 1.0, DIFFERENT, torch.tensor([1, 2, 3]))
    first = -log(exp(1.0) / (exp(1.0) + exp(0.6) + exp(0.8)))
    second = -log(exp(0.8) / (exp(0.0) + exp(0.8) + exp(0.6)))
    assert loss.value.item() == pytest.approx((first + second) / 2, rel=1e-6)
    assert loss.masked.tolist() == [0, 0]


def test_a_hard_negative_that_answers_a_question_is_masked_for_it_alone():
    """The hard negative has the key of query 0's positive."""
    loss = contrastive_loss(QUERIES, torch.cat([POSITIVES, HARD]), 1.0, DIFFERENT, torch.tensor([1, 2, 1]))
    first = -log(exp(1.0) / (exp(1.0) + exp(0.6)))
    second = -log(exp(0.8) / (exp(0.0) + exp(0.8) + exp(0.6)))
    assert loss.value.item() == pytest.approx((first + second) / 2, rel=1e-6)
    assert loss.masked.tolist() == [1, 0]


def test_a_key_that_no_item_has_masks_nothing():
    loss = contrastive_loss(QUERIES, torch.cat([POSITIVES, HARD]), 1.0, DIFFERENT, torch.tensor([1, 2, -1]))
    assert loss.masked.tolist() == [0, 0]


def test_symmetric():
    """Backwards, positive 0 scores the queries 1 and 0, positive 1 0.6 and 0.8; the hard one stays out."""
    candidates = torch.cat([POSITIVES, HARD])
    loss = contrastive_loss(QUERIES, candidates, 1.0, DIFFERENT, torch.tensor([1, 2, 3]), symmetric=True)
    forwards = -log(exp(1.0) / (exp(1.0) + exp(0.6) + exp(0.8))) - log(exp(0.8) / (exp(0.0) + exp(0.8) + exp(0.6)))
    backwards = -log(exp(1.0) / (exp(1.0) + exp(0.0))) - log(exp(0.8) / (exp(0.6) + exp(0.8)))
    assert loss.value.item() == pytest.approx((forwards + backwards) / 4, rel=1e-6)


def test_symmetric_masks_both_ways():
    loss = contrastive_loss(QUERIES, POSITIVES, 1.0, EQUAL, EQUAL, symmetric=True)
    assert loss.value.item() == 0.0


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_gradient_reaches_a_masked_candidate(symmetric):
    """Candidate 3 answers all queries, candidate 4 the first two only."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(3, 4, generator=generator)
    candidates = torch.randn(5, 4, generator=generator, requires_grad=True)
    keys = torch.tensor([7, 7, 7])
    contrastive_loss(
        queries, candidates, 0.5, keys, torch.tensor([7, 7, 7, 7, 7]), symmetric=symmetric
    ).value.backward()
    assert (candidates.grad == 0).all()

    candidates.grad = None
    keys = torch.tensor([1, 2, 1])
    contrastive_loss(queries, candidates, 0.5, keys, torch.tensor([1, 2, 1, 9, 1])).value.backward()
    assert (candidates.grad[3] != 0).all()
    # Candidate 4 is a negative of query 1 alone: its gradient points along that query.
    assert torch.linalg.matrix_rank(torch.stack([candidates.grad[4], queries[1]])) == 1
    assert candidates.grad[4] @ queries[1] > 0


def naive(
    queries: np.ndarray, candidates: np.ndarray, temperature: float, keys: list[int], candidate_keys: list[int]
) -> float:
    total = 0.0
    for i in range(len(queries)):
        denominator = 0.0
        for j in range(len(candidates)):
            if i == j or keys[i] != candidate_keys[j]:
                denominator += exp(float(queries[i] @ candidates[j]) / temperature)
        total -= log(exp(float(queries[i] @ candidates[i]) / temperature) / denominator)
    return total / len(queries)


def unit(array: np.ndarray) -> np.ndarray:
    return array / np.linalg.norm(array, axis=1, keepdims=True)


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 8),
    extra=st.integers(0, 6),
    distinct_keys=st.integers(1, 10),
    temperature=st.floats(0.05, 2.0),
)
def test_agrees_with_a_double_loop(seed, size, extra, distinct_keys, temperature):
    random = np.random.default_rng(seed)
    queries = unit(random.normal(size=(size, 5))).astype(np.float32)
    candidates = unit(random.normal(size=(size + extra, 5))).astype(np.float32)
    keys = random.integers(0, distinct_keys, size + extra).tolist()
    exact = (queries.astype(np.float64), candidates.astype(np.float64), temperature)

    def ours(**options: bool) -> Tensor:
        tensors = (torch.from_numpy(queries), torch.from_numpy(candidates), temperature)
        return contrastive_loss(*tensors, torch.tensor(keys[:size]), torch.tensor(keys), **options)

    there = naive(*exact, keys[:size], keys)
    back = naive(exact[1][:size], exact[0], temperature, keys[:size], keys[:size])
    assert ours().value.item() == pytest.approx(there, rel=1e-5, abs=1e-6)
    assert ours(symmetric=True).value.item() == pytest.approx((there + back) / 2, rel=1e-5, abs=1e-6)
    others = [keys[:i] + keys[i + 1 :] for i in range(size)]
    assert ours().masked.tolist() == [others[i].count(keys[i]) for i in range(size)]


def test_half_precision_vectors_are_scored_in_full_precision():
    """As bf16-mixed training makes them; the scores themselves must not be rounded to 8 bits."""
    generator = torch.Generator().manual_seed(0)
    queries, candidates = (
        torch.nn.functional.normalize(torch.randn(64, 32, generator=generator), dim=-1).bfloat16() for _ in range(2)
    )
    exact = contrastive_loss(queries.float(), candidates.float(), 0.05).value.item()
    assert contrastive_loss(queries, candidates, 0.05).value.item() == exact
    with torch.autocast("cpu", torch.bfloat16):
        assert contrastive_loss(queries, candidates, 0.05).value.item() == pytest.approx(exact, rel=1e-6)


def test_settings_reach_the_loss():
    keys = torch.tensor([1, 1])
    for mask in (True, False):
        for symmetric in (True, False):
            module = Contrastive(temperature=0.5, mask_same_passage=mask, symmetric=symmetric)
            expected = contrastive_loss(
                QUERIES, POSITIVES, 0.5, *((keys, keys) if mask else (None, None)), symmetric=symmetric
            )
            found = module(Encoded(QUERIES, POSITIVES, keys, keys))
            assert found.value.item() == pytest.approx(expected.value.item(), rel=1e-6)
            assert found.masked.tolist() == [int(mask), int(mask)]


def test_the_temperature_is_fixed_unless_asked():
    assert [p.requires_grad for p in Contrastive().parameters()] == [False]
    assert Contrastive().temperature.item() == pytest.approx(0.05)
    assert Contrastive(temperature=0.3).temperature.item() == pytest.approx(0.3)


def test_a_fixed_temperature_is_not_clamped():
    assert Contrastive(temperature=0.005).temperature.item() == pytest.approx(0.005)


def trained(module: Contrastive, candidates: Tensor, optimizer: torch.optim.Optimizer, steps: int) -> float:
    keys = torch.arange(2)
    for _ in range(steps):
        optimizer.zero_grad()
        module(Encoded(QUERIES, candidates, keys, keys)).value.backward()
        optimizer.step()
    return module.temperature.item()


def test_a_learnable_temperature_takes_a_gradient_step():
    """d loss / d log t = -d loss / d log s for scores s / t; by hand for one step from t = 1."""
    module = Contrastive(temperature=1.0, learn_temperature=True)
    p_wrong_first, p_wrong_second = exp(0.6) / (exp(1.0) + exp(0.6)), exp(0.0) / (exp(0.0) + exp(0.8))
    slope = (p_wrong_first * (1.0 - 0.6) + p_wrong_second * (0.8 - 0.0)) / 2
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    assert trained(module, POSITIVES, optimizer, steps=1) == pytest.approx(exp(-0.1 * slope), rel=1e-6)


CLOSE = torch.tensor([[1.0, 0.0], [0.98, 0.2]])  # query 0 is right by 0.02, query 1 by 0.2


def test_a_learnable_temperature_stops_at_a_hundredth():
    """Both queries are right, so colder is always better."""
    module = Contrastive(1.0, learn_temperature=True)
    assert trained(module, CLOSE, torch.optim.Adam(module.parameters(), lr=0.1), 100) == pytest.approx(0.01)


def test_a_learnable_temperature_leaves_the_floor_again():
    """Once the queries are wrong, warmer is better: touching the floor must not be for ever."""
    module = Contrastive(1.0, learn_temperature=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    assert trained(module, CLOSE, optimizer, 100) == pytest.approx(0.01)
    assert trained(module, CLOSE.flip(0), optimizer, 200) > 0.02


@pytest.mark.parametrize("temperature", [0, -0.05])
def test_impossible_temperature(temperature):
    with pytest.raises(ValueError, match=rf"^loss\.temperature must be above 0, not {temperature}$"):
        Contrastive(temperature=temperature)


@pytest.mark.parametrize("symmetric", [False, True])
def test_blocks_of_rows_change_nothing(monkeypatch, symmetric):
    """A batch too large to score at once: same value, mask and gradients."""
    generator = torch.Generator().manual_seed(0)
    vectors = [torch.nn.functional.normalize(torch.randn(n, 8, generator=generator), dim=-1) for n in (21, 30)]
    keys = torch.randint(12, (30,), generator=generator)

    def computed() -> list[Tensor]:
        queries, candidates = (tensor.clone().requires_grad_() for tensor in vectors)
        temperature = torch.tensor(0.1, requires_grad=True)
        loss = contrastive_loss(queries, candidates, temperature, keys[:21], keys, symmetric=symmetric)
        loss.value.backward()
        return [loss.value, loss.masked, queries.grad, candidates.grad, temperature.grad]

    whole = computed()
    monkeypatch.setattr("babelbatch.loss.blocks.BLOCK_SCORES", 4 * 30)
    for one, other in zip(whole, computed(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
