"""Mining as a whole: from an encoder and a corpus to a table, and to a training that sees more."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.negatives import read_negatives
from babelbatch.cli import _print_minings
from babelbatch.commands import mine as mine_module
from babelbatch.commands.mine import corpus_of_run, mine
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import Encoder, fingerprint, save, static
from babelbatch.evaluation.evaluation import encode
from babelbatch.jobs.overrides import force_overrides
from babelbatch.records import ABSENT, Corpus
from babelbatch.sampling import Sampler, Sampling
from babelbatch.search.vectors import Vectors
from commands import SMALL, metrics, run_forked, weights

LANGUAGES = ["en", "de", "zh"]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(LANGUAGES)


@pytest.fixture(scope="module")
def encoder(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    """A bag of random token embeddings, and its folder."""
    made = static(corpus.query_texts + corpus.passage_texts, vocab_size=2000, hidden_size=16)
    folder = tmp_path_factory.mktemp("encoder")
    save(made, folder)
    return made, folder


def configured(folder: Path, *overrides: str) -> DictConfig:
    register()
    overrides = force_overrides(
        [f"encoder.name_or_path={folder}", "corpus=world_facts", "corpus.languages=[en,de,zh]", *overrides]
    )
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("mine", overrides)


def rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def test_a_table_beside_a_double_loop(corpus, encoder, tmp_path):
    """Every tenth item, from the vectors of `encode`."""
    mine(configured(encoder[1], "mining.negatives=3", "mining.last_rank=20"), tmp_path)
    table = rows(tmp_path / "negatives.parquet")
    queries = encode(encoder[0], corpus.query_texts, "query", 10_000)
    passages = encode(encoder[0], corpus.passage_texts, "passage", 10_000)
    found = {}
    for row in table:
        found.setdefault((row["id"], row["language"]), []).append(row)
    for item in range(0, len(corpus), 10):
        for language, name in enumerate(LANGUAGES):
            pool = np.unique(corpus.passages[:, language])
            scores = passages[pool] @ queries[corpus.queries[item, language]]
            own = scores[pool == corpus.passages[item, language]].item()
            wrong = pool != corpus.passages[item, language]
            best = np.sort(scores[wrong])[::-1][:20]
            expected = best[best <= 0.95 * own][:3]
            mined = found.get((corpus.ids[item], name), [])
            assert [row["score"] for row in mined] == pytest.approx(expected.tolist(), abs=1e-5)
            assert all(row["positive_score"] == pytest.approx(own, abs=1e-5) for row in mined)
            assert all(best[row["rank"] - 1] == pytest.approx(row["score"], abs=1e-5) for row in mined)
    facts = json.loads((tmp_path / "metrics.json").read_text())
    assert facts["negatives"] == len(table) > 1000
    assert facts["slots"] == 3 * len(corpus)
    assert facts["slots_filled"] == len(found)
    own = np.einsum("ild,ild->il", queries[corpus.queries], passages[corpus.passages])
    assert facts["mean_slot_score"] == pytest.approx(own.mean(), abs=1e-5)
    assert facts["mean_slot_score"] < facts["mean_positive_score"]  # hard queries find nothing below the margin
    assert facts["fingerprint/corpus"] == corpus.fingerprint
    assert facts["fingerprint/encoder"] == fingerprint(encoder[0])
    assert facts["mining"]["last_rank"] == 20
    assert not any(key.startswith("recall/") for key in facts)
    assert not (tmp_path / "vectors").exists()
    metadata = json.loads(pq.read_schema(tmp_path / "negatives.parquet").metadata[b"babelbatch"])
    assert metadata["mining"] == facts["mining"]
    assert metadata["fingerprint/encoder"] == facts["fingerprint/encoder"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            ["corpus.languages=[en]", "mining.first_rank=5000", "mining.last_rank=6000"],
            "no other passage is in the ranks",
        ),
        (["mining.relative_margin=0.99"], "all in these ranks score too close to the positive"),
    ],
)
def test_without_negatives_the_reason_is_said(encoder, tmp_path, capsys, settings, reason):
    """Whatever the reason was, the advice was to lower the margin."""
    mine(configured(encoder[1], *settings), tmp_path)
    _print_minings([tmp_path], False)
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "metrics.json").read_text())
    empty = found["slots"] - found["slots_filled"]
    assert f"{empty:,} without: {reason}" in shown
    assert shown.count("without:") == 1
    assert found["slots_only_answers"] + found["slots_outside_ranks"] + found["slots_too_close"] == empty > 100


def test_every_long_step_is_shown(encoder, tmp_path, works):
    mine(configured(encoder[1], "mining.negatives=1", "index=ivf", "index.lists=4"), tmp_path)
    assert [work for work in works if work.total is not None and work.done != work.total] == []
    assert {re.sub(r"[\d,]+", "N", work.description) for work in works} >= {
        "loading the encoder", "reading corpus world_facts", "reading the encoder's weights for a fingerprint",
        "encoding N queries", "encoding N passages", "k-means of N lists", "building the index",
        "measuring the recall of the index", "searching de", "searching en", "searching zh",
        "writing the hard negatives",
    }  # fmt: skip


@pytest.mark.parametrize("languages", ["same", "any"])
def test_no_mined_passage_answers_its_question(corpus, encoder, tmp_path, languages):
    """The whole built-in corpus: parallel, so that a translation of the answer is the nearest wrong language."""
    options = [f"mining.languages={languages}", "mining.relative_margin=null", "mining.choice=random"]
    mine(configured(encoder[1], *options), tmp_path)
    mined = read_negatives(tmp_path / "negatives.parquet", corpus)
    assert len(mined) == 5 * 3 * len(corpus)
    keys_of = [set() for _ in corpus.passage_texts]
    languages_of = [set() for _ in corpus.passage_texts]
    for item in range(len(corpus)):
        for language in range(3):
            keys_of[corpus.passages[item, language]].add(int(corpus.passage_keys[item]))
            languages_of[corpus.passages[item, language]].add(language)
    crossed = 0
    for item, language, passage in zip(mined.items, mined.languages, mined.passages, strict=True):
        assert corpus.passage_keys[item] not in keys_of[passage]
        crossed += language not in languages_of[passage]
    assert (crossed > 0) == (languages == "any")


@pytest.mark.slow
def test_an_index_and_its_recall(encoder, tmp_path):
    mine(configured(encoder[1], "index=ivf", "index.lists=20", "index.probes=20"), tmp_path / "all")
    mine(configured(encoder[1], "index=exact"), tmp_path / "exact")
    mine(configured(encoder[1], "index=ivf", "index.lists=20", "index.probes=1"), tmp_path / "few")
    mine(configured(encoder[1], "index=hnsw"), tmp_path / "graph")
    exact = rows(tmp_path / "exact" / "negatives.parquet")
    assert [(row["id"], row["passage"]) for row in rows(tmp_path / "all" / "negatives.parquet")] == [
        (row["id"], row["passage"]) for row in exact
    ]
    recalls = {name: metrics(tmp_path / name) for name in ("all", "few", "graph")}
    assert [recalls["all"][f"recall/{language}"] for language in LANGUAGES] == [1, 1, 1]
    assert 0.02 < recalls["few"]["recall/en"] < 0.9 < recalls["graph"]["recall/en"]


@pytest.mark.slow
def test_stopped_and_typed_again(corpus, encoder, tmp_path, monkeypatch):
    """The vectors that were on disk are not made again, and the table is the same."""
    monkeypatch.setattr(mine_module, "_SHARD_TEXTS", 500)
    calls = []

    def failing(encoder: Encoder, texts: list[str], role: str, *options: object, **more: object) -> np.ndarray:
        calls.append((role, len(texts)))
        if len(calls) == 15:
            raise KeyboardInterrupt
        return encode(encoder, texts, role, *options, **more)

    monkeypatch.setattr(mine_module, "encode", failing)
    cfg = configured(encoder[1], "keep_vectors=true")
    with pytest.raises(KeyboardInterrupt):
        mine(cfg, tmp_path / "cut")
    assert not (tmp_path / "cut" / "metrics.json").exists()
    mine(cfg, tmp_path / "cut")
    total = sum(texts for _, texts in calls) - calls[14][1]
    assert total == len(corpus.query_texts) + len(corpus.passage_texts)
    assert {size for _, size in calls} <= {500, len(corpus.query_texts) % 500, len(corpus) % 500}
    assert Vectors(tmp_path / "cut" / "vectors" / "passages-zh").rows == len(corpus)
    mine(cfg, tmp_path / "whole")
    assert rows(tmp_path / "cut" / "negatives.parquet") == rows(tmp_path / "whole" / "negatives.parquet")


def test_the_fingerprint_of_an_encoder(corpus, encoder):
    made, _ = encoder
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(made))
    other = static(corpus.query_texts + corpus.passage_texts, vocab_size=2000, hidden_size=16)
    weight = next(other.parameters())
    weight.data.copy_(next(made.parameters()).data)
    assert fingerprint(other) == fingerprint(made)
    weight.data[3, 5] += 1e-3
    assert fingerprint(other) != fingerprint(made)


WORLD_FACTS = "babelbatch.corpora.world_facts.load_corpus"


def test_the_corpus_of_a_run(tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "encoder").mkdir()
    OmegaConf.save({"corpus": {"_target_": WORLD_FACTS, "languages": ["en"]}}, tmp_path / "run" / "config.yaml")
    for place in ("run", "run/encoder", "run/checkpoints/step-1.ckpt"):
        assert corpus_of_run(tmp_path / place) == {"_target_": WORLD_FACTS, "languages": ["en"]}
    with pytest.raises(ValueError, match="does not say which corpus it was trained on; choose one: corpus="):
        corpus_of_run(tmp_path / "encoder")


@pytest.fixture(scope="module")
def mined_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `base` and the table mined with it, two negatives for every item and language."""
    place = tmp_path_factory.mktemp("mined")
    run_forked("babelbatch-train", *SMALL, "logger=none", "output_dir=base", cwd=place)
    done = run_forked(
        "babelbatch-mine", "checkpoint=base", "mining.negatives=2", "mining.relative_margin=null", "threads=1",
        "index=ivf", "output_dir=table", cwd=place,
    )  # fmt: skip
    (place / "stdout").write_text(done.stdout)
    return place


