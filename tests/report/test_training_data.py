"""What systems were trained on: beside each other, with the sources that they share with the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

import babelbatch
from babelbatch.configuration.shipped import CONF
from babelbatch.report.grouping import grouped
from babelbatch.report.page import write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.training_data import COLUMNS, training_data
from run_folders import write_run

TABLE = json.loads((Path(babelbatch.__file__).parent / "report" / "data" / "training_data.json").read_text())


def encoder(name: str) -> dict[str, object]:
    return {"_target_": "babelbatch.encoder.pretrained", "name_or_path": name}


def rows(place: Path, benchmark: str) -> dict[str, tuple]:
    """By encoder."""
    mmarco = {"_target_": "babelbatch.corpora.mmarco.load_corpus"}
    xlmr = {"encoder": encoder("FacebookAI/xlm-roberta-base"), "corpus": mmarco}
    taught = {"loss": {"_target_": "babelbatch.loss.Mimo", "teacher": encoder("BAAI/bge-m3")}}
    fixed = {"strategy": None, "alpha": None, "seed": None}
    write_run(place / "x_x", "x_x", 1.0, benchmarks=[benchmark], settings=xlmr)
    write_run(place / "taught", "x_x", 1.0, benchmarks=[benchmark], settings=xlmr | taught)
    for name in ("intfloat/multilingual-e5-base", "sentence-transformers/LaBSE", "someone/else"):
        settings = {"encoder": encoder(name), "sampling": {}}
        write_run(place / name.rpartition("/")[2], benchmarks=[benchmark], settings=settings, facts=fixed)
    bm25 = {"encoder": {"_target_": "babelbatch.lexical.BM25"}, "sampling": {}}
    write_run(place / "bm25", benchmarks=[benchmark], settings=bm25, facts=fixed)
    found = training_data(grouped(find_runs([place]).runs), [benchmark])
    assert found is not None
    assert found.columns == COLUMNS
    return {str(row[1]) + (" taught" if "taught by" in str(row[3]) else ""): row for row in found.rows}


def test_sources_of_encoder_corpus_and_teacher(tmp_path: Path) -> None:
    found = rows(tmp_path / "a", "xquad_r")
    assert found["FacebookAI/xlm-roberta-base"][3:] == ("mmarco", "none")
    assert found["FacebookAI/xlm-roberta-base taught"][3:] == ("mmarco, taught by BAAI/bge-m3", "SQuAD")
    assert found["intfloat/multilingual-e5-base"][3:] == ("nothing", "SQuAD")
    assert found["sentence-transformers/LaBSE"][3:] == ("nothing", "none")
    assert found["someone/else"][2:] == ("not recorded", "nothing", "not recorded")
    assert found["BM25"][2:] == ("nothing before", "nothing", "none")
    assert rows(tmp_path / "b", "mmarco_dev")["FacebookAI/xlm-roberta-base"][4] == "MS MARCO"


def test_an_average_was_trained_on_what_its_runs_were(tmp_path: Path) -> None:
    of_runs = {
        f"trained/merged.{number}.corpus._target_": f"babelbatch.corpora.{name}.load_corpus"
        for number, name in ((1, "mmarco"), (2, "miracl"))
    }
    for name, facts in (("new", of_runs), ("old", {})):
        facts |= {"trained/encoder.name_or_path": "FacebookAI/xlm-roberta-base", "trained/merged.weights": name}
        write_run(tmp_path / name, "merged", settings={"sampling": {}}, facts=facts)
    found = training_data(grouped(find_runs([tmp_path]).runs), ["mmarco_dev"])
    assert found is not None
    assert sorted(row[3:] for row in found.rows) == [("miracl, mmarco", "MS MARCO"), ("not recorded", "not recorded")]


def test_it_is_on_the_page(tmp_path: Path) -> None:
    rows(tmp_path / "runs", "xquad_r")
    page = write_report([tmp_path / "runs"], tmp_path / "out")
    assert '<section id="training-data">' in page.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "data" / "training_data.csv").is_file()


def test_without_a_published_encoder_there_is_no_table(tmp_path: Path) -> None:
    write_run(tmp_path / "x_x", "x_x", 1.0)
    assert training_data(grouped(find_runs([tmp_path]).runs), ["facts"]) is None


def test_every_shipped_encoder_is_in_the_table() -> None:
    """But those that are new, local or lexical, and MiniLM, whose card does not list its data."""
    names = {
        node["name_or_path"]
        for path in (CONF / "encoder").glob("*.yaml")
        if "name_or_path" in (node := yaml.safe_load(path.read_text(encoding="utf-8")))
    }
    unlisted = {"???", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"}
    assert names - unlisted <= set(TABLE["encoders"])
