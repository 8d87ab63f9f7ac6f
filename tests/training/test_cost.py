"""The cost of a run in metrics.json: counted again from its batches, with the further texts of every objective."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.encoder import Encoder, tiny
from babelbatch.loss import Alignment, Contrastive, LanguageKL, Mimo, Objective
from babelbatch.records import Corpus
from babelbatch.sampling import Sampling
from babelbatch.training.cost import cost_facts
from babelbatch.training.flops import forward_rates, training_rates
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import linear
from babelbatch.training.telemetry import BatchTelemetry
from conftest import MakeCorpus

EXPECTED = ("LeafSpec", "many workers", "Total length of `list`", "logging interval")
pytestmark = pytest.mark.filterwarnings(*(f"ignore:.*{words}" for words in EXPECTED))
STEPS = 5


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus(24, negatives=1)


def new_encoder(corpus: Corpus, hidden_size: int = 8) -> Encoder:
    torch.manual_seed(0)
    return tiny([*corpus.query_texts, *corpus.passage_texts], vocab_size=80, hidden_size=hidden_size, layers=2, heads=2)


def trained(
    corpus: Corpus, loss: Objective, teacher: Encoder | None = None
) -> tuple[Learner, BatchTelemetry, PairData]:
    encoder = new_encoder(corpus)
    learner = Learner(encoder, loss, partial(torch.optim.AdamW, lr=1e-3), linear, total_steps=STEPS)
    sampling = Sampling(name="hybrid", alpha=0.5, batch_size=6)
    inputs = TrainingInputs(
        corpus, sampling, encoder, seed=0, steps=STEPS, requirements=loss.requirements, teacher=teacher
    )
    data, telemetry = PairData(inputs, validation_fraction=0), BatchTelemetry()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, max_steps=STEPS, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[telemetry],
    )  # fmt: skip
    trainer.fit(learner, data)
    return learner, telemetry, data


def test_translations_and_a_teacher_are_counted(corpus: Corpus) -> None:
    """Each distinct text of a batch once: what an objective adds to the queries and candidates, by its own masks."""
    teacher = new_encoder(corpus, hidden_size=12)
    tokens = {}
    for loss in (Contrastive(), LanguageKL(), Alignment(), Mimo(8, teacher)):
        name = type(loss).__name__
        learner, telemetry, data = trained(corpus, loss, teacher if name == "Mimo" else None)
        batches = [data.training.builder(data.training.plan(step), step) for step in range(STEPS)]
        masks = [chunk.attention_mask for batch in batches for chunk in batch.chunks]
        taught = [chunk.attention_mask for b in batches if b.teacher_batch for chunk in b.teacher_batch.chunks]
        facts = cost_facts(learner, telemetry)
        assert facts["tokens/encoded"] == sum(int(mask.sum()) for mask in masks)
        assert facts["tokens/padded"] == sum(mask.numel() for mask in masks)
        assert facts["tokens/teacher"] == sum(int(mask.sum()) for mask in taught)
        rates, teacher_rates = training_rates(learner.encoder), forward_rates(teacher)
        assert rates is not None
        assert teacher_rates is not None
        assert facts["flops/train"] == sum(rates.of(batch.workload) for batch in batches) + sum(
            teacher_rates.of(batch.teacher_batch.workload) for batch in batches if batch.teacher_batch
        )
        assert telemetry.workload is not None
        assert astuple(telemetry.workload) == tuple(np.sum([astuple(batch.workload) for batch in batches], axis=0))
        tokens[name] = facts["tokens/encoded"], facts["tokens/teacher"]
    plain, none = tokens["Contrastive"]
    assert none == 0
    assert plain is not None
    assert tokens["Mimo"][0] == plain < tokens["LanguageKL"][0] < tokens["Alignment"][0]
    assert tokens["Mimo"][1] > 0


def test_grad_cache_costs_a_further_forward_pass(corpus: Corpus) -> None:
    learner, telemetry, _ = trained(corpus, Contrastive())
    once = cost_facts(learner, telemetry)["flops/train"]
    learner.grad_cache = True
    assert once is not None
    assert cost_facts(learner, telemetry)["flops/train"] == once * 4 // 3


def test_without_telemetry_nothing_is_guessed(corpus: Corpus) -> None:
    learner = Learner(new_encoder(corpus), Contrastive(), torch.optim.AdamW, linear, total_steps=1)
    assert set(cost_facts(learner, None).values()) == {None}


def test_a_start_by_an_earlier_version_is_not_counted_in_part(corpus: Corpus) -> None:
    """Its checkpoint lacks the lengths of the texts, so that the sum over the whole run is not known."""
    learner, telemetry, _ = trained(corpus, Contrastive())
    state = telemetry.state_dict()
    for sums in (*state["sums"].values(), *state["recent"].values()):
        for name in ("texts", "real_pairs", "padded_pairs"):
            del sums[name]
    earlier = BatchTelemetry()
    earlier.load_state_dict(state)
    assert set(cost_facts(learner, earlier).values()) <= {None, 0}
    assert earlier.summary(STEPS).partition("; ")[2] == telemetry.summary(STEPS).partition("; ")[2]