TRAINED_ON_THEM = [*SMALL, "negatives=table/negatives.parquet", "data.validation_fraction=0", "logger=csv"]


@pytest.mark.slow
def test_what_mining_says(mined_run):
    items = len(load_corpus(LANGUAGES))
    path = mined_run / "table" / "negatives.parquet"
    expected = (
        rf"{6 * items:,} hard negatives for {3 * items:,} of {3 * items:,} queries \(an item in a language\); "
        r"median rank 1\.5; mean score 0\.\d{3}, of their positives 0\.\d{3}; "
        r"of the positives of all queries 0\.\d{3}; "
        r"the index finds \d+\.\d\xa0% of the exact neighbours or more in each pool; \d+ s\n"
        rf"To train on them: babelbatch-train \.\.\. negatives={re.escape(str(path))}\n"
    )
    assert re.search(rf"\n{expected}$", (mined_run / "stdout").read_text())
    again = run_forked(
        "babelbatch-mine", "checkpoint=base", "mining.negatives=2", "mining.relative_margin=null", "threads=1",
        "index=ivf", "output_dir=table", cwd=mined_run,
    )  # fmt: skip
    assert "was finished already" in again.stdout


@pytest.mark.slow
def test_training_sees_the_mined_negatives(mined_run, corpus):
    """16 positives and 32 negatives: 47 others for each question, less those that answer it, counted by hand."""
    run_forked("babelbatch-train", *TRAINED_ON_THEM, "output_dir=second", cwd=mined_run)
    found = metrics(mined_run / "second")
    assert found["steps"] == 12
    assert found["fingerprint/corpus"] == corpus.fingerprint == metrics(mined_run / "base")["fingerprint/corpus"]
    assert weights(mined_run / "second") != weights(mined_run / "base")

    key_of = {text: int(corpus.passage_keys[item]) for item, text in enumerate(corpus.passage_texts[: len(corpus)])}
    assert len(key_of) == len(corpus)  # English comes first, and tells each fact otherwise
    wrong: dict[tuple[str, str], list[str]] = {}
    for row in rows(mined_run / "table" / "negatives.parquet"):
        wrong.setdefault((row["id"], row["language"]), []).append(row["passage_id"])
    fact_of = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    sampler = Sampler(corpus, Sampling("hybrid", alpha=0.5, batch_size=16), 0, np.arange(len(corpus)))
    expected = []
    for step in range(12):
        plan = sampler.plan(step)
        asked = [corpus.ids[item] for item in plan.items]
        candidates = list(asked)
        for id_, language in zip(asked, plan.passage_languages, strict=True):
            assert len(wrong[id_, LANGUAGES[language]]) == 2
            candidates += wrong[id_, LANGUAGES[language]]
        assert len(candidates) == 48
        masked = [sum(fact_of[one] == fact_of[other] for other in candidates) - 1 for one in asked]
        expected.append(47 - sum(masked) / 16)
    with (mined_run / "second" / "csv" / "metrics.csv").open() as file:
        logged = [float(row["train/negatives"]) for row in csv.DictReader(file) if row["train/negatives"]]
    assert logged == pytest.approx([np.mean(expected[start : start + 3]) for start in range(0, 12, 3)], abs=1e-6)


