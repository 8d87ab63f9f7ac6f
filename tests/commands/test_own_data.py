"""One's own data, as docs/data says: its samples are read, and tables in both forms are trained on as typed."""

from __future__ import annotations

import csv
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from babelbatch.batches.code_switching import read_dictionary
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.corpora.world_facts import load_corpus as built_in
from babelbatch.encoder import static
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs
from babelbatch.records import ABSENT, BatchRequirements
from commands import SMALL, metrics, run_forked

PAGES = Path(__file__).parents[2] / "docs" / "data"
DOCS = "\n".join((PAGES / f"{page}.md").read_text(encoding="utf-8") for page in ("train", "check", "code_switching"))
SAMPLES = dict(re.findall(r"^`([\w.-]+)`:\n```\n(.*?)```$", DOCS, re.M | re.S))
COMMANDS = [
    text.replace("\\\n", " ").strip()
    for text in re.findall(r"^```\n(babelbatch-(?:train|data) .*?)```$", DOCS, re.M | re.S)
    if re.search("corpus=table|code_switching", text)
]


@pytest.fixture
def documented(tmp_path, monkeypatch) -> Path:
    """A folder with the samples, as the commands expect it."""
    for name, content in SAMPLES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "muse").mkdir()
    (tmp_path / "en-de.txt").rename(tmp_path / "muse" / "en-de.txt")
    monkeypatch.chdir(tmp_path)
    register()
    return tmp_path


