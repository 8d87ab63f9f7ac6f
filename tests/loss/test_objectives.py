"""Language KL, alignment and MIMO, beside arithmetic done by hand and other libraries' functions."""

from __future__ import annotations

from math import exp, sqrt, tanh
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax, normalize

from babelbatch.encoder import static
from babelbatch.loss import Alignment, Contrastive, Encoded, LanguageKL, Mimo, Objective, PairedVectors
from babelbatch.loss.language_kl import language_divergence
from babelbatch.records import BatchRequirements

# Scores: query 0 meets 1 and 0.6, query 1 meets 0 and 0.8.
QUERIES = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
POSITIVES = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
KEYS = torch.tensor([1, 2])


def beside(pairs: list[int], vectors: list[list[float]]) -> PairedVectors:
    return PairedVectors(torch.tensor(vectors), torch.tensor(pairs), (len(pairs),))


def encoded(**more: PairedVectors) -> Encoded:
    return Encoded(QUERIES, POSITIVES, KEYS, KEYS, **more)


def contrastive() -> float:
    return Contrastive(1.0)(encoded()).value.item()


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def test_divergence_of_questions_by_hand() -> None:
    """Only query 0 has another version, which scores 0.6 and 1: both logits differ by 0.4, one way or the other."""
    expected = 0.4 * tanh(0.2)
    loss = LanguageKL(weight=3.0, temperature=1.0)(encoded(translated_queries=beside([0], [[0.6, 0.8]])))
    assert loss.parts["language_kl"].item() == pytest.approx(expected, rel=1e-6)
    assert loss.parts["contrastive"].item() == pytest.approx(contrastive(), rel=1e-6)
    assert loss.value.item() == pytest.approx(contrastive() + 3 * expected, rel=1e-6)


def test_divergence_of_passages_by_hand() -> None:
    """Positive 0 in another language scores 0.8 instead of 1, so that its logit falls from 0.4 to 0.2."""
    expected = (sigmoid(0.4) - sigmoid(0.2)) * 0.2 / 2
    loss = LanguageKL(sides="passages", temperature=1.0)(encoded(translated_passages=beside([0], [[0.8, 0.6]])))
    assert loss.parts["language_kl"].item() == pytest.approx(expected, rel=1e-5)


def test_divergence_of_both_is_their_mean() -> None:
    others = {"translated_queries": beside([0], [[0.6, 0.8]]), "translated_passages": beside([0], [[0.8, 0.6]])}
    expected = (0.4 * tanh(0.2) + (sigmoid(0.4) - sigmoid(0.2)) * 0.2 / 2) / 2
    loss = LanguageKL(sides="both", temperature=1.0)(encoded(**others))
    assert loss.parts["language_kl"].item() == pytest.approx(expected, rel=1e-5)


def test_the_divergence_has_the_temperature_of_the_contrast_unless_told() -> None:
    others = {"translated_queries": beside([0], [[0.6, 0.8]])}
    own = LanguageKL(temperature=0.1, kl_temperature=1.0)(encoded(**others))
    assert own.parts["language_kl"].item() == pytest.approx(0.4 * tanh(0.2), rel=1e-6)
    shared = LanguageKL(temperature=0.1)(encoded(**others))
    assert shared.parts["language_kl"].item() == pytest.approx(4 * tanh(2), rel=1e-5)


def test_the_divergence_does_not_train_the_temperature() -> None:
    module = LanguageKL(temperature=0.5, learn_temperature=True)
    module(encoded(translated_queries=beside([0], [[0.6, 0.8]]))).parts["language_kl"].requires_grad_().backward()
    assert module.log_temperature.grad is None


