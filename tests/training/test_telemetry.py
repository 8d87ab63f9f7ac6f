"""What is logged about the batches, against sums by hand; and that looking costs no waiting."""

from __future__ import annotations

import math
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.code_switching import CodeSwitching
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.corpora.mixture import load_corpus
from babelbatch.encoder import static
from babelbatch.loss import Alignment, Contrastive, Encoded, Objective
from babelbatch.records import Corpus
from babelbatch.sampling import Sampling
from babelbatch.training.divergence import FiniteLoss, describe_batch
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import linear
from babelbatch.training.telemetry import BatchTelemetry
from conftest import MakeCorpus

EXPECTED = ("LeafSpec", "many workers", "Total length of `list`", "logging interval")
pytestmark = pytest.mark.filterwarnings(*(f"ignore:.*{words}" for words in EXPECTED))


class Kept(DummyLogger):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.rows.setdefault(step, {}).update(metrics)


@pytest.fixture(scope="module")
def corpus(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus(60, passage_keys=[item // 4 for item in range(60)], negatives=1)


def train(
    corpus: Corpus,
    steps: int,
    every: int,
    *callbacks: pl.Callback,
    accumulate: int = 1,
    mask: bool = True,
    loss: Objective | None = None,
) -> tuple[Kept, BatchTelemetry, Learner, PairData]:
    torch.manual_seed(0)
    encoder = static([*corpus.query_texts, *corpus.passage_texts], vocab_size=300, hidden_size=8)
    loss = loss or Contrastive(0.1, learn_temperature=True, mask_same_passage=mask)
    learner = Learner(encoder, loss, partial(torch.optim.AdamW, lr=1e-2), linear, total_steps=steps)
    sampling = Sampling(name="hybrid", alpha=0.5, batch_size=8)
    batches = steps * accumulate
    data = PairData(
        TrainingInputs(corpus, sampling, encoder, seed=0, steps=batches, requirements=loss.requirements),
        validation_fraction=0,
    )
    telemetry, logger = BatchTelemetry(), Kept()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, max_steps=steps, log_every_n_steps=every, logger=logger,
        accumulate_grad_batches=accumulate, gradient_clip_val=0.01, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[telemetry, FiniteLoss(), *callbacks],
    )  # fmt: skip
    trainer.fit(learner, data)
    return logger, telemetry, learner, data


@pytest.mark.parametrize("accumulate", [1, 2])
def test_by_hand(corpus: Corpus, accumulate: int) -> None:
    """Eight pairs of 60 items on 15 passages, and the hard negative of every second item."""
    logger, telemetry, learner, data = train(corpus, 6, 3, accumulate=accumulate)
    assert sorted(logger.rows) == [2, 5]
    plans = [data.training.sampler.plan(step) for step in range(6 * accumulate)]
    builder = BatchBuilder(TokenizedCorpus(corpus, learner.encoder))
    for last, steps in ((2, range(3 * accumulate)), (5, range(3 * accumulate, 6 * accumulate))):
        row = logger.rows[last]
        batches = [builder(plans[step], step) for step in steps]
        others = [
            (keys[:, None] == batch.candidate_keys.numpy()[None]).sum(axis=1) - 1
            for batch in batches
            for keys in [batch.positive_keys.numpy()]
        ]
        left = [len(batch.candidate_keys) - 1 - masked for batch, masked in zip(batches, others, strict=True)]
        assert row["train/negatives"] == pytest.approx(np.mean(np.concatenate(left)))
        for kind in ("x_x", "x_y"):
            of_kind = [masked > 0 for batch, masked in zip(batches, others, strict=True) if batch.kind == kind]
            assert row[f"train/masked_rate/{kind}"] == pytest.approx(np.mean(np.concatenate(of_kind)))
        masks = [chunk.attention_mask for batch in batches for chunk in batch.chunks]
        real, padded = sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)
        assert row["train/padding"] == pytest.approx(1 - real / padded)
        seen = plans[: steps.stop]
        assert row["train/alpha"] == sum(plan.kind == "x_x" for plan in seen) / len(seen)
        assert row["train/languages"] == len({n for p in seen for n in (*p.query_languages, *p.passage_languages)})
        assert row["train/tokens_per_second"] > 0
        assert row["train/gradient_norm"] > 0.01  # before clipping
        assert row["train/temperature"] != 0.1
        counts = {kind: [b.kind for b in batches].count(kind) for kind in ("x_x", "x_y")}
        mean = sum(row[f"train/loss/{kind}"] * count for kind, count in counts.items()) / len(batches)
        assert row["train/loss"] == pytest.approx(mean)
    assert logger.rows[5]["train/learning_rate"] < logger.rows[2]["train/learning_rate"]
    assert telemetry.alpha == logger.rows[5]["train/alpha"]


def test_the_parts_of_a_mixture(corpus: Corpus, make_corpus: MakeCorpus) -> None:
    """Sixty items in three languages, ninety in English: counted from the plans, and the English part in X-X only."""
    mixed = load_corpus({"many": corpus, "english": make_corpus(90, ("en",))})
    logger, telemetry, _, data = train(mixed, 15, 5)
    found = [data.training.sampler.plan(step) for step in range(15)]
    for last in (4, 9, 14):
        for part in ("many", "english"):
            share = sum(plan.part == part for plan in found[: last + 1]) / (last + 1)
            assert logger.rows[last][f"train/part/{part}"] == share
    counts = Counter((plan.part, plan.kind) for plan in found)
    assert len(counts) == 3
    assert telemetry.drawn == {
        f"batches/{part}/{kind}": counts[part, kind] for part in ("many", "english") for kind in ("x_x", "x_y")
    }
    many, x_x, x_y = (counts["many", "x_x"] + counts["many", "x_y"], counts["many", "x_x"], counts["many", "x_y"])
    english = counts["english", "x_x"]
    assert telemetry.summary(15).endswith(
        f"; batches from many {many} (x_x {x_x}, x_y {x_y}), english {english} (x_x {english}, x_y 0)"
    )
    other = BatchTelemetry()
    other.load_state_dict(telemetry.state_dict())
    assert other.drawn == telemetry.drawn


def test_a_corpus_of_one_piece_has_no_parts(corpus: Corpus) -> None:
    logger, telemetry, _, _ = train(corpus, 2, 1)
    assert telemetry.drawn == {}
    assert not any(name.startswith("train/part") for name in logger.rows[1])
    assert telemetry.summary(2).endswith("of the queries had one masked")


def test_the_first_loss_is_that_of_the_first_batch(corpus: Corpus) -> None:
    logger, _, _, data = train(corpus, 1, 1)
    torch.manual_seed(0)
    encoder = static(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)
    batch = data.training.builder(data.training.sampler.plan(0), 0)

    vectors = torch.cat([encoder(chunk, "query") for chunk in batch.chunks])
    vectors = vectors[batch.queries], vectors[batch.candidates]
    loss = Contrastive(0.1)(Encoded(*vectors, batch.positive_keys, batch.candidate_keys))
    assert logger.rows[0]["train/loss"] == pytest.approx(loss.value.item(), rel=1e-6)


def test_the_parts_of_a_loss_are_logged(corpus: Corpus) -> None:
    """Unweighted, and saved with the rest. A loss of one part has no line of its own."""
    logger, telemetry, _, _ = train(corpus, 6, 3, loss=Alignment(weight=3.0, temperature=0.1))
    for row in logger.rows.values():
        whole = row["train/loss/contrastive"] + 3 * row["train/loss/alignment"]
        assert row["train/loss"] == pytest.approx(whole, rel=1e-5)
        assert row["train/loss/alignment"] > 0
    plain = train(corpus, 6, 3)[0]
    assert "train/loss/contrastive" not in plain.rows[2]
    other = BatchTelemetry()
    other.load_state_dict(telemetry.state_dict())
    assert other.state_dict()["sums"] == telemetry.state_dict()["sums"]
    assert telemetry.state_dict()["sums"]["x_x"]["alignment"] > 0


def test_without_the_mask_nothing_is_masked(corpus: Corpus) -> None:
    logger, _, _, _ = train(corpus, 4, 4, mask=False)
    assert {logger.rows[3][f"train/masked_rate/{kind}"] for kind in ("x_x", "x_y")} == {0.0}


def test_the_summary_is_for_people(corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "babelbatch.training.telemetry"):
        _, telemetry, _, _ = train(corpus, 5, 2)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "babelbatch.training.telemetry"]
    assert line == telemetry.summary(5)
    assert line.startswith("trained 5 steps in ")
    for words in (
        " pairs/s, ",
        " tokens/s, ",
        "% padding; mean loss ",
        "alpha 0.",
        "; 3 languages; ",
        "negatives per query",
    ):
        assert words in line