@pytest.mark.slow
def test_the_table_is_part_of_what_the_run_is(mined_run, tmp_path):
    """Another table under the same name is another run; so is none. A table of another corpus is refused."""
    for name in ("base", "table"):
        shutil.copytree(mined_run / name, tmp_path / name)
    short = [*TRAINED_ON_THEM, "trainer.max_steps=2", "logger=none", "output_dir=out"]
    run_forked("babelbatch-train", *short, cwd=tmp_path)
    assert "was finished already" in run_forked("babelbatch-train", *short, cwd=tmp_path).stdout
    before = weights(tmp_path / "out")
    path = tmp_path / "table" / "negatives.parquet"
    old = metrics(tmp_path / "out")["fingerprint/negatives"]
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 1000), path)
    done = run_forked("babelbatch-train", *short, cwd=tmp_path, code=2)
    assert f"  - negatives_sha256: {old} there, " in done.stderr
    done = run_forked("babelbatch-train", *short, f"negatives_sha256={old}", "output_dir=pinned", cwd=tmp_path, code=2)
    assert f", not {old}, which this run began with; put that table back, or remove the run's folder" in done.stderr
    run_forked("babelbatch-train", *short, "output_dir=less", cwd=tmp_path)
    assert weights(tmp_path / "less") != before
    done = run_forked("babelbatch-train", *short, "corpus.languages=[en,de]", "output_dir=other", cwd=tmp_path, code=2)
    assert "was mined from the corpus world_facts with the fingerprint " in done.stderr
    assert "Traceback" not in done.stderr
    path.write_bytes(path.read_bytes()[:-100])
    done = run_forked("babelbatch-train", *short, "output_dir=damaged", cwd=tmp_path, code=2)
    assert "table/negatives.parquet is not a table of hard negatives, or damaged (" in done.stderr


