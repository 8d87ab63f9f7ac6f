"""Every shipped experiment: composed, checked whole, and trained and evaluated for two steps on small files of the
published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import babelbatch
from babelbatch.benchmarks.belebele import DEFAULT, FLORES
from babelbatch.commands.build import build
from babelbatch.configuration.schema import register
from babelbatch.configuration.shipped import CONF
from babelbatch.jobs.job import run_in_process
from babelbatch.jobs.overrides import force_overrides
from babelbatch.jobs.plan import check_jobs
from babelbatch.sampling.alpha import alpha_schedule
from babelbatch.sources.mmarco import NAMES
from conftest import WriteLareqa
from small_files import (
    OF_XTREME,
    json_lines,
    neuclir_folder,
    question,
    squad_row,
    write,
    write_pairs,
    write_parquet,
    write_squad,
    write_xtreme,
)

PACKAGE = Path(babelbatch.__file__).parent
EXPERIMENTS = sorted(
    str(path.relative_to(CONF / "experiment").with_suffix("")) for path in (CONF / "experiment").rglob("*.yaml")
)
BELEBELE = ("ar", "de", "en", "es", "fr", "hi", "id", "ja", "ru", "vi", "zh")
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
        of_all[f"google/queries/dev/{name}_queries.dev.small.tsv"] = [f"{n}\t{language} asks {n}" for n in range(3)]
    for path, rows in of_all.items():
        write(folder / "data" / path, "".join(f"{row}\n" for row in rows))
    write(folder / "qrels.dev.small.tsv", "".join(f"{n}\t0\t{n}\t1\n" for n in range(3)))
    return folder


def belebele_files(folder: Path) -> Path:
    for language in BELEBELE:
        rows = [
            {
                "link": f"https://{n}",
                "question_number": 1,
                "question": f"{language} wonders {n}?",
                "flores_passage": f"{n}.",
            }
            for n in range(3)
        ]
        write(folder / "data" / f"{FLORES[language]}.jsonl", json_lines(*rows))
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
        "belebele": made("belebele", belebele_files),
        "neuclir": made("neuclir", neuclir_folder),
        "tatoeba": made("tatoeba", tatoeba_files),
        "passages": made("passages", passage_files),
    }


def local(experiment: str, files: dict[str, Path]) -> list[str]:
    """Where the data of an experiment is. Languages are named where the files have fewer."""
    lareqa = [f"benchmarks.{name}.data_dir={files[name]}" for name in ("xquad_r", "mlqa_r")]
    if experiment == "demo":
        return []
    if experiment == "mlqa_r" or experiment.startswith("study/"):
        own = [] if experiment == "study/selection" else lareqa[:1]
        return [f"corpus.data_dir={files['squad'].parent / 'train'}", *own]
    if experiment.startswith("paper/"):
        parts = ("mmarco", "nq", "yahoo_answers", "mr_tydi")
        of_parts = [f"corpus.parts.{name}.data_dir={files[name]}" for name in parts]
        return [*of_parts, f"validation.data_dir={files['squad_shifts']}", *lareqa]
    if experiment.startswith("lareqa/"):
        return [f"corpus.data_dir={files['squad']}", *lareqa]
    mmarco, squad = f"corpus.data_dir={files['mmarco']}", f"corpus.data_dir={files['squad']}"
    belebele = [f"benchmarks.belebele.data_dir={files['belebele']}", "benchmarks.belebele.languages=[de,hi,zh]"]
    neuclir = f"benchmarks.neuclir_2022.data_dir={files['neuclir']}"
    lareqa_of_xtreme = f"benchmarks.xtreme_r_lareqa.data_dir={files['xquad_r']}"
    tatoeba = [f"benchmarks.tatoeba.data_dir={files['tatoeba']}", "benchmarks.tatoeba.languages=[de,sw]"]
    return {
        "question/baselines": [mmarco, lareqa_of_xtreme, *tatoeba],
        "question/typology": [mmarco, *belebele],
        "question/low_resource": [mmarco, *belebele, neuclir],
        "question/domain_shift": [
            mmarco,
            f"benchmarks.mmarco_dev.data_dir={files['mmarco']}",
            "benchmarks.mmarco_dev.languages=[de,hi]",
            lareqa[0],
            *belebele,
            neuclir,
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
    if (experiment == "mlqa_r" or experiment.startswith("study/")) and not train_files.exists():
        paragraphs = [([f"{n} is one.", f"{n} is two."], [(f"t{n}", f"train {n}?", 0)]) for n in range(ITEMS)]
        write_lareqa(train_files, {language: paragraphs for language in ("de", "en")})
    small = ["encoder=static", "encoder.vocab_size=300", "encoder.hidden_size=8", "logger=none", "threads=1"]
    small += ["sampling.batch_size=2", "trainer.max_steps=2", "trainer.val_check_interval=1", "data.validation_steps=1"]
    small += [] if experiment.startswith("paper/") else ["data.validation_fraction=0.3"]
    small += ["trainer.max_tokens=null"] if experiment == "question/baselines" else []
    overrides = force_overrides([f"experiment={experiment}", *small, *local(experiment, files)])
    register()
    check_jobs("train", [*overrides, *force_overrides(["seed=0"])], multirun=True)
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


QUESTIONS = {  # strategies, and what else is crossed with them and five seeds
    "baselines": (("x_x", "x_y", "hybrid"), 4),
    "domain_shift": (("x_x", "x_y", "hybrid"), 1),
    "low_resource": (("x_x", "x_y", "hybrid"), 4),
    "separate_training": (("x_x", "x_y", "hybrid", "sequential", "sequential_reversed"), 1),
    "typology": (("x_x", "x_y", "hybrid"), 2),
}


def test_every_question_is_tested() -> None:
    assert {name.removeprefix("question/") for name in EXPERIMENTS if name.startswith("question/")} == set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_a_sweep_whose_report_answers_it(question: str, files: dict[str, Path]) -> None:
    """All strategies with five seeds, and planned contrasts between strategies that are run, or merged from runs."""
    register()
    experiment = f"question/{question}"
    typed = force_overrides([f"experiment={experiment}", *local(experiment, files)])
    strategies, crossed = QUESTIONS[question]
    planned = check_jobs(
        "train", [*typed, *force_overrides(["seed=0"])], multirun=True
    )  # of one seed: it takes a while
    names = [path.name.partition("_languages")[0].partition("_seed")[0] for path in planned]
    assert sorted(names) == sorted([*strategies] * crossed)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", typed, return_hydra_config=True)
    assert cfg.hydra.sweeper.params.seed == "0,1,2,3,4"
    assert cfg.report.contrasts
    assert {each[side] for each in cfg.report.contrasts for side in ("group", "against")} <= {*strategies, "merged"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_says_how_it_is_answered(question: str) -> None:
    header = (
        (CONF / "experiment" / "question" / f"{question}.yaml").read_text(encoding="utf-8").partition("defaults:")[0]
    )
    for part in ("Question: ", "Hypothesis: ", "Contrasts: ", "Controls: ", "Limits: ", "Seeds: five"):
        assert f"# {part}" in header, part
    assert f"babelbatch-report runs=multirun/{question} plan=" in header
    assert f"babelbatch-train -m experiment=question/{question} trainer=gpu" in header


def composed(*typed: str) -> DictConfig:
    register()
    overrides = force_overrides(list(typed))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


def test_exposure_is_crossed_with_resource_class() -> None:
    """In each of the classes 3, 4 and 5 some languages are reduced; in 3 and 4 others are unseen, in 4 and 5 whole."""
    cfg = composed("experiment=question/low_resource", "language_fraction.id=0.1")
    reduced = set(cfg.language_fraction)
    assert {cfg.language_fraction[language] for language in reduced} == {0.1}
    data = json.loads((PACKAGE / "report" / "data" / "languages.json").read_text(encoding="utf-8"))["languages"]
    found = {
        name: {data[language]["class"] for language in languages if language in data}
        for name, languages in {
            "reduced": reduced,
            "unseen": set(DEFAULT) - set(NAMES),
            "whole": set(NAMES) - reduced,
        }.items()
    }
    assert found == {"reduced": {3, 4, 5}, "unseen": {1, 2, 3, 4}, "whole": {4, 5}}


def test_exposure_is_not_tied_to_distance() -> None:
    """The reduced languages are as far from the other ten as the rest, in each of the four distances."""
    cfg = composed("experiment=question/typology")
    reduced, languages = set(cfg.language_fraction), list(cfg.corpus.languages)
    assert languages == list(cfg.benchmarks.belebele.languages)
    data = json.loads((PACKAGE / "report" / "data" / "urielplus_distances.json").read_text(encoding="utf-8"))
    rows = [data["languages"].index(language) for language in languages]
    of_reduced = np.array([language in reduced for language in languages])
    for matrix in data["distances"].values():
        means = np.array(matrix)[np.ix_(rows, rows)].sum(axis=1) / (len(rows) - 1)
        assert abs(means[of_reduced].mean() - means[~of_reduced].mean()) < 0.3 * means.std()


@pytest.mark.parametrize(("share", "typed"), [(0.5, []), (0.25, ["sampling.switch_at=0.25"])])
def test_the_stages_of_separate_training_learn_equally(share: float, typed: list[str]) -> None:
    """The learning rate warms up where the strategy switches; X-X and X-Y have equal mean rates."""
    cfg = composed("experiment=question/separate_training", "sampling=sequential", *typed)
    total = cfg.trainer.max_steps
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = build(cfg.scheduler)(optimizer, total)
    rates = [schedule.lr_lambdas[0](step) for step in range(total)]
    switch = round(share * total)
    alpha = alpha_schedule(build(cfg.sampling), total)
    assert [alpha.at(switch - 1), alpha.at(switch)] == [1.0, 0.0]
    assert rates[switch] < 0.01 < rates[switch + round(0.1 * (total - switch))]
    assert sum(rates[:switch]) / switch == pytest.approx(sum(rates[switch:]) / (total - switch), rel=1e-3)


def test_rivals_of_separate_training_have_its_schedule() -> None:
    for sampling in ("x_x", "x_y", "hybrid", "sequential_reversed"):
        assert composed("experiment=question/separate_training", f"sampling={sampling}").scheduler.at == [0.5]


def test_the_paper_on_mmarco_alone() -> None:
    """The command line wins over the experiment."""
    cfg = composed("experiment=paper/xlmr_hybrid", "corpus=mmarco", "corpus.languages=[en,ar]")
    assert cfg.corpus == {"_target_": "babelbatch.corpora.mmarco.load_corpus", "languages": ["en", "ar"]}


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