class Interrupt(pl.Callback):
    """Stops and restarts the clock between two logs, as a checkpoint does."""

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        next(callback for callback in trainer.callbacks if isinstance(callback, BatchTelemetry)).state_dict()


def test_all_training_time_counts_between_two_logs(corpus: Corpus) -> None:
    """Tokens over tokens a second, added up, are the seconds until the last log."""
    logger, telemetry, learner, data = train(corpus, 6, 3, Interrupt())
    builder = BatchBuilder(TokenizedCorpus(corpus, learner.encoder))
    tokens = [builder(data.training.sampler.plan(step), step).workload.real_tokens for step in range(6)]
    rates = [logger.rows[step]["train/tokens_per_second"] for step in (2, 5)]
    seconds = sum(tokens[:3]) / rates[0] + sum(tokens[3:]) / rates[1]
    assert seconds == pytest.approx(telemetry.state_dict()["logged_seconds"])


def test_what_is_saved_comes_back(corpus: Corpus) -> None:
    _, telemetry, _, _ = train(corpus, 5, 2)
    state = telemetry.state_dict()
    other = BatchTelemetry()
    other.load_state_dict(state)
    assert other.state_dict() | {"seconds": 0} == state | {"seconds": 0}
    assert other.summary(5).partition("; ")[2] == telemetry.summary(5).partition("; ")[2]


