"""Every shipped corpus of published data: composed, checked, loaded from small files, and two batches made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from babelbatch.build import build
from babelbatch.check import check
from babelbatch.config import register
from babelbatch.launch import CONF, forced
from babelbatch.train import build_encoder
from small_files import (
    mintaka_row,
    mkqa_row,
    question,
    write_mintaka,
    write_mkqa,
    write_pairs,
    write_parquet,
    write_squad,
    write_xtreme,
)

ITEMS = 40
OF_XTREME = ["ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"]
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


WRITE: dict[str, Callable[[Path], object]] = {
    "nq": _pairs(("query", "answer")),
    "yahoo_answers": _pairs(("title", "answer"), "title-answer-pair"),
    "trivia_qa": _pairs(("query", "answer")),
    "gooaq": _pairs(("question", "answer")),
    "paq": _pairs(("query", "answer")),
    "squad": lambda folder: write_squad(folder, ITEMS, []),
    "mlqa_translate_train": lambda folder: write_squad(folder, ITEMS),
    "squad_translated": _xtreme,
    "mkqa": lambda folder: write_mkqa(folder, [mkqa_row(item) for item in range(ITEMS)]),
    "mintaka": lambda folder: write_mintaka(folder, [mintaka_row(item) for item in range(ITEMS)]),
    "bitext": _bitext,
    "parallel_sentences": _talks,
}
ENGLISH = {"nq", "yahoo_answers", "trivia_qa", "gooaq", "paq", "squad"}
CROSSING = {"bitext", "parallel_sentences"}


@pytest.mark.parametrize("option", WRITE)
def test_two_steps(tmp_path, monkeypatch, option):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    WRITE[option](data_dir)
    sampling = "x_x" if option in ENGLISH else "x_y" if option in CROSSING else "hybrid"
    overrides = [f"corpus={option}", f"corpus.data_dir={data_dir}", f"sampling={sampling}", "sampling.batch_size=4"]
    overrides += ["encoder=static", "encoder.vocab_size=200", "encoder.hidden_size=8", "trainer.max_steps=2"]
    overrides += ["trainer.val_check_interval=1", "data.validation_fraction=0.3", "data.validation_steps=2"]
    register()
    overrides = forced(overrides)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    check(cfg, "train")
    corpus = build(cfg.corpus)
    encoder = build_encoder(cfg.encoder, corpus)
    data = build(cfg.data)(corpus=corpus, sampling=build(cfg.sampling), encoder=encoder, seed=0, steps=2)
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    assert len(batches) == 4
    kinds = {"x_x"} if option in ENGLISH else {"x_y"} if option in CROSSING else {"x_x", "x_y"}
    assert {batch.kind for batch in batches[2:]} == kinds
    for batch in batches:
        assert len(batch.questions) == 4
        assert torch.isin(batch.question_keys, batch.candidate_keys).all()
