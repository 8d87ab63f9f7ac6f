"""The model card of a run: every number in it is one of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load

from babelbatch.report import licences
from babelbatch.report.licences import DataSource, data_sources
from babelbatch.report.merged_card import Parent, write_merged_card
from babelbatch.report.model_card import data_section, metadata, write_card
from babelbatch.report.runs import read_run
from pages import DOCS
from run_folders import write_run

SETTINGS = {
    "corpus": {"_target_": "babelbatch.corpora.lareqa.load_corpus", "dataset": "mlqa_r", "data_dir": "/home/me/mlqa-r"},
    "encoder": {"_target_": "babelbatch.encoder.pretrained", "name_or_path": "xlm-roberta-base"},
    "benchmarks": {"facts": {"_target_": "mine.load_benchmark", "path": "/home/me/facts"}},
}
ENCODER = {
    "pooling": "mean", "query_prefix": "query: ", "passage_prefix": "a | b ", "query_length": 64, "passage_length": 256,
    "normalise": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    facts = {"languages/corpus": ["en", "zh-HK", "th"], "commit": "abc123", "versions/torch": "2.13.0"}
    facts |= {"fingerprint/initial_weights": "0123456789abcdef" * 4}
    write_run(folder, "x_y", 0.0, settings=SETTINGS, facts=facts, bias=True)
    (folder / "command.txt").write_text("babelbatch-train sampling=x_y corpus.data_dir=/home/me/mlqa-r\n")
    (folder / "encoder").mkdir()
    (folder / "encoder" / "babelbatch.json").write_text(json.dumps(ENCODER))
    (folder / "encoder" / "modules.json").write_text("[]")
    write_card(folder, folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    return (run / "encoder" / "README.md").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")


def test_the_metadata_is_what_the_hub_reads(run: Path) -> None:
    path = run / "encoder" / "README.md"
    found = metadata_load(path)
    assert found["language"] == ["en", "zh", "th"]
    assert found["base_model"] == "xlm-roberta-base"
    assert found["library_name"] == "sentence-transformers"
    assert found["pipeline_tag"] == "feature-extraction"
    assert "license" not in found  # which the run does not know
    metrics = json.loads((run / "metrics.json").read_text())
    results = {each.metric_type: each.metric_value for each in ModelCard.load(path).data.eval_results}
    assert results == {
        f"{setting}/map": pytest.approx(metrics[f"facts/{setting}/map"], abs=1e-6)
        for setting in ("monolingual", "crosslingual", "multilingual")
    }


def test_scores_have_intervals_and_the_map_has_every_cell(run: Path, text: str) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    scores = text.partition("## Scores on facts")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in scores.splitlines() if line.startswith("|")
    ]
    of_metric = {row[0]: row[1:] for row in rows}
    value, interval = of_metric["multilingual mAP"]
    assert float(value) == pytest.approx(metrics["facts/multilingual/map"], abs=5e-5)
    low, high = (float(end) for end in interval.strip("[]").split(", "))
    assert low < float(value) < high
    assert float(of_metric["language preference"][0]) == pytest.approx(
        metrics["facts/multilingual/language_preference"], abs=5e-4
    )
    for language in ("ar", "en", "hi", "th"):
        for other, cell in zip(("ar", "en", "hi", "th"), of_metric[language], strict=True):
            within = language == other
            key = f"monolingual/map/{language}" if within else f"crosslingual/map/{language}-{other}"
            assert float(cell) == pytest.approx(metrics[f"facts/{key}"], abs=5e-4)


def test_recipe_prompts_licences_and_provenance(text: str) -> None:
    for line in (
        "| sampling strategy | x_y |",
        "babelbatch-train sampling=x_y corpus.data_dir=.../mlqa-r",
        "benchmarks.facts.path: '.../facts'",
        '| query | `"query: "` | 64 tokens |',
        '| passage | `"a \\| b "` | 256 tokens |',
        "| corpus | MLQA-R | CC BY-NC 4.0 | not for commercial use |",
        "Trained on MLQA-R, which is not for commercial use.",
        "| benchmarks.facts | mine.load_benchmark | not known to babelbatch |  |",
        "| commit | `abc123` |",
        "| versions/torch | `2.13.0` |",
        "| fingerprint/corpus | `c0ffee` |",
        "| fingerprint/initial_weights | `0123456789abcdef` |",
        'model = SentenceTransformer("this folder")',
        'model = load("this folder")',
        "corpus.dataset: mlqa_r",
    ):
        assert line in text.splitlines(), line
    assert "output_dir" not in text
    assert "/home" not in text


def test_an_encoder_that_sentence_transformers_cannot_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "babelbatch.json").write_text(json.dumps(ENCODER))
    write_card(run, tmp_path, "Exported with weights in float16.")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "sentence-transformers cannot compute the vectors of this encoder.\n" in text
    assert "SentenceTransformer(" not in text
    assert "\nExported with weights in float16.\n" in text
    assert "library_name" not in metadata_load(tmp_path / "README.md")


def test_a_damaged_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ValueError, match=r"metrics.json is not valid JSON"):
        write_card(tmp_path, tmp_path)


def test_the_parts_of_a_mixture_have_licences_of_their_own() -> None:
    found = data_sources(
        {
            "benchmarks.xquad_r._target_": "babelbatch.benchmarks.lareqa.load_benchmark",
            "benchmarks.xquad_r.dataset": "xquad_r",
            "corpus._target_": "babelbatch.corpora.mixture.load_corpus",
            "corpus.parts.a._target_": "babelbatch.corpora.squad.load_corpus",
            "corpus.parts.a.translations": "mlqa",
            "corpus.parts.b._target_": "babelbatch.corpora.table.load_corpus",
        }
    )
    assert [(each.key, each.licence) for each in found] == [
        ("corpus.parts.a", "CC BY-SA 3.0"),
        ("corpus.parts.b", "not known to babelbatch"),
        ("benchmarks.xquad_r", "CC BY-SA 4.0"),
    ]


def test_every_licence_is_the_one_of_the_documentation() -> None:
    page = (DOCS / "datasets.md").read_text(encoding="utf-8")
    for key, (_, licence, _) in licences._listed().items():
        assert licence in page, key


def test_a_run_is_called_by_its_name_and_its_folder(tmp_path: Path) -> None:
    """The runs of a sweep share a name, and runs without one are all called train."""
    for folder, name, title in (("x_x_1", "train", "x_x_1"), ("x_x_2", "demo", "demo x_x_2"), ("demo", "demo", "demo")):
        run = read_run(write_run(tmp_path / folder, "x_x", 1.0, facts={"name": name}))
        assert metadata(run, exported=True).model_name == title


def test_what_data_limit_is_said_of_their_use() -> None:
    used = {"corpus": "MLQA-R", "validation": "mMARCO", "benchmarks.x": "MLQA-R", "benchmarks.y": "TyDi"}
    sources = [DataSource(key, name, "a licence", "not for commercial use") for key, name in used.items()]
    assert data_section(sources)[-3:] == [
        "Trained on MLQA-R, which is not for commercial use.\n",
        "Validated on mMARCO, which is not for commercial use; this run did not train on it.\n",
        "Scored on TyDi, which is not for commercial use; this run did not train on it.\n",
    ]


def card_of(folder: Path, note: str = "", **options: object) -> tuple[str, dict[str, object]]:
    """The text of a card, and what the hub reads of it."""
    strategy, alpha = options.pop("strategy", "hybrid"), options.pop("alpha", 0.5)
    write_run(folder, strategy, alpha, **options)
    (folder / "encoder").mkdir()
    (folder / "encoder" / "babelbatch.json").write_text(json.dumps(ENCODER))
    write_card(folder, folder / "encoder", note)
    path = folder / "encoder" / "README.md"
    return path.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " "), metadata_load(path)


def test_the_weights_are_those_of_a_step_and_an_alpha_that_changed_is_a_mean(tmp_path: Path) -> None:
    """The weights of step 300 were said to be of 1,000 steps, and sequential training of alpha 0.5."""
    text, _ = card_of(tmp_path / "best", facts={"steps": 1000, "evaluated_step": 300})
    assert "| steps | 1,000 |" in text
    assert "| weights of step | 300 |" in text
    assert "| alpha | 0.5 |" in text
    text, _ = card_of(
        tmp_path / "changed", strategy="sequential", facts={"steps": 1000, "evaluated_step": 1000},
        settings={"sampling": {"name": "sequential", "alpha": 1.0, "schedule": "switch", "alpha_end": 0.0}},
    )  # fmt: skip
    assert "weights of step" not in text
    assert "| alpha (mean of the schedule) | 0.5 |" in text


def test_scores_of_other_vectors_are_not_given_to_the_hub(tmp_path: Path) -> None:
    """Of a truncated copy, and of vectors that were changed before they were scored, the hub would show them."""
    _, of_run = card_of(tmp_path / "plain")
    assert of_run["model-index"]
    _, of_copy = card_of(tmp_path / "cut", "Cut to 32 dimensions; the scores below are those of the whole model.")
    text, of_changed = card_of(tmp_path / "lir", settings={"evaluation": {"debias": "lir", "components": 1}})
    assert "model-index" not in of_copy | of_changed
    assert "`evaluation.debias=lir`, computed from the candidates of the benchmark" in text


def test_an_index_is_named_with_its_recall(tmp_path: Path) -> None:
    facts = {"search/facts": "IVF", "search_recall/facts/all": 0.9996, "search_recall/facts/en": 0.41}
    text, _ = card_of(tmp_path / "ivf", facts=facts)
    assert "Searched with IVF, which finds 41.0 % of the exact first hundred, or more, in each pool." in text
    assert "Searched with" not in card_of(tmp_path / "exact", facts={"search/facts": "Exact"})[0]


def test_the_languages_and_the_paper_are_those_of_the_batches(tmp_path: Path) -> None:
    facts = {"languages/corpus": ["en", "de", "sw"]}
    settings = {"sampling": {"name": "english", "alpha": 1.0, "languages": ["en"]}}
    text, of_english = card_of(tmp_path / "en", strategy="english", alpha=1.0, facts=facts, settings=settings)
    assert of_english["language"] == ["en"]
    assert "2408.10536" not in text.partition("## Scores")[0]
    text, of_all = card_of(tmp_path / "all", facts=facts)
    assert of_all["language"] == ["en", "de", "sw"]
    assert "2408.10536" in text


def test_what_data_limit_is_said_of_the_runs_of_an_average(tmp_path: Path) -> None:
    """The average itself was not scored."""
    (tmp_path / "babelbatch.json").write_text(json.dumps(ENCODER))
    loaders = {"corpus": "corpora.world_facts.load_corpus", "benchmarks.mlqa_r": "benchmarks.lareqa.load_benchmark"}
    settings = {f"{key}._target_": f"babelbatch.{target}" for key, target in loaders.items()}
    settings["benchmarks.mlqa_r.dataset"] = "mlqa_r"
    trained = settings | {"corpus._target_": "babelbatch.corpora.mmarco.load_corpus"}
    parents = [Parent("a", 0.5, "x_x", {}, settings), Parent("b", 0.5, "x_y", {}, trained)]
    write_merged_card(tmp_path, "average", parents, {})
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    some = "One or more of the runs were"
    assert f"\n{some} trained on mMARCO, which is for research, not for commercial use.\n" in text
    assert f"\n{some} scored on MLQA-R, which is not for commercial use; none of them trained on it.\n" in text
    assert "this run" not in text
    assert "An average has no scores" in text