@pytest.mark.slow
def test_mining_with_any_encoder_and_over_values(mined_run, tmp_path):
    arguments = [f"encoder.name_or_path={mined_run / 'base' / 'encoder'}", "corpus=world_facts", "threads=1"]
    arguments += ["corpus.languages=[en,de]", "mining.relative_margin=null"]
    done = run_forked("babelbatch-mine", "-m", *arguments, "mining.negatives=1,3", "output_dir=out", cwd=tmp_path)
    assert done.stdout.count("To train on them: ") == 2
    found = sorted(metrics(path.parent)["negatives"] for path in (tmp_path / "out").glob("*/metrics.json"))
    assert found == [2 * count * len(load_corpus(LANGUAGES)) for count in (1, 3)]
    done = run_forked("babelbatch-mine", *arguments, "mining.absolute_margin=3", "output_dir=no", cwd=tmp_path)
    assert "\n0 hard negatives for 0 of " in done.stdout
    assert "lower mining.relative_margin" in done.stdout


def test_validation_batches_are_as_without(corpus, encoder, tmp_path):
    """Held-out items get no mined negatives, and their passages are nobody's."""
    mine(configured(encoder[1], "mining.relative_margin=null"), tmp_path)
    mined = read_negatives(tmp_path / "negatives.parquet", corpus)
    sampling = Sampling("hybrid", alpha=0.5, batch_size=8)
    options = {"validation_fraction": 0.2, "validation_steps": 4}
    plain, harder = (
        PairData(TrainingInputs(corpus, sampling, encoder[0], seed=0, steps=10, mined=table), **options)
        for table in (None, mined)
    )
    for ours, theirs in zip(harder.val_dataloader(), plain.val_dataloader(), strict=True):
        assert np.array_equal(ours.candidate_keys, theirs.candidate_keys)
        assert all(np.array_equal(a.input_ids, b.input_ids) for a, b in zip(ours.chunks, theirs.chunks, strict=True))
    held_out = {key for batch in plain.val_dataloader() for key in batch.positive_keys.tolist()}
    trained = set()
    for batch in harder.train_dataloader():
        assert len(batch.candidate_keys) > 8 * 3
        trained |= set(batch.candidate_keys.tolist())
    assert len(held_out) > 20
    assert not held_out & trained
    assert ABSENT not in trained
