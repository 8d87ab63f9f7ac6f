"""Every shipped experiment: composed, checked whole, and trained and evaluated for two steps on small files of the
published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from babelbatch.configuration.schema import register
from babelbatch.jobs.job import run_in_process
from babelbatch.jobs.overrides import CONF, force_overrides
from babelbatch.jobs.plan import check_jobs
from babelbatch.sources.mmarco import NAMES
from conftest import WriteLareqa
from small_files import (
    OF_XTREME,
    json_lines,
    mewsli_folder,
    question,
    squad_row,
    write,
    write_pairs,
    write_parquet,
    write_squad,
    write_xtreme,
)

EXPERIMENTS = sorted(
    str(path.relative_to(CONF / "experiment").with_suffix("")) for path in (CONF / "experiment").rglob("*.yaml")
)
OF_PAPER = ("ar", "de", "en", "es", "hi", "ru", "zh")
ITEMS = 24


def lareqa_files(folder: Path, languages: list[str], write_lareqa: WriteLareqa) -> Path:
    """Questions that no corpus has."""
    return write_lareqa(
        folder,
        {
            language: [(["One.", "Two.", "Three."], [(f"{n}", f"{language} asks {n}", n) for n in range(3)])]
            for language in languages
        },
    )


def pairs_files(folder: Path, columns: tuple[str, str], subset: str = "pair") -> Path:
    return write_pairs(folder, [(question(n, "en"), f"answer {n}") for n in range(ITEMS)], columns, subset)


def squad_shifts_files(folder: Path) -> Path:
    for part in ("new_wiki", "nyt", "reddit", "amazon"):
        rows = [squad_row(n, "en") | {"id": f"{part}{n}", "question": f"{part} {n}"} for n in range(ITEMS)]
        write_parquet(folder / part / "test" / "0000.parquet", rows)
    return folder


def mr_tydi_files(folder: Path) -> Path:
    rows = [
        {"query_id": str(n), "query": f"What is {n}?", "negative_passages": [],
         "positive_passages": [{"docid": f"{n}#0", "title": "", "text": f"number {n}"}]}
        for n in range(ITEMS)
    ]  # fmt: skip
    write(folder / "mrtydi-v1.1-english" / "train.jsonl.gz", json_lines(*rows))
    return folder


def squad_files(folder: Path) -> Path:
    return write_xtreme(write_squad(folder, ITEMS), ITEMS, OF_XTREME)


def mmarco_files(folder: Path) -> Path:
    of_all = {"triples.train.ids.small.tsv": [f"{n}\t{n}\t{(n + 1) % ITEMS}" for n in range(ITEMS)]}
    for language, name in NAMES.items():
        of_all[f"google/queries/train/{name}_queries.train.tsv"] = [f"{n}\t{language} {n}?" for n in range(ITEMS)]
        of_all[f"google/collections/{name}_collection.tsv"] = [f"{n}\t{language} says {n}" for n in range(ITEMS)]
    for path, rows in of_all.items():
        write(folder / "data" / path, "".join(f"{row}\n" for row in rows))
    return folder


def miracl_files(folder: Path) -> Path:
    for language in ("sw", "yo"):
        name = "dev-00000-of-00001.parquet"
        write_parquet(folder / f"{language}-queries" / name, [{"id": "3", "text": "Nani?"}])
        rows = [{"id": f"{n}#0", "title": "Ada", "text": f"{n}"} for n in range(3)]
        write_parquet(folder / f"{language}-corpus" / name, rows)
        write_parquet(folder / f"{language}-qrels" / name, [{"query-id": "3", "corpus-id": "1#0", "score": 1}])
    return folder


def tatoeba_files(folder: Path) -> Path:
    for code in ("deu", "swh"):
        for side in (code, "eng"):
            (folder / f"tatoeba.{code}-eng.{side}").write_text("".join(f"{side} {n}\n" for n in range(4)))
    return folder


def passage_files(folder: Path) -> Path:
    """XQuAD and TyDi QA."""
    for language in ("en", "de"):
        rows = [squad_row(n, language) | {"question": f"{language} {n}??"} for n in range(4)]
        write_parquet(folder / f"xquad.{language}" / "validation-00000-of-00001.parquet", rows)
    rows = [squad_row(n, "en") | {"id": f"swahili-{n}-0", "question": f"sw {n}??"} for n in range(4)]
    write_parquet(folder / "secondary_task" / "validation-00000-of-00001.parquet", rows)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, write_lareqa: WriteLareqa) -> dict[str, Path]:
    def made(name: str, fill: Callable[[Path], Path]) -> Path:
        return fill(tmp_path_factory.mktemp(name))

    xquad_r = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
    mlqa_r = ["ar", "de", "en", "es", "hi", "vi", "zh"]
    return {
        "xquad_r": made("xquad_r", lambda folder: lareqa_files(folder, xquad_r, write_lareqa)),
        "mlqa_r": made("mlqa_r", lambda folder: lareqa_files(folder, mlqa_r, write_lareqa)),
        "mmarco": made("mmarco", mmarco_files),
        "nq": made("nq", lambda folder: pairs_files(folder, ("query", "answer"))),
        "yahoo_answers": made("yahoo", lambda folder: pairs_files(folder, ("title", "answer"), "title-answer-pair")),
        "mr_tydi": made("mr_tydi", mr_tydi_files),
        "squad_shifts": made("squad_shifts", squad_shifts_files),
        "squad": made("squad", squad_files),
        "miracl": made("miracl", miracl_files),
        "mewsli_x": made("mewsli_x", mewsli_folder),
        "tatoeba": made("tatoeba", tatoeba_files),
        "passages": made("passages", passage_files),
    }


def local(experiment: str, files: dict[str, Path]) -> list[str]:
    """Where the data of an experiment is. Languages are named where the files have fewer."""
    lareqa = [f"benchmarks.{name}.data_dir={files[name]}" for name in ("xquad_r", "mlqa_r")]
    if experiment == "demo":
        return []
    if experiment == "mlqa_r":
        return [f"corpus.data_dir={files['squad'].parent / 'train'}", lareqa[0]]
    if experiment.startswith("paper/"):
        parts = ("mmarco", "nq", "yahoo_answers", "mr_tydi")
        of_parts = [f"corpus.parts.{name}.data_dir={files[name]}" for name in parts]
        return [*of_parts, f"validation.data_dir={files['squad_shifts']}", *lareqa]
    if experiment.startswith("lareqa/"):
        return [f"corpus.data_dir={files['squad']}", *lareqa]
    mmarco, squad = f"corpus.data_dir={files['mmarco']}", f"corpus.data_dir={files['squad']}"
    return {
        "question/typology": [squad, lareqa[1]],
        "question/low_resource": [
            mmarco,
            f"benchmarks.miracl_hard_negatives.data_dir={files['miracl']}",
            "benchmarks.miracl_hard_negatives.languages=[sw,yo]",
        ],
        "question/domain_shift": [
            mmarco,
            f"benchmarks.xtreme_r_lareqa.data_dir={files['xquad_r']}",
            f"benchmarks.mewsli_x.data_dir={files['mewsli_x']}",
            f"benchmarks.tatoeba.data_dir={files['tatoeba']}",
            "benchmarks.tatoeba.languages=[de,sw]",
        ],
        "question/separate_training": [
            squad,
            f"benchmarks.xquad.data_dir={files['passages']}",
            "benchmarks.xquad.languages=[de,en]",
            f"benchmarks.tydiqa_goldp.data_dir={files['passages']}",
            "benchmarks.tydiqa_goldp.languages=[sw]",
        ],
    }[experiment]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_two_steps(
    experiment: str,
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_lareqa: WriteLareqa,
) -> None:
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    train_files = files["squad"].parent / "train"
    if experiment == "mlqa_r" and not train_files.exists():
        paragraphs = [([f"{n} is one.", f"{n} is two."], [(f"t{n}", f"train {n}?", 0)]) for n in range(ITEMS)]
        write_lareqa(train_files, {language: paragraphs for language in ("de", "en")})
    small = ["encoder=static", "encoder.vocab_size=300", "encoder.hidden_size=8", "logger=none", "threads=1"]
    small += ["sampling.batch_size=2", "trainer.max_steps=2", "trainer.val_check_interval=1", "data.validation_steps=1"]
    small += [] if experiment.startswith("paper/") else ["data.validation_fraction=0.3"]
    overrides = force_overrides([f"experiment={experiment}", *small, *local(experiment, files)])
    register()
    check_jobs("train", overrides, multirun=True)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides)
    folder = tmp_path / "run"
    folder.mkdir()
    end = run_in_process("train", cfg, folder)
    assert end.state == "finished", end
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == 2
    for benchmark in cfg.benchmarks:
        metric = metrics[f"metric/{benchmark}"]
        assert any(
            f"{benchmark}/{setting}/{metric}" in metrics for setting in ("monolingual", "crosslingual", "multilingual")
        )
    if experiment.startswith("paper/"):
        assert sum(value for key, value in metrics.items() if key.startswith("batches/")) == 2
        assert metrics["fingerprint/validation"]


@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if name.startswith("question/")])
def test_a_question_is_a_sweep_whose_report_answers_it(experiment: str, files: dict[str, Path]) -> None:
    """All strategies with three seeds, so that each is compared with X-X over questions and seeds."""
    register()
    planned = check_jobs(
        "train", force_overrides([f"experiment={experiment}", *local(experiment, files)]), multirun=True
    )
    strategies = ["x_x", "x_y", "hybrid"] + ["sequential"] * (experiment == "question/separate_training")
    names = sorted(path.name.partition("_languages")[0].partition("_seed")[0] for path in planned)
    assert names == sorted(strategies * 3)
    assert len({path.name for path in planned}) == 3 * len(strategies)


def test_the_settings_that_the_paper_states(files: dict[str, Path]) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for model in ("xlmr", "labse"):
            for strategy, alpha in (("x_x", 1.0), ("x_y", 0.0), ("hybrid", 0.5)):
                cfg = compose("train", [f"experiment=paper/{model}_{strategy}"])
                assert (cfg.sampling.alpha, cfg.sampling.batch_size) == (alpha, 100)
                assert (cfg.optimizer._target_, cfg.optimizer.lr) == ("torch.optim.AdamW", 3e-5)
                assert cfg.optimizer.weight_decay == 1e-2
                assert (cfg.encoder.query_prefix, cfg.encoder.passage_prefix) == ("Query: ", "Passage: ")
                assert cfg.validation._target_ == "babelbatch.corpora.squad_shifts.load_corpus"
                assert cfg.monitor == "validation/loss"
                assert "early_stopping" in cfg.callbacks
                assert set(cfg.benchmarks) == {"xquad_r", "mlqa_r"}
                assert set(cfg.corpus.parts.mmarco.languages) == set(OF_PAPER)
