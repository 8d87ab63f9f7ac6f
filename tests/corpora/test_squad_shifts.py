"""SQuADShifts: the published form, damaged files, and a run that stops by its loss."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.benchmarks.leakage import refuse_leaking_validation
from babelbatch.benchmarks.passages import QueryPassage, passage_benchmark
from babelbatch.commands.refusals import refuse_unlogged_monitor
from babelbatch.corpora.squad_shifts import QUESTIONS, load_corpus
from babelbatch.encoder import static
from babelbatch.sampling import Sampling
from babelbatch.sources.lines import Place
from commands import SMALL, metrics, run_forked
from small_files import squad_row, write_parquet


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def write(folder: Path, items: int = 6, first: int = 0) -> Path:
    """Four parts; each two questions have one paragraph. The ids are the same in each part."""
    for number, part in enumerate(QUESTIONS):
        rows = [squad_row(first + number * items + item, "en") | {"id": f"q{item}"} for item in range(items)]
        write_parquet(folder / part / "test" / "0000.parquet", rows)
    return folder


def test_the_published_form(tmp_path, caplog):
    write(tmp_path)
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(str(tmp_path))
    assert caplog.messages[0] == "squad_shifts, new_wiki: questions: 6 instead of 7,938, as published"
    assert (corpus.name, corpus.languages, len(corpus)) == ("squad_shifts", ("en",), 24)
    assert list(corpus.ids)[5:7] == ["new_wiki/q5", "nyt/q0"]
    assert corpus.query_texts[corpus.queries[6, 0]] == "en: question 6?"
    assert corpus.passage_texts[corpus.passages[6, 0]] == "En says one of paragraph 3. En says two of paragraph 3."
    assert np.array_equal(corpus.passage_keys[::2], corpus.passage_keys[1::2])  # both questions of a paragraph
    assert len(set(corpus.passage_keys.tolist())) == 12
    assert sum(QUESTIONS.values()) == 37_691


def test_some_parts(tmp_path):
    corpus = load_corpus(str(write(tmp_path)), ["reddit", "nyt"])
    assert list(corpus.ids)[::6] == ["reddit/q0", "nyt/q0"]
    with pytest.raises(
        ValueError, match=r"parts must name at least one of new_wiki, nyt, .*, each once, not \['nyt', "
    ):
        load_corpus(str(tmp_path), ["nyt", "nyt"])


def test_bad_questions_of_all_parts(tmp_path):
    write(tmp_path)
    broken = rows(lambda table: [table[0] | {"question": None}, *table[1:]])
    paths = [tmp_path / part / "test" / "0000.parquet" for part in ("nyt", "reddit")]
    for path in paths:
        broken(path)
    noted = [f"{path}, row 1: 'question' is null, not a text" for path in paths]
    with pytest.raises(ValueError, match=r"^2 rows cannot be used") as error:
        load_corpus(str(tmp_path))
    assert str(error.value).splitlines()[1:] == [f"  {line}" for line in noted]
    corpus = load_corpus(str(tmp_path), on_bad_row="skip")
    assert (len(corpus), list(corpus.skipped_rows.first)) == (22, noted)


def rows(change: Callable[[list[dict]], list[dict]]) -> Callable[[Path], object]:
    return lambda path: write_parquet(path, change(pq.read_table(path).to_pylist()))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing file": (Path.unlink, r"\*\.parquet: there is no such file; put the file there, as in https://huggingface"),
    "cut file": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "after row 0: damaged Parquet file"),
    "no rows": (rows(lambda table: table[:0]), "the file is empty; copy or download it again"),
    "missing column": (
        rows(lambda table: [{"id": row["id"], "context": row["context"]} for row in table]),
        "row 1: no 'question'; there are: id, context",
    ),
    "wrong type": (rows(lambda table: [row | {"question": 3} for row in table]), "row 1: 'question' is 3, not a text"),
    "empty texts": (
        rows(lambda table: [*table[:2], *(row | {"question": " "} for row in table[2:])]),
        "row 3: 'question' or 'context' is empty; 4 of 6 rows have this fault, too many to skip",
    ),
    "duplicate id": (
        rows(lambda table: [*table, table[0]]),
        r"row 7: a second query in 'en' under its id; .*row 1 has the first; give each its own id; or set on_bad_row",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_named_with_its_row(tmp_path, fault):
    path = write(tmp_path) / "nyt" / "test" / "0000.parquet"
    corrupt, message = FAULTS[fault]
    corrupt(path)
    with pytest.raises(ValueError, match=rf"nyt/test/.*{message}"):
        load_corpus(str(tmp_path))


@pytest.mark.slow
def test_a_run_stops_by_its_loss(tmp_path):
    """As the paper does: trained in three languages, judged by English questions of other domains. The loss is X-X, and
    the checkpoint with the lowest is kept."""
    folder = write(tmp_path / "data", items=40)
    early = ["corpus@validation=squad_shifts", f"validation.data_dir={folder}", "callbacks=early_stopping"]
    early += ["trainer.val_check_interval=2", "callbacks.early_stopping.patience=1", "logger=csv", "output_dir=run"]
    run_forked("babelbatch-train", *SMALL, *early, cwd=tmp_path)
    found = metrics(tmp_path / "run")
    curves = (tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()
    head = curves[0].split(",")
    assert "validation/loss/x_x" in head
    assert "validation/loss/x_y" not in head
    rows = [line.split(",") for line in curves[1:]]
    losses = [float(loss) for row in rows if (loss := row[head.index("validation/loss")])]
    assert found["evaluated_step"] == 2 * (1 + losses.index(min(losses)))
    assert len(losses) in {losses.index(min(losses)) + 2, 6}  # one more without progress, or all steps
    assert len(found["fingerprint/validation"]) == 16


@pytest.fixture
def encoder():
    return static(["en: question 1?"], vocab_size=60, hidden_size=4)


def test_a_loss_that_the_validation_set_does_not_have_cannot_be_monitored(tmp_path, make_corpus, encoder):
    sampling = Sampling(name="x_x", alpha=1.0, batch_size=4)
    english = load_corpus(str(write(tmp_path)))
    data = PairData(TrainingInputs(make_corpus(20), sampling, encoder, seed=0, steps=1, validation=english))
    refuse_unlogged_monitor("validation/loss", data, {})
    refuse_unlogged_monitor("validation/loss/x_x", data, {})
    with pytest.raises(
        ValueError, match=r"^monitor: the validation set has no x_y batches; set monitor=validation/loss$"
    ):
        refuse_unlogged_monitor("validation/loss/x_y", data, {})


def test_a_validation_corpus_that_leaks_is_refused(tmp_path, make_corpus):
    corpus, validation = make_corpus(20), load_corpus(str(write(tmp_path)))
    refuse_leaking_validation(corpus, validation, {})
    refuse_leaking_validation(corpus, None, {})
    message = (
        "60 of the 60 queries of the validation corpus hand-made are in the corpus hand-made, apart from case, "
        "punctuation and spaces: its loss would not measure generalisation; choose another corpus@validation, or set "
        "train_on_test=true"
    )
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        refuse_leaking_validation(corpus, make_corpus(20), {})
    benchmark = passage_benchmark(
        "same", ["en"], [QueryPassage(Place(tmp_path, 1), "en", "q", "en: question 1?", "key", "passage")], "by hand"
    )
    with pytest.raises(ValueError, match="1 of the 1 queries of benchmark same are in the corpus squad_shifts"):
        refuse_leaking_validation(corpus, validation, {"same": benchmark})
