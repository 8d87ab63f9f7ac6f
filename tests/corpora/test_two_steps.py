"""Every shipped corpus of published data: composed, checked, loaded from small files, and two batches made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from babelbatch.batches import TrainingInputs
from babelbatch.batches.data_module import PairData
from babelbatch.commands.build import build, build_encoder
from babelbatch.configuration.check import check
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import force_overrides
from small_files import (
    OF_XTREME,
    mintaka_row,
    mkqa_row,
    question,
    squad_row,
    write_mintaka,
    write_mkqa,
    write_pairs,
    write_parquet,
    write_squad,
    write_xtreme,
)

ITEMS = 40
OF_TALKS = ["ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh-cn"]


def _pairs(columns: tuple[str, str], subset: str = "pair") -> Callable[[Path], object]:
    rows = [(question(item, "en"), f"answer {item}") for item in range(ITEMS)]
    return lambda folder: write_pairs(folder, rows, columns, subset)


def _xtreme(folder: Path) -> None:
    write_xtreme(write_squad(folder, ITEMS, []), ITEMS, OF_XTREME)


def _bitext(folder: Path) -> None:
    for language in ("de", "en"):
        (folder / f"mine.de-en.{language}").write_text("".join(f"{question(row, language)}\n" for row in range(ITEMS)))


def _talks(folder: Path) -> None:
    for language in OF_TALKS:
        rows = [{"english": question(row, "en"), "non_english": question(row, language)} for row in range(ITEMS)]
        write_parquet(folder / f"en-{language}" / "train-00000-of-00001.parquet", rows)


def _squad_shifts(folder: Path) -> None:
    for part in ("new_wiki", "nyt", "reddit", "amazon"):
        rows = [squad_row(item, "en") for item in range(ITEMS)]
        write_parquet(folder / part / "test" / "0000.parquet", rows)


WRITE: dict[str, Callable[[Path], object]] = {
    "nq": _pairs(("query", "answer")),
    "yahoo_answers": _pairs(("title", "answer"), "title-answer-pair"),
    "trivia_qa": _pairs(("query", "answer")),
    "gooaq": _pairs(("question", "answer")),
    "paq": _pairs(("query", "answer")),
    "squad": lambda folder: write_squad(folder, ITEMS, []),
    "squad_shifts": _squad_shifts,
    "mlqa_translate_train": lambda folder: write_squad(folder, ITEMS),
    "squad_translated": _xtreme,
    "mkqa": lambda folder: write_mkqa(folder, [mkqa_row(item) for item in range(ITEMS)]),
    "mintaka": lambda folder: write_mintaka(folder, [mintaka_row(item) for item in range(ITEMS)]),
    "bitext": _bitext,
    "parallel_sentences": _talks,
}
ENGLISH = {"nq", "yahoo_answers", "trivia_qa", "gooaq", "paq", "squad", "squad_shifts"}
CROSSING = {"bitext", "parallel_sentences"}


def composed(*overrides: str) -> DictConfig:
    """A checked configuration of two steps with a batch of 4."""
    register()
    small = ["sampling.batch_size=4", "encoder=static", "encoder.vocab_size=200", "encoder.hidden_size=8"]
    small += ["trainer.max_steps=2", "trainer.val_check_interval=1", "data.validation_fraction=0.3"]
    typed = force_overrides([*overrides, *small, "data.validation_steps=2"])
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", typed)
    check(cfg, "train")
    return cfg


def loaded(cfg: DictConfig, steps: int = 2) -> PairData:
    corpus = build(cfg.corpus)
    encoder = build_encoder(cfg.encoder, corpus)
    return build(cfg.data)(TrainingInputs(corpus, build(cfg.sampling), encoder, seed=0, steps=steps))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("option", WRITE)
def test_two_steps(tmp_path, option):
    WRITE[option](tmp_path)
    sampling = "x_x" if option in ENGLISH else "x_y" if option in CROSSING else "hybrid"
    data = loaded(composed(f"corpus={option}", f"corpus.data_dir={tmp_path}", f"sampling={sampling}"))
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    assert len(batches) == 4
    kinds = {"x_x"} if option in ENGLISH else {"x_y"} if option in CROSSING else {"x_x", "x_y"}
    assert {batch.kind for batch in batches[2:]} == kinds
    for batch in batches:
        assert len(batch.queries) == 4
        assert torch.isin(batch.positive_keys, batch.candidate_keys).all()


def test_a_mixture_takes_x_y_batches_alone_of_parallel_sentences(tmp_path):
    """Swedish is in the sentences only, so that no X-X batch is Swedish, also of the validation loss."""
    for language in ("sv", "en"):
        lines = "".join(f"{question(row, language)}\n" for row in range(ITEMS))
        (tmp_path / f"mine.sv-en.{language}").write_text(lines)
    parts = ["corpus=mixture", "+corpus@corpus.parts.facts=world_facts", "+corpus@corpus.parts.sentences=bitext"]
    parts += [f"corpus.parts.sentences.data_dir={tmp_path}", "corpus.parts.facts.languages=[de,en]"]
    data = loaded(composed(*parts, "corpus.exponent=0", "sampling=hybrid"), steps=40)
    drawn = Counter((batch.plan.part, batch.kind) for batch in data.train_dataloader())
    assert set(drawn) == {("facts", "x_x"), ("facts", "x_y"), ("sentences", "x_y")}
    assert {batch.kind for batch in data.val_dataloader()} == {"x_x", "x_y"}
