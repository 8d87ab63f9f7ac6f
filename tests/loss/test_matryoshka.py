"""Objectives over cut vectors, beside sentence-transformers' and beside each objective on vectors cut by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from torch import Tensor, nn
from torch.nn.functional import normalize

from babelbatch.commands.refusals import refuse_other_sizes
from babelbatch.encoder import Encoder, static
from babelbatch.encoder.model import Settings
from babelbatch.loss import Alignment, Contrastive, Encoded, LanguageKL, Mimo, Objective, PairedVectors

SIZES = (12, 8, 3)
KEYS = torch.tensor([1, 2, 3, 1, 5, 6])


def unit(rows: int, seed: int, size: int = SIZES[0]) -> Tensor:
    vectors = normalize(torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)), dim=-1)
    return vectors.requires_grad_()


def batch() -> Encoded:
    """Six pairs and two hard negatives; four have translations and five a teacher's vectors."""

    def some(pairs: list[int], seed: int, size: int = SIZES[0]) -> PairedVectors:
        return PairedVectors(unit(len(pairs), seed, size), torch.tensor(pairs), (len(pairs),))

    return Encoded(
        queries=unit(6, 0),
        candidates=unit(8, 1),
        positive_keys=KEYS,
        candidate_keys=torch.cat([KEYS, torch.tensor([2, 9])]),
        translated_queries=some([0, 1, 4, 5], 2),
        translated_passages=some([0, 2, 3, 5], 3),
        teacher_queries=some([0, 1, 2, 3, 4], 4, 7),
        teacher_passages=some([1, 2, 3, 4, 5], 5, 7),
    )


class Given(nn.Module):
    """A model of sentence-transformers that gives the vectors it is asked for."""

    def get_embedding_dimension(self) -> int:
        return SIZES[0]

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"sentence_embedding": features["vectors"]}


def test_value_and_gradient_are_those_of_sentence_transformers() -> None:
    queries, candidates = unit(6, 0), unit(12, 1)
    model = Given()
    theirs = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model, scale=20.0), list(SIZES))
    features = [{"vectors": part} for part in (queries, candidates[:6], candidates[6:])]  # a hard negative for each
    expected = theirs(features, None)
    gradients = torch.autograd.grad(expected, (queries, candidates))
    ours = Contrastive(0.05, matryoshka=SIZES)(Encoded(queries, candidates)).value
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)
    for found, gradient in zip(torch.autograd.grad(ours, (queries, candidates)), gradients, strict=True):
        assert gradient.abs().max() > 0.01
        torch.testing.assert_close(_across(found, queries, candidates), gradient, rtol=1e-4, atol=1e-6)


def _across(gradient: Tensor, queries: Tensor, candidates: Tensor) -> Tensor:
    """The gradient without its part along the vectors, to which an encoder that normalises gives no effect."""
    vectors = (queries if len(gradient) == len(queries) else candidates).detach()
    return gradient - (gradient * vectors).sum(dim=1, keepdim=True) * vectors


def objectives(matryoshka: tuple[int, ...] | None, size: int = SIZES[0]) -> dict[str, Objective]:
    torch.manual_seed(0)
    mimo = Mimo(SIZES[0], static(["red green"], vocab_size=80, hidden_size=7), warmup=0.0, matryoshka=matryoshka)
    if size < SIZES[0]:  # the projection of cut vectors has the first columns
        mimo.projection.weight = nn.Parameter(mimo.projection.weight[:, :size].clone())
    return {
        "contrastive": Contrastive(matryoshka=matryoshka, symmetric=True),
        "language_kl": LanguageKL(2.0, "both", matryoshka=matryoshka),
        "alignment": Alignment(0.5, matryoshka=matryoshka),
        "mimo": mimo,
    }


def cut_by_hand(encoded: Encoded, size: int) -> Encoded:
    def cut(vectors: Tensor) -> Tensor:
        return vectors[:, :size] / vectors[:, :size].norm(dim=1, keepdim=True)

    queries, passages = encoded.translated_queries, encoded.translated_passages
    assert queries is not None
    assert passages is not None
    return replace(
        encoded,
        queries=cut(encoded.queries),
        candidates=cut(encoded.candidates),
        translated_queries=replace(queries, vectors=cut(queries.vectors)),
        translated_passages=replace(passages, vectors=cut(passages.vectors)),
    )


@pytest.mark.parametrize("name", ["contrastive", "language_kl", "alignment", "mimo"])
def test_the_sum_over_sizes(name: str) -> None:
    encoded = batch()
    objective = objectives(SIZES)[name]
    loss = objective(encoded)
    at_sizes = {size: objectives(None, size)[name](cut_by_hand(encoded, size)) for size in SIZES}
    assert loss.value.item() == pytest.approx(sum(each.value.item() for each in at_sizes.values()), rel=1e-5)
    assert tuple(loss.parts) == objective.parts
    whole = objectives(None)[name](encoded)
    assert loss.parts["contrastive"].item() == whole.parts.get("contrastive", whole.value).item()
    for size in SIZES[1:]:
        assert loss.parts[f"dimensions_{size}"].item() == pytest.approx(at_sizes[size].value.item(), rel=1e-5)
    assert torch.equal(loss.masked, whole.masked)
    assert loss.masked.sum() > 0
    loss.value.backward()


def test_a_learned_temperature_is_one_for_all_sizes() -> None:
    objective = Contrastive(0.02, learn_temperature=True, matryoshka=SIZES)
    objective(batch()).value.backward()
    gradient = objective.log_temperature.grad.item()
    parts = 0.0
    for size in SIZES:
        one = Contrastive(0.02, learn_temperature=True)
        one(cut_by_hand(batch(), size)).value.backward()
        parts += one.log_temperature.grad.item()
    assert gradient == pytest.approx(parts, rel=1e-5)


@pytest.mark.parametrize(
    ("sizes", "shown"), [([], "none"), ([8, 8], "8, 8"), ([12, 0], "12, 0")], ids=["none", "repeated", "zero"]
)
def test_sizes_that_make_no_sense(sizes: list[int], shown: str) -> None:
    with pytest.raises(ValueError, match="matryoshka") as caught:
        Contrastive(matryoshka=sizes)
    assert str(caught.value) == (f"loss.matryoshka: {shown}; give different sizes from 1 to the encoder's dimensions")


@pytest.mark.parametrize(
    ("sizes", "settings", "line"),
    [
        ((24, 8), {}, "24 dimensions, but the encoder's vectors have 12; leave it out"),
        (
            (8, 4), {},
            "8, 4, but not the encoder's own 12 dimensions; add 12, or set encoder.dimensions=8",
        ),
        (
            (12, 8), {"normalise": False},
            "cut vectors are scaled to unit length, but the encoder's are not; set encoder.normalise=true, or leave it "
            "out",
        ),
    ],
    ids=["too large", "not the whole", "not normalised"],
)  # fmt: skip
def test_sizes_that_are_not_the_encoder_s(sizes: tuple[int, ...], settings: dict[str, bool], line: str) -> None:
    made = static(["red green"], vocab_size=80, hidden_size=12)
    encoder = Encoder(made.tower("query").backbone, made.tokenizer, Settings(**settings))
    refuse_other_sizes(Contrastive(), encoder)
    with pytest.raises(ValueError, match="matryoshka") as caught:
        refuse_other_sizes(Contrastive(matryoshka=sizes), encoder)
    assert str(caught.value) == f"loss.matryoshka: {line}"