def test_the_processor_waits_for_a_gpu_once_a_log(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: every way to read a tensor's value, called from the package while it trains."""
    waits: list[str] = []
    for name in ("item", "tolist", "__float__", "__int__", "__bool__", "numpy", "cpu", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, _counting(name, getattr(torch.Tensor, name), waits))

    def waits_of(steps: int, every: int) -> int:
        waits.clear()
        train(corpus, steps, every)
        return len(waits)

    # Made of CPU tensors, before a batch moves to the GPU: what comes of the plan.
    few, many = waits_of(40, 40), waits_of(120, 120)
    assert many - few == 2  # two more looks at the losses (one in 50 batches), none a step
    # Three more logs: one transfer each, and the sums over ranks, which are in main memory already.
    assert waits_of(40, 10) - few == 3 * 2


def _counting(name: str, method: object, waits: list[str]) -> object:
    def counted(self: torch.Tensor, *arguments: object, **options: object) -> object:
        caller = Path(sys._getframe(1).f_code.co_filename)
        ours = {"learner.py", "telemetry.py", "divergence.py", "checkpoints.py", "collectives.py"}
        if caller.parent.name == "loss" or (caller.parent.name in {"training", "distributed"} and caller.name in ours):
            waits.append(name)
        return method(self, *arguments, **options)

    return counted


class Poison(pl.Callback):
    """Spoils the weights before a batch."""

    def __init__(self, batch: int, value: float) -> None:
        self._batch, self._value = batch, value

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Learner, batch: object, batch_idx: int) -> None:
        if batch_idx == self._batch:
            with torch.no_grad():
                next(pl_module.encoder.parameters()).fill_(self._value)


@pytest.mark.parametrize("steps", [9, 70])
def test_a_loss_that_is_no_number_is_named(corpus: Corpus, steps: int) -> None:
    """Seven batches are all the same to it whether it looks after fifty or at the end."""
    with pytest.raises(ValueError, match="the loss of batch 7 is nan: an x_") as raised:
        train(corpus, steps, 100, Poison(7, math.nan))
    _, _, _, data = train(corpus, 1, 1)
    plan = data.training.sampler.plan(7)
    message = str(raised.value)
    assert f"an {plan.kind} batch in " in message
    assert f"items {', '.join(corpus.ids[item] for item in plan.items[:5])} and 3 more. Lower optimizer.lr" in message
    spoken = {corpus.languages[n] for n in (*plan.query_languages, *plan.passage_languages)}
    assert all(name in message for name in spoken)


def test_a_batch_of_copies_is_described_by_its_items(corpus: Corpus, tmp_path: Path) -> None:
    """A transform with three copies of each item: row 3 n of what is trained on is item n."""
    (tmp_path / "en-de.txt").write_text("question frage\n")
    encoder = static([*corpus.query_texts, *corpus.passage_texts], vocab_size=300, hidden_size=8)
    transform = CodeSwitching(str(tmp_path), copies=3)
    inputs = TrainingInputs(corpus, Sampling("x_x", 1.0, batch_size=8), encoder, 0, 9, transform=transform)
    data = PairData(inputs, validation_fraction=0)
    step = next(step for step in range(9) if data.training.sampler.plan(step).items[:5].max() >= len(corpus))
    items = [corpus.ids[item // 3] for item in data.training.sampler.plan(step).items[:5]]
    assert f", items {', '.join(items)} and 3 more" in describe_batch(data, step)


def test_the_sums_of_an_earlier_version_are_read() -> None:
    """Checkpoints of 0.1 count questions."""
    sums = {"loss": 6.0, "masked_questions": 2.0, "masked": 3.0, "negatives": 40.0, "batches": 3.0, "questions": 12.0}
    state = {"recent": {}, "sums": {"x_x": sums | {"real_tokens": 9.0, "padded_tokens": 12.0}}, "languages": [0]}
    telemetry = BatchTelemetry()
    telemetry.load_state_dict(state | {"drawn": {}, "seconds": 2.0, "logged_seconds": 2.0})
    assert telemetry.summary(3) == (
        "trained 3 steps in 2 s: 6 pairs/s, 4 tokens/s, 25.0\xa0% padding; mean loss 2.000 (x_x 2.000); alpha 1.000; "
        "1 languages; 3.3 negatives per query, 16.7\xa0% of the queries had one masked"
    )
