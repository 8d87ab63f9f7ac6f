"""Fast masks have the rate, the scale and the gradient of torch's dropout, and are repeated with its generator."""

from __future__ import annotations

import logging
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention, softmax
from torch.utils.checkpoint import checkpoint

from babelbatch.encoder import Encoder
from babelbatch.encoder.backbones import tiny
from babelbatch.loss import Contrastive
from babelbatch.records import Padded
from babelbatch.training.dropout import (
    FastDropout,
    can_mask_fast,
    draw_seed,
    draws_masks_only,
    with_fast_dropout,
)
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant
from babelbatch.training.tuning import full

TEXTS = ["the river runs to the sea", "a city on the river"]


@pytest.fixture
def encoder() -> Encoder:
    return tiny(TEXTS, vocab_size=300, hidden_size=16, heads=2, layers=2, dropout=0.1).train()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999, 1e-4])
def test_rate_scale_and_gradient(p: float) -> None:
    count = 1_000_001  # odd: the generator gives two numbers at a time
    values = torch.linspace(1, 2, count, requires_grad=True)  # none is 0
    with FastDropout(1):
        dropped = dropout(values, p, True)
    kept = dropped != 0
    assert torch.equal(dropped[kept], values[kept] * torch.tensor(1 / (1 - p)))
    assert abs(int(kept.sum()) - count * (1 - p)) < 5 * math.sqrt(count * p * (1 - p))
    dropped.sum().backward()
    assert torch.equal(values.grad, torch.where(kept, torch.tensor(1 / (1 - p)), 0.0))


def test_elements_are_independent() -> None:
    """Neighbours, which come from the two halves of one number, neighbours across numbers, and equal places in two
    masks agree as often as independent ones with this rate."""
    with FastDropout(2):
        first, second = (dropout(torch.ones(1_000_000), 0.5, True) > 0 for _ in range(2))
    for one, other in ((first[::2], first[1::2]), (first[1:-1:2], first[2::2]), (first, second)):
        agree = int((one == other).sum())
        assert abs(agree - len(one) / 2) < 5 * math.sqrt(len(one) / 4)


def test_nothing_is_dropped_where_torch_drops_nothing() -> None:
    values = torch.randn(1000)
    with FastDropout(3):
        assert torch.equal(dropout(values, 0.3, False), values)
        assert torch.equal(dropout(values, 0.0, True), values)
        assert torch.equal(dropout(values, 1.0, True), torch.zeros(1000))
        assert torch.equal(nn.Dropout(0.3).eval()(values), values)


def test_in_place_and_in_half_precision() -> None:
    values = torch.ones(4000)
    with FastDropout(4):
        assert dropout(values, 0.2, True, True) is values
        half = dropout(torch.ones(4000, dtype=torch.bfloat16), 0.2, True)
    assert values.unique().tolist() == [0, 1.25]
    assert half.dtype == torch.bfloat16
    assert half.unique().tolist() == [0, 1.25]


@pytest.mark.parametrize("mask", ["none", "boolean", "added"])
def test_attention_drops_weights(mask: str) -> None:
    """With the identity as values, the output is the weights: those of torch, or 0."""
    queries, keys = torch.randn(2, 50, 3, 40, 16)
    allowed = torch.ones(50, 1, 1, 40, dtype=torch.bool)
    allowed[:25, :, :, 30:] = False
    masks = {"none": None, "boolean": allowed, "added": torch.zeros(50, 1, 1, 40).masked_fill(~allowed, -1e9)}
    values = torch.eye(40).expand(50, 3, 40, 40)
    weights = scaled_dot_product_attention(queries, keys, values, masks[mask], scale=0.3)
    with FastDropout(5):
        found = scaled_dot_product_attention(queries, keys, values, masks[mask], 0.25, scale=0.3)
    kept = found != 0
    torch.testing.assert_close(found[kept], weights[kept] / 0.75, rtol=1e-5, atol=1e-7)
    possible = int((weights > 0).sum())
    assert abs(int(kept.sum()) - 0.75 * possible) < 5 * math.sqrt(possible * 0.25 * 0.75)


def test_attention_of_a_text_without_tokens_is_zero() -> None:
    queries, keys, values = (torch.randn(2, 1, 4, 8, requires_grad=True) for _ in range(3))
    allowed = torch.ones(2, 1, 1, 4, dtype=torch.bool)
    allowed[1] = False
    with FastDropout(6):
        found = scaled_dot_product_attention(queries, keys, values, allowed, 0.1)
    found.sum().backward()
    assert torch.equal(found[1], torch.zeros(1, 4, 8))
    assert all(each.grad.isfinite().all() for each in (queries, keys, values))