@pytest.mark.parametrize("side", ["queries", "passages"])
@pytest.mark.parametrize("mask", [True, False])
def test_divergence_agrees_with_torch(side: Literal["queries", "passages"], mask: bool) -> None:
    """Twelve queries, twenty candidates, many of one passage; versions of seven."""
    generator = torch.Generator().manual_seed(0)
    queries, candidates, versions = (
        normalize(torch.randn(count, 6, generator=generator, dtype=torch.float64)) for count in (12, 20, 7)
    )
    keys = torch.randint(5, (20,), generator=generator)
    pairs = torch.tensor([0, 2, 3, 5, 8, 9, 11])
    expected = 0.0
    for row, pair in enumerate(pairs.tolist()):
        kept = [n for n in range(20) if not mask or n == pair or keys[n] != keys[pair]]
        other_query, other_candidates = queries[pair], candidates.clone()
        if side == "queries":
            other_query = versions[row]
        else:
            other_candidates[pairs] = versions
        one = log_softmax(candidates[kept] @ queries[pair] / 0.2, dim=0)
        other = log_softmax(other_candidates[kept] @ other_query / 0.2, dim=0)
        both = [kl_div(*either, log_target=True, reduction="sum") for either in ((one, other), (other, one))]
        expected += float(sum(both)) / 2 / len(pairs)
    batch = Encoded(queries.float(), candidates.float(), keys[:12], keys)
    found = language_divergence(batch, PairedVectors(versions.float(), pairs, (7,)), side, 0.2, mask=mask)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert expected > 0.1