def test_the_samples_are_there():
    assert set(SAMPLES) == {"train.jsonl", "train.csv", "en-de.txt"}
    assert [command.split()[0] for command in COMMANDS] == ["babelbatch-train"] * 2 + [
        "babelbatch-data",
        "babelbatch-train",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_documented_commands_pass(documented, command):
    program, *typed = shlex.split(command)
    check_jobs(
        {"babelbatch-train": "train", "babelbatch-data": "describe"}[program], force_overrides(typed), multirun=False
    )


def test_both_samples_are_one_corpus(documented):
    tables = []
    for command in COMMANDS[:2]:
        overrides = force_overrides(shlex.split(command)[1:])
        with initialize_config_dir(str(CONF), version_base="1.3"):
            corpus = instantiate(compose("train", overrides).corpus, _convert_="all")
        tables.append(
            [
                (id_, language, corpus.query_texts[corpus.queries[item, column]],
                 corpus.passage_texts[corpus.passages[item, column]],
                 [corpus.passage_texts[row] for row in corpus.negatives[item, column] if row != ABSENT])
                for item, id_ in enumerate(corpus.ids)
                for column, language in enumerate(corpus.languages)
                if corpus.queries[item, column] != ABSENT
            ]
        )  # fmt: skip
    assert tables[0] == tables[1]
    assert [row[:2] for row in tables[0]] == [("lima", "en"), ("lima", "de"), ("peru", "en")]
    assert tables[0][0][4] == ["Quito is the capital of Ecuador."]


def test_a_table_of_sentences_has_teacher_texts_in_every_language(tmp_path, monkeypatch):
    """The command of docs/training.md: whatever language a sentence is in, the teacher reads its English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    pairs = [(f"Sentence {number}.", f"Satz {number}.") for number in range(30)]
    Path("sentences.csv").write_text("english,german\n" + "".join(f"{one},{other}\n" for one, other in pairs))
    Path("teacher").mkdir()
    Path("teacher", "config.json").write_text("{}")
    docs = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (typed,) = re.findall(r"^babelbatch-train (loss=mimo .*?)```$", docs, re.M | re.S)
    register()
    overrides = force_overrides(shlex.split(typed.replace("\\\n", " ").replace("<encoder>", "./teacher")))
    check_jobs("train", overrides, multirun=False)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    corpus, sampling = (instantiate(node, _convert_="all") for node in (cfg.corpus, cfg.sampling))
    assert sampling.alpha == cfg.data.validation_fraction == 0
    encoder = static([text for pair in pairs for text in pair], vocab_size=200, hidden_size=4)
    sampling = replace(sampling, batch_size=10)
    requirements = BatchRequirements(teacher_language=cfg.loss.get("language", "en"))
    data = PairData(
        TrainingInputs(corpus, sampling, encoder, 0, 6, requirements=requirements, teacher=encoder),
        validation_fraction=0,
    )
    english = set()
    for batch in data.train_dataloader():
        found = batch.teacher_batch
        assert found.queries.pairs.tolist() == found.passages.pairs.tolist() == list(range(10))
        read = [
            text
            for chunk in found.chunks
            for text in encoder.tokenizer.batch_decode(chunk.input_ids, skip_special_tokens=True)
        ]
        expected = [corpus.query_texts[row] for row in corpus.queries[batch.plan.items, 0]]
        for side in (found.queries, found.passages):
            assert [read[row].replace(" .", ".") for row in side.rows.tolist()] == expected
        english |= set((batch.plan.query_languages == 0).tolist())
    assert english == {True, False}


def test_the_dictionary_is_read(documented):
    assert read_dictionary(documented / "muse" / "en-de.txt") == {"river": ("fluss", "strom"), "flows": ("fließt",)}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["long JSON lines", "wide CSV"])
def test_own_data_is_trained_on_and_evaluated(tmp_path, form):
    """The built-in facts as a user would bring them."""
    facts = built_in(["en", "de", "zh"])
    rows: list[dict[str, object]] = []
    if form == "wide CSV":
        for item, id_ in enumerate(facts.ids):
            row: dict[str, object] = {"nr": id_}
            for column, language in enumerate(facts.languages):
                row[f"frage_{language}"] = facts.query_texts[facts.queries[item, column]]
                row[f"antwort_{language}"] = facts.passage_texts[facts.passages[item, column]]
            rows.append(row)
        with (tmp_path / "own.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        columns = '{id: nr, question: "frage_{language}", passage: "antwort_{language}"}'
        typed = ["corpus.path=own.csv", f"corpus.columns={columns}"]
    else:
        folder = tmp_path / "own"
        folder.mkdir()
        for column, language in enumerate(facts.languages):
            with (folder / f"{language}.jsonl").open("w", encoding="utf-8") as file:
                for item, id_ in enumerate(facts.ids):
                    row = {"id": id_, "query": facts.query_texts[facts.queries[item, column]]}
                    row["passage"] = facts.passage_texts[facts.passages[item, column]]
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        typed = ["corpus.path=own", "corpus.columns.question=query"]
    typed += [argument for argument in SMALL if not argument.startswith(("corpus.", "trainer."))]
    typed += ["trainer.max_steps=2", "trainer.val_check_interval=2", "logger=none", "output_dir=out"]
    run_forked("babelbatch-train", "corpus=table", *typed, cwd=tmp_path)
    found = metrics(tmp_path / "out")
    assert (found["steps"], set(found["languages/corpus"])) == (2, {"en", "de", "zh"})
    assert 0 < found["world_facts/multilingual/map"] < 1


def test_ids_that_trec_files_cannot_hold_are_told_before_the_training(tmp_path):
    rows = ["id,language,question,passage", "q 1,en,Where is Lima?,In Peru.", "q2,en,Where is Rome?,In Italy."]
    (tmp_path / "asked.csv").write_text("\n".join(rows))
    small = [argument for argument in SMALL if not argument.startswith("benchmarks.")]
    done = run_forked(
        "babelbatch-train", "benchmarks=table", "benchmarks.table.layout=pairs", "benchmarks.table.path=asked.csv",
        "evaluation.trec_files=true", "logger=none", *small, "output_dir=out", cwd=tmp_path, code=2,
    )  # fmt: skip
    message = (
        "benchmark table: TREC files cannot hold the id 'q 1/en', which has a space or is empty; rename it, or set "
        "evaluation.trec_files=false"
    )
    assert f"babelbatch: {message}\n" in done.stderr
    assert not list((tmp_path / "out").rglob("*.ckpt"))
