"""corpus=paper_mix: composed, loaded from small files of the published schemas, and trained on."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from babelbatch.batches import TrainingInputs
from babelbatch.commands.build import build, build_encoder
from babelbatch.configuration.check import check
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.overrides import force_overrides
from babelbatch.records import ABSENT
from babelbatch.sources.mmarco import NAMES
from small_files import question, write_pairs

ITEMS = 40
OF_MMARCO = ["en", "ar", "zh", "de", "es", "ru", "hi"]


def write_mmarco(folder: Path) -> None:
    """Question n is answered by passage n, and not by the passage after it."""
    files = {"data/triples.train.ids.small.tsv": [(n, n, (n + 1) % ITEMS) for n in range(ITEMS)]}
    for language in OF_MMARCO:
        questions, passages = (f"data/google/{kind}" for kind in ("queries/train", "collections"))
        files[f"{questions}/{NAMES[language]}_queries.train.tsv"] = [(n, question(n, language)) for n in range(ITEMS)]
        files[f"{passages}/{NAMES[language]}_collection.tsv"] = [(n, f"{language} answer {n}") for n in range(ITEMS)]
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def write_mr_tydi(folder: Path) -> None:
    rows = [
        {
            "query_id": str(item),
            "query": f"which one is number {item}?",
            "positive_passages": [{"docid": f"{item}#0", "title": "", "text": f"this is number {item}"}],
            "negative_passages": [],
        }
        for item in range(ITEMS)
    ]
    path = folder / "mrtydi-v1.1-english" / "train.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))


def test_the_paper_s_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mMARCO gives both kinds, the English parts X-X in English alone. One passage of nq is one of mMARCO's, too."""
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    write_mmarco(tmp_path / "mmarco")
    write_mr_tydi(tmp_path / "mr_tydi")
    nq = [(f"nq {item}", "en answer 7" if item == 3 else f"paragraph {item}") for item in range(ITEMS)]
    yahoo = [(f"yahoo {item}", f"reply {item}") for item in range(2 * ITEMS)]
    for name, rows, columns, subset in (
        ("nq", nq, ("query", "answer"), "pair"),
        ("yahoo_answers", yahoo, ("title", "answer"), "title-answer-pair"),
    ):
        (tmp_path / name).mkdir()
        write_pairs(tmp_path / name, rows, columns, subset)
    parts = ["mmarco", "mr_tydi", "nq", "yahoo_answers"]
    overrides = [f"corpus.parts.{part}.data_dir={tmp_path / part}" for part in parts]
    overrides += ["corpus=paper_mix", "sampling=hybrid", "sampling.batch_size=4", "data.validation_fraction=0.2"]
    overrides += ["encoder=static", "encoder.vocab_size=200", "encoder.hidden_size=8", "data.validation_steps=2"]
    register()
    overrides = force_overrides(overrides)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    check(cfg, "train")

    corpus = build(cfg.corpus)
    assert corpus.languages == tuple(OF_MMARCO)
    assert [name for name, *_ in corpus.mixture.spans(len(corpus))] == parts
    assert len(corpus) == 5 * ITEMS
    assert ((corpus.negatives != ABSENT).sum(axis=(1, 2)) > 0).tolist() == [True] * ITEMS + [False] * 4 * ITEMS
    key_of = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    shared = [id_ for id_, key in key_of.items() if key == key_of["mmarco/7-7"]]
    assert len(shared) == 2
    assert shared[1].startswith("nq/")
    assert len(set(key_of.values())) == 5 * ITEMS - 1

    encoder = build_encoder(cfg.encoder, corpus)
    data = build(cfg.data)(TrainingInputs(corpus, build(cfg.sampling), encoder, seed=0, steps=128))
    batches = [*data.train_dataloader()]
    drawn = Counter((batch.plan.part, batch.kind) for batch in batches)
    assert drawn.keys() == {("mmarco", "x_y"), *((part, "x_x") for part in parts)}
    assert drawn["yahoo_answers", "x_x"] > drawn["nq", "x_x"]  # twice as large
    english = {n for batch in batches if batch.plan.part != "mmarco" for n in batch.plan.query_languages.tolist()}
    assert english == {0}
    assert {batch.kind for batch in data.val_dataloader()} == {"x_x", "x_y"}