@pytest.mark.parametrize("side", ["queries", "passages"])
def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, side: Literal["queries", "passages"]) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [normalize(torch.randn(count, 6, generator=generator)) for count in (12, 20, 12)]
    keys = torch.randint(5, (20,), generator=generator)

    def computed() -> list[Tensor]:
        queries, candidates, versions = (vectors.clone().requires_grad_() for vectors in drawn)
        others = PairedVectors(versions, torch.arange(12), (12,))
        value = language_divergence(Encoded(queries, candidates, keys[:12], keys), others, side, 0.2)
        value.backward()
        return [value, queries.grad, candidates.grad, versions.grad]

    whole = computed()
    assert all(part.isfinite().all() for part in whole)
    monkeypatch.setattr("babelbatch.loss.blocks.BLOCK_SCORES", 5 * 20)
    for one, other in zip(whole, computed(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_candidates_of_one_passage_are_in_no_distribution() -> None:
    """Only the positive is left, and it has all of both."""
    one = torch.tensor([1, 1])
    batch = Encoded(QUERIES, POSITIVES, one, one, translated_queries=beside([0], [[0.6, 0.8]]))
    assert LanguageKL(temperature=1.0)(batch).parts["language_kl"].item() == 0
    unmasked = LanguageKL(temperature=1.0, mask_same_passage=False)(batch)
    assert unmasked.parts["language_kl"].item() == pytest.approx(0.4 * tanh(0.2), rel=1e-6)


def test_alignment_by_hand() -> None:
    """Query 0 and its version are at a right angle; positive 1 is 0.4 and 0.8 away from its own."""
    others = {"translated_queries": beside([0], [[0.0, 1.0]]), "translated_passages": beside([1], [[1.0, 0.0]])}
    loss = Alignment(weight=0.5, temperature=1.0)(encoded(**others))
    assert loss.parts["alignment"].item() == pytest.approx((2.0 + 0.8) / 2, rel=1e-6)
    assert loss.value.item() == pytest.approx(contrastive() + 0.5 * 1.4, rel=1e-6)


def test_alignment_is_the_mean_over_those_that_have_a_version() -> None:
    others = beside([0, 1], [[0.0, 1.0], [0.0, 1.0]])
    loss = Alignment(sides="queries", temperature=1.0)(encoded(translated_queries=others))
    assert loss.parts["alignment"].item() == pytest.approx((2.0 + 0.0) / 2, rel=1e-6)


class Fixed(nn.Module):
    """As much of a teacher as the loss asks for: the size of its vectors."""

    dimensions = 3


def mimo(**options: float) -> Mimo:
    """W u + b = (u_0, u_1, 1)."""
    module = Mimo(dimensions=2, teacher=Fixed(), temperature=1.0, **options)
    with torch.no_grad():
        module.projection.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        module.projection.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    return module


TAUGHT = {
    "teacher_queries": beside([0], [[2.0, 0.0, 0.0]]),  # against (1, 0, 1): an eighth of a turn
    "teacher_passages": beside([0, 1], [[1.0, 0.0, 1.0], [0.0, 0.0, 5.0]]),  # the same; against (0.6, 0.8, 1): too
}
DISTILLATION = ((1 - 1 / sqrt(2)) + (0 + 1 - 1 / sqrt(2)) / 2) / 2


def test_mimo_by_hand() -> None:
    loss = mimo(warmup=0.0)(encoded(**TAUGHT))
    assert loss.parts["distillation"].item() == pytest.approx(DISTILLATION, rel=1e-5)
    assert loss.value.item() == pytest.approx(0.2 * contrastive() + 0.8 * DISTILLATION, rel=1e-5)


def test_mimo_warms_up_by_distillation_alone() -> None:
    module = mimo(warmup=0.5, contrastive_weight=0.75)
    assert module(encoded(**TAUGHT), progress=0.49).value.item() == pytest.approx(DISTILLATION, rel=1e-5)
    late = 0.75 * contrastive() + 0.25 * DISTILLATION
    assert module(encoded(**TAUGHT), progress=0.5).value.item() == pytest.approx(late, rel=1e-5)


OBJECTIVES = {
    "language_kl": (LanguageKL(sides="both"), {"translated_queries": 2, "translated_passages": 2}),
    "alignment": (Alignment(), {"translated_queries": 2, "translated_passages": 2}),
    "distillation": (mimo(warmup=0), {"teacher_queries": 3, "teacher_passages": 3}),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_without_any_counterpart_a_term_is_zero(name: str) -> None:
    """And every parameter still has a gradient, as data-parallel training requires."""
    module, sides = OBJECTIVES[name]
    none = {
        side: PairedVectors(torch.empty(0, size), torch.empty(0, dtype=torch.int64), (0,))
        for side, size in sides.items()
    }
    queries = QUERIES.clone().requires_grad_()
    loss = module(Encoded(queries, POSITIVES, KEYS, KEYS, **none))
    assert loss.parts[name].item() == 0
    loss.value.backward()
    assert queries.grad.isfinite().all()
    assert all(part.grad is not None for part in module.parameters() if part.requires_grad)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_all_objectives_have_one_interface(name: str) -> None:
    module, _ = OBJECTIVES[name]
    assert isinstance(module, Objective)
    assert module.parts == ("contrastive", name)
    loss = module(encoded())  # as in validation: no translations and no teacher
    assert tuple(loss.parts) == module.parts
    assert loss.parts["contrastive"].item() == Contrastive(module.temperature.item())(encoded()).value.item()
    assert loss.masked.tolist() == [0, 0]


def test_what_objectives_need() -> None:
    assert Contrastive().requirements == BatchRequirements()
    assert LanguageKL().requirements == BatchRequirements(query_translations=True)
    assert (
        LanguageKL(sides="both").requirements
        == Alignment().requirements
        == BatchRequirements(query_translations=True, passage_translations=True)
    )
    assert Alignment(sides="passages").requirements == BatchRequirements(passage_translations=True)
    assert Mimo(2, Fixed(), language="de").requirements == BatchRequirements(teacher_language="de")


def test_a_teacher_is_frozen_and_no_part_of_the_model() -> None:
    teacher = static(["one two three"], vocab_size=20, hidden_size=5)
    module = Mimo(dimensions=2, teacher=teacher)
    assert module.projection.weight.shape == (5, 2)
    assert not any(part.requires_grad for part in teacher.parameters())
    assert {name.partition(".")[0] for name in module.state_dict()} == {"log_temperature", "projection"}
    module.train()
    assert not teacher.training