def test_gradient_of_attention() -> None:
    """That of the same masks applied by hand."""
    queries, keys, values = (torch.randn(3, 2, 6, 8, requires_grad=True) for _ in range(3))
    with FastDropout(7):
        scaled_dot_product_attention(queries, keys, values, None, 0.4).sin().sum().backward()
    found = [each.grad for each in (queries, keys, values)]
    with FastDropout(7):
        mask = dropout(torch.ones(3, 2, 6, 6), 0.4, True)
    weights = softmax(queries @ keys.transpose(-2, -1) / math.sqrt(8), -1) * mask
    expected = torch.autograd.grad((weights @ values).sin().sum(), [queries, keys, values])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_causal_and_grouped_attention(causal: bool) -> None:
    """With next to no dropout it is torch's."""
    query, key, value = torch.randn(2, 4, 5, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    expected = scaled_dot_product_attention(query, key, value, None, 0.0, causal, enable_gqa=True)
    with FastDropout(8):
        found = scaled_dot_product_attention(query, key, value, None, 1e-12, causal, enable_gqa=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("autocast", [False, True])
def test_attention_in_half_precision(autocast: bool) -> None:
    """The weights are computed in float32, as in torch: with the identity as values, they are torch's to the rounding
    of the result."""
    queries, keys = 3 * torch.randn(2, 8, 2, 20, 16)
    values = torch.eye(20).expand(8, 2, 20, 20)
    if not autocast:
        queries, keys, values = queries.bfloat16(), keys.bfloat16(), values.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        weights = scaled_dot_product_attention(queries, keys, values, None, 0.0)
        torch.manual_seed(0)
        torchs = scaled_dot_product_attention(queries, keys, values, None, 0.25)
        with FastDropout(5):
            found = scaled_dot_product_attention(queries, keys, values, None, 0.25)
        assert torch.is_autocast_enabled("cpu") == autocast
    assert found.dtype == torchs.dtype
    kept = found != 0
    torch.testing.assert_close(found[kept].float(), weights[kept].float() / 0.75, rtol=0.02, atol=1e-5)


def test_an_added_mask_may_exclude_a_whole_row() -> None:
    queries, keys, values = (torch.randn(2, 1, 4, 8, requires_grad=True) for _ in range(3))
    mask = torch.zeros(2, 1, 1, 4)
    mask[1] = -math.inf
    with FastDropout(6):
        found = scaled_dot_product_attention(queries, keys, values, mask, 0.1)
    found.sum().backward()
    assert torch.equal(found[1], torch.zeros(1, 4, 8))
    assert all(each.grad.isfinite().all() for each in (queries, keys, values))


def test_what_a_module_computes_again_has_torchs_masks() -> None:
    """A module's own checkpointing repeats torch's random state in the backward pass, outside the context."""
    values = torch.ones(1000, requires_grad=True)
    torch.manual_seed(1)
    with FastDropout(1):
        dropped = checkpoint(lambda x: dropout(x, 0.5, True) * x, values, use_reentrant=False)
    dropped.sum().backward()
    torch.manual_seed(1)
    assert torch.equal(dropped, dropout(torch.ones(1000), 0.5, True))
    assert torch.equal(values.grad, 2 * dropped)


def test_masks_repeat_with_the_generator_of_torch(encoder: Encoder) -> None:
    ids = torch.full((2, 6), 7)
    texts = Padded(ids, torch.ones_like(ids))

    def two() -> tuple[Tensor, Tensor]:
        torch.manual_seed(9)
        encode = with_fast_dropout(encoder)
        return encode(texts, "query"), encode(texts, "query")

    first, again = two(), two()
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0][0], first[0][1]), "rows of equal texts have masks of their own"


def test_an_encoder_draws_nothing_else(encoder: Encoder) -> None:
    """So every dropout of a BERT, that of its attention included, has fast masks."""
    ids = torch.full((2, 6), 7)
    seed = draw_seed()
    before = torch.get_rng_state()
    with FastDropout(seed):
        encoder(Padded(ids, torch.ones_like(ids)), "query")
    assert torch.equal(torch.get_rng_state(), before)


def test_where_masks_are_torchs(encoder: Encoder) -> None:
    assert can_mask_fast(encoder)
    assert not can_mask_fast(encoder.eval())
    recomputed = tiny(TEXTS, vocab_size=300, hidden_size=16, heads=2, layers=2).train()
    assert not can_mask_fast(full(recomputed, activation_checkpointing=True))
    compiled = tiny(TEXTS, vocab_size=300, hidden_size=16, heads=2, layers=2).train()
    compiled.tower("query").backbone.encoder.layer[1]._compiled_call_impl = print  # what Module.compile() sets
    assert not can_mask_fast(compiled)


class Noisy(nn.Module):
    """A layer with random numbers of its own."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *args: object, **options: object) -> Tensor:
        states = self.layer(*args, **options)
        return states + 0.1 * torch.rand_like(states)


def test_an_encoder_with_other_random_numbers_has_torchs_masks(
    encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ids = torch.full((2, 6), 7)
    texts = Padded(ids, torch.ones_like(ids))
    for noisy in (False, True):
        if noisy:
            layers = encoder.tower("query").backbone.encoder.layer
            layers[1] = Noisy(layers[1])
        torch.manual_seed(9)
        before = torch.get_rng_state()
        assert draws_masks_only(encoder, texts, "query") != noisy
        assert torch.equal(torch.get_rng_state(), before), "asking changes nothing"
        learner = Learner(encoder, Contrastive(0.1), partial(torch.optim.SGD, lr=0.1), constant, total_steps=1)
        for _ in range(2):
            torch.manual_seed(9)
            expected = encoder(texts, "query") if noisy else with_fast_dropout(encoder)(texts, "query")
            torch.manual_seed(9)
            assert torch.equal(learner._vectors([(texts, "query")]), expected)
    assert caplog.text.count("draws other random numbers too") == 1
