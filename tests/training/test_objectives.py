"""The objectives at work: each draws together what it says, and all are crossed with the strategies in one sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from babelbatch.batches.builder import BatchBuilder, TeacherTexts
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.batches.translations import Translations
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import save, static
from babelbatch.loss import Alignment, LanguageKL, Mimo, Objective
from babelbatch.records import Corpus
from babelbatch.sampling import Sampler, Sampling
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import linear
from commands import SMALL, run_forked

pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.filterwarnings(f"ignore:.*{words}") for words in ("LeafSpec", "many workers", "Total length of `li")),
]
STEPS = 200
HYBRID = Sampling(name="hybrid", alpha=0.5, batch_size=32)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model gains nothing from two, and a busy machine cannot stall it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(["de", "en", "zh"])


def trained(corpus: Corpus, objective: Objective) -> tuple[float, float]:
    """What the objective's own term was before the first step, and what it is after the last, on batches of held-out
    steps."""
    texts = corpus.query_texts + corpus.passage_texts
    torch.manual_seed(0)
    encoder = static(texts, vocab_size=4000, hidden_size=64)
    learner = Learner(encoder, objective, partial(torch.optim.AdamW, lr=1e-2), linear, total_steps=STEPS)
    required, taught = objective.requirements, None
    teacher = None if objective.teacher is None else objective.teacher.encoder
    if teacher is not None:
        taught = TeacherTexts(TokenizedCorpus(corpus, teacher), required.teacher_language)
    data = PairData(
        TrainingInputs(corpus, HYBRID, encoder, seed=0, steps=STEPS, requirements=required, teacher=teacher),
        validation_fraction=0,
    )
    sampler, translations = Sampler(corpus, HYBRID, 1), Translations(corpus, None, 1, required)
    build = BatchBuilder(TokenizedCorpus(corpus, encoder), taught)
    batches = [build(translations(sampler.plan(step), step), step) for step in range(8)]

    def term() -> float:
        with torch.no_grad():
            return sum(float(learner.training_step(batch, 0)["parts"][-1]) for batch in batches) / len(batches)

    before = term()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, max_steps=STEPS, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(learner, data)
    return before, term()


def objective(name: str, weight: float, corpus: Corpus) -> Objective:
    if name == "language_kl":
        return LanguageKL(weight, "both")
    if name == "alignment":
        return Alignment(weight)
    torch.manual_seed(1)
    teacher = static(corpus.passage_texts, vocab_size=4000, hidden_size=48)
    return Mimo(64, teacher, contrastive_weight=1 - weight, warmup=0)


@pytest.mark.parametrize(
    ("name", "weight", "share"), [("language_kl", 1, 0.8), ("alignment", 5, 0.5), ("mimo", 0.8, 0.5)]
)
def test_a_term_goes_down(corpus: Corpus, name: str, weight: float, share: float) -> None:
    """Below where it began, and below where training without its weight takes it."""
    before, after = trained(corpus, objective(name, weight, corpus))
    _, without = trained(corpus, objective(name, 0, corpus))
    assert after < before
    assert after < share * without


def test_composition_and_objective_are_crossed(corpus: Corpus, tmp_path: Path) -> None:
    """Four jobs of four steps. Each logs the parts of its loss; a model that is saved is the encoder alone."""
    torch.manual_seed(0)
    save(static(corpus.passage_texts, vocab_size=500, hidden_size=8), tmp_path / "teacher")
    short = ["trainer.max_steps=4", "trainer.val_check_interval=4", "trainer.log_every_n_steps=2", "logger=csv"]
    crossed = ["sampling=x_x,x_y", "loss=language_kl,mimo", "teacher=teacher", "loss.matryoshka=[32,8]"]
    crossed += ["evaluation.dimensions=[32,8]"]
    run_forked("babelbatch-train", "-m", *SMALL, *short, *crossed, "output_dir=out", cwd=tmp_path)
    columns, saved = {}, set()
    for path in (tmp_path / "out").glob("*/config.yaml"):
        cfg = OmegaConf.load(path)
        header = (path.parent / "csv" / "metrics.csv").read_text().splitlines()[0].split(",")
        parts = {name.removeprefix("train/loss/") for name in header if name.startswith("train/loss/")}
        scores = json.loads((path.parent / "metrics.json").read_text())
        key = "world_facts/multilingual/map"
        assert scores[f"dimensions/32/{key}"] == scores[key]
        assert 0 < scores[f"dimensions/8/{key}"] != scores[key]
        columns[cfg.loss._target_.rpartition(".")[2], cfg.sampling.name] = parts
        saved |= set(load_file(path.parent / "encoder" / "model.safetensors"))
    for kind in ("x_x", "x_y"):
        assert columns["LanguageKL", kind] == {kind, "contrastive", "language_kl", "dimensions_8"}
        assert columns["Mimo", kind] == {kind, "contrastive", "distillation", "dimensions_8"}
    assert saved == {"embedding.weight"}
