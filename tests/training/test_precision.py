"""Half precision changes the precision of the encoder's products, and nothing else: bf16, and fp16 with its scaler.

fp16 is for GPUs and babelbatch refuses it without one; the mathematics is the same on a CPU, where it is tested.
"""

from __future__ import annotations

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.encoder import tiny
from babelbatch.loss import Contrastive
from babelbatch.records import Corpus
from babelbatch.sampling import Sampling
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant
from babelbatch.training.telemetry import BatchTelemetry
from conftest import MakeCorpus

EXPECTED = ("LeafSpec", "many workers", "Total length of `list`", "logging interval", "lr_scheduler.step")
pytestmark = pytest.mark.filterwarnings(*(f"ignore:.*{words}" for words in EXPECTED))
STEPS = 4


class Noted(pl.Callback):
    """The loss and the norm of the gradient of every batch, and which type the encoder's products had."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.types: set[torch.dtype] = set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for module in pl_module.encoder.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda module, inputs, output: self.types.add(output.dtype))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: dict, *_: object) -> None:
        self.losses.append(outputs["value"].item())
        self.norms.append(pl_module.gradient_norm.item())


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus(60, passage_keys=[item // 4 for item in range(60)], negatives=1)


def train(corpus: Corpus, plugin: MixedPrecision | None, grad_cache: bool) -> tuple[Noted, dict[str, Tensor]]:
    torch.manual_seed(0)
    encoder = tiny(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=16, heads=2)
    sgd = partial(torch.optim.SGD, lr=0.1)
    learner = Learner(encoder, Contrastive(0.1), sgd, constant, total_steps=STEPS, grad_cache=grad_cache)
    inputs = TrainingInputs(corpus, Sampling("hybrid", alpha=0.5, batch_size=8), encoder, seed=0, steps=STEPS)
    data = PairData(inputs, validation_fraction=0, chunk_tokens=60 if grad_cache else None)
    noted = Noted()
    pl.Trainer(
        accelerator="cpu", max_epochs=1, max_steps=STEPS, logger=False, enable_checkpointing=False, plugins=plugin,
        gradient_clip_val=0.5, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[noted, BatchTelemetry(), FiniteLoss()],
    ).fit(learner, data)  # fmt: skip
    return noted, {name: part.detach().clone() for name, part in learner.named_parameters()}


def plugin_for(precision: str, scale: float = 2.0**10) -> MixedPrecision:
    scaler = torch.amp.GradScaler("cpu", init_scale=scale) if precision == "16-mixed" else None
    return MixedPrecision(precision, "cpu", scaler)


@pytest.mark.parametrize("grad_cache", [False, True])
@pytest.mark.parametrize(("precision", "dtype"), [("bf16-mixed", torch.bfloat16), ("16-mixed", torch.float16)])
def test_the_same_training_in_half_precision(
    corpus: Corpus, precision: str, dtype: torch.dtype, grad_cache: bool
) -> None:
    full, weights = train(corpus, None, grad_cache)
    half, half_weights = train(corpus, plugin_for(precision), grad_cache)
    assert full.types == {torch.float32}
    assert half.types == {dtype}
    assert half.losses != full.losses
    assert half.losses == pytest.approx(full.losses, rel=2e-2)
    assert half.norms == pytest.approx(full.norms, rel=0.1)  # of the gradient itself, not of its scaled image
    assert {part.dtype for part in half_weights.values()} == {torch.float32}
    start = start_weights(corpus)
    for name, part in weights.items():
        moved = part - start[name]
        torch.testing.assert_close(
            half_weights[name] - start[name], moved, rtol=0, atol=0.1 * float(moved.abs().max()) + 1e-6
        )


def start_weights(corpus: Corpus) -> dict[str, Tensor]:
    torch.manual_seed(0)
    encoder = tiny(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=16, heads=2)
    learner = Learner(encoder, Contrastive(0.1), partial(torch.optim.SGD, lr=0.1), constant, total_steps=STEPS)
    return {name: part.detach().clone() for name, part in learner.named_parameters()}


def test_an_overflow_of_fp16_skips_its_step_and_is_no_divergence(corpus: Corpus) -> None:
    """A scale above the largest fp16 number: no gradient is finite, and no weight moves."""
    plugin = plugin_for("16-mixed", scale=2.0**40)
    noted, weights = train(corpus, plugin, grad_cache=False)
    assert not any(torch.isfinite(torch.tensor(noted.norms)))
    assert plugin.scaler.get_scale() == 2.0 ** (40 - STEPS)
    for name, part in start_weights(corpus).items():
        assert torch.equal(weights[name], part)
