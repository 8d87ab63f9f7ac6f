"""Systems that were measured elsewhere, beside runs: what they are compared on, what is not tested, what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytrec_eval
import yaml

from babelbatch.report import command
from babelbatch.report.comparisons import Study
from babelbatch.report.foreign_runs import find_all
from babelbatch.report.measures import CROSSLINGUAL, MONOLINGUAL, MULTILINGUAL, RANK_DISTANCE
from babelbatch.report.outcomes import Better, NotDifferent, NotTested
from babelbatch.report.page import Report, build_report, markdown, write_report
from babelbatch.report.settings import Settings
from babelbatch.report.verdicts import headline, sentences
from run_folders import LANGUAGES, QUERIES, write_run, write_sweep

LEVELS = {0.0: {"monolingual": 0.5}, 1.0: {"monolingual": 0.6}}
QUERY = "(?P<id>q[0-9]+)/(?P<language>[a-z]+)"


def scored(value: Callable[[int, str], float], measure: str = "AP", queries: int = QUERIES) -> str:
    """A table as ir_measures -q writes it."""
    rows = [(query, language) for query in range(queries) for language in LANGUAGES]
    lines = [f"q{query}/{language}\t{measure}\t{value(query, language):.4f}\n" for query, language in rows]
    return "".join(lines) + f"all\t{measure}\t0.5000\n"


def write_system(folder: Path, declaration: dict[str, object] | None = None, **files: str) -> Path:
    """A folder of tables: `monolingual="..."` is written as `monolingual.tsv`."""
    folder.mkdir(parents=True)
    declared: dict[str, object] = {
        "kind": "table",
        "benchmark": "facts",
        "query": QUERY,
        "files": r"(?P<setting>\w+)\.tsv",
    }
    (folder / "system.yaml").write_text(yaml.safe_dump(declared | (declaration or {})))
    for setting, text in files.items():
        (folder / f"{setting}.tsv").write_text(text)
    return folder


def easy(query: int, language: str) -> float:
    return 0.8 + 0.02 * (query % 5)


def like(run: Path, shift: float = 0.0) -> Callable[[int, str], float]:
    """The monolingual mAP of a run, shifted."""
    table = pq.read_table(run / "per_query.parquet").to_pylist()
    of_row = {(row["query_id"], row["query_language"]): row["map"] for row in table if row["setting"] == "monolingual"}
    return lambda query, language: of_row[f"q{query}", language] + shift


def reported(*folders: Path, foreign: Sequence[str] = ()) -> tuple[Report, Study]:
    report = build_report(list(folders), Settings(foreign=tuple(foreign)))
    return report, report.studies[0]


def refused(*folders: Path) -> str:
    with pytest.raises(ValueError, match=r".") as error:
        build_report(list(folders))
    return str(error.value)


def test_a_table_beside_a_sweep_is_a_fixed_system(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS, article=5)
    system = write_system(tmp_path / "elsewhere" / "bm25", {"system": "BM25"}, monolingual=scored(easy))
    report, study = reported(sweep, system)
    (group,) = [group for group in study.groups if group.foreign]
    assert (group.label, group.fixed, group.seeds, group.strategy) == ("BM25", True, (None,), None)
    assert [each.label for each in study.groups] == ["X-Y", "X-X", "BM25"]
    estimate = study.estimates["BM25", MONOLINGUAL]
    assert estimate.value == pytest.approx(0.84)
    assert (estimate.clusters, estimate.over) == (QUERIES // 5, "queries")
    pair = study.pair("BM25", "X-X", MONOLINGUAL)
    assert pair is not None
    assert (pair.comparison.runs, pair.comparison.over) == ((3, 1), "queries and seeds")
    assert isinstance(study.outcome("BM25", "X-X", MONOLINGUAL), Better)
    assert study.winner(MONOLINGUAL) == "BM25"
    assert headline(study).startswith("BM25 is best within a language")
    assert report.studies[0].clusters.unit == "article"
    assert [f"facts/monolingual/map/{code}" in group.runs[0].metrics for code in LANGUAGES] == [True] * 4
    assert group.runs[0].metrics["facts/monolingual/map"] == pytest.approx(0.84)


def test_three_states(tmp_path: Path) -> None:
    """Better; not significantly different; not tested, because it has no such scores."""
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    write_system(tmp_path / "all" / "good", {"system": "good"}, monolingual=scored(easy))
    near = like(next(sweep.glob("x_x_1.0_seed-1")))
    write_system(tmp_path / "all" / "near", {"system": "near"}, monolingual=scored(near))
    _, study = reported(sweep, tmp_path / "all")
    assert isinstance(study.outcome("good", "X-X", MONOLINGUAL), Better)
    assert isinstance(study.outcome("near", "X-X", MONOLINGUAL), NotDifferent)
    found = study.outcome("near", "X-X", CROSSLINGUAL)
    assert isinstance(found, NotTested)
    assert found.reason == "near has no mAP across languages by query"
    lines = sentences(study)
    assert lines[0].startswith("Within a language, good has the highest mAP, 0.840, better than every other: 0.2")
    assert lines[1].startswith("Across languages, X-")
    assert "good" not in lines[1]
    places = (
        "mAP across languages",
        "mAP over the pool of all languages",
        "rank distance over the pool of all languages",
    )
    assert lines[-3:] == [f"Not tested: good and near have no {place} by query." for place in places]


def test_one_trained_seed_of_another_system_is_not_tested(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    write_system(tmp_path / "dense", {"system": "dense", "seed": 0}, monolingual=scored(easy))
    _, study = reported(sweep, tmp_path / "dense")
    found = study.outcome("dense", "X-X", MONOLINGUAL)
    assert isinstance(found, NotTested)
    assert found.reason == "dense has one run, which does not show how much its training varies"


def test_seeds_in_the_names_of_files_are_one_system(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    declaration = {"files": r"(?P<system>[a-z]+)-(?P<seed>\d+)\.tsv", "setting": "monolingual"}
    files = {
        f"dense-{seed}": scored(lambda query, _, seed=seed: 0.7 + 0.01 * seed + 0.02 * (query % 5)) for seed in range(3)
    }
    write_system(tmp_path / "dense", declaration, **files)
    _, study = reported(sweep, tmp_path / "dense")
    (group,) = [group for group in study.groups if group.foreign]
    assert (group.label, group.seeds, group.fixed) == ("dense", (0, 1, 2), False)
    assert study.estimates["dense", MONOLINGUAL].value == pytest.approx(0.75)
    assert study.estimates["dense", MONOLINGUAL].over == "queries and seeds"


def test_the_page_has_a_dash_where_there_are_no_scores(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS, bias=True)
    write_system(tmp_path / "bm25", {"system": "BM25 <1>"}, monolingual=scored(easy))
    page = write_report([sweep, tmp_path / "bm25"], tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "BM25 &lt;1&gt;" in text
    assert "BM25 <1>" not in text
    row = re.search(r"\| BM25 <1> \|.*", (tmp_path / "report" / "report.md").read_text(encoding="utf-8"))
    assert row is not None
    assert re.fullmatch(r"\| BM25 <1> \| – \| \*\*0\.8400\*\* \[0\.\d{4}, 0\.\d{4}\] \| –  \| –  \| –  \|", row[0])


def test_queries_that_a_table_lacks_score_zero_and_it_is_said(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    write_system(tmp_path / "bm25", {"system": "BM25"}, monolingual=scored(lambda *_: 0.8, queries=QUERIES // 2))
    report, study = reported(sweep, tmp_path / "bm25")
    assert study.estimates["BM25", MONOLINGUAL].value == pytest.approx(0.4)
    assert report.found.notes[0] == "BM25 on facts: 80 scores that its table lacks count 0."
    assert report.found.notes[1] == (
        "BM25 on facts: whether its scores are by the same judgements could not be checked, because not all files say "
        "how many candidates are relevant."
    )
    assert "* BM25 on facts: 80 scores that its table lacks count 0." in markdown(report)


def test_measures_that_we_do_not_have_are_named(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    write_system(tmp_path / "bm25", {"system": "BM25"}, monolingual=scored(easy) + scored(easy, "P@5"))
    report, _ = reported(sweep, tmp_path / "bm25")
    assert "BM25 on facts: not compared, because we have no such measure: P@5." in report.found.notes


@pytest.mark.parametrize(
    ("declaration", "table", "message"),
    [
        ({}, scored(easy).replace("q0/ar", "q99/ar"),
         "facts has no query 'q99' in 'ar' over candidates in 'ar' in the monolingual setting; mend query: or "
         "query_id:, or name the files of this benchmark"),
        ({}, scored(easy).replace("/hi", "/hin"),
         "facts has no language 'hin' (ar, en, hi, th), such as that of query 'q0' in 'hin' over candidates in 'hin'; "
         "mend the patterns, or name its languages by languages:"),
        ({"benchmark": "other"}, scored(easy), "no run has the benchmark other (there are: facts); mend it"),
    ],
)  # fmt: skip
def test_other_queries_are_refused(tmp_path: Path, declaration: dict, table: str, message: str) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    system = write_system(tmp_path / "bm25", declaration, monolingual=table)
    assert refused(sweep, system) == f"{system}: {message}"


def test_their_codes_of_languages_can_be_named(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    table = scored(easy).replace("/hi", "/hin")
    write_system(tmp_path / "bm25", {"languages": {"hin": "hi"}}, monolingual=table)
    _, study = reported(sweep, tmp_path / "bm25")
    assert study.estimates["bm25", MONOLINGUAL].value == pytest.approx(0.84)


def with_relevant(sweep: Path, count: int) -> Path:
    """The runs of a sweep, with the number of relevant candidates that later versions record."""
    for path in sweep.glob("*/per_query.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.append_column("relevant", pa.array([count] * len(table), pa.int32())), path)
    return sweep


def test_other_judgements_are_refused(tmp_path: Path) -> None:
    sweep = with_relevant(write_sweep(tmp_path / "sweep", LEVELS), 2)
    table = scored(easy) + scored(lambda query, _: 3.0 if query == 7 else 2.0, "NumRel")
    system = write_system(tmp_path / "bm25", monolingual=table)
    first = next(sweep.glob("*x_x_1.0_seed-0"))
    assert refused(sweep, system) == (
        f"{system}: its judgements have 3 relevant candidates for query 'q7' in 'ar' over candidates in 'ar' in the "
        f"monolingual setting, and facts in {sorted(sweep.iterdir())[0]} has 2 (4 such); name the qrels of the same "
        "version of the benchmark"
    )
    assert first.is_dir()


def test_equal_judgements_need_no_note(tmp_path: Path) -> None:
    sweep = with_relevant(write_sweep(tmp_path / "sweep", LEVELS), 2)
    write_system(tmp_path / "bm25", monolingual=scored(easy) + scored(lambda *_: 2.0, "NumRel"))
    report, _ = reported(sweep, tmp_path / "bm25")
    assert report.found.notes == ()


def test_judgements_that_lack_queries_are_refused(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    run = "".join(f"q{query}/{code} Q0 d{code} 1 1 bm25\n" for query in range(QUERIES) for code in LANGUAGES)
    qrels = "".join(f"q{query}/{code} 0 d{code} 1\n" for query in range(QUERIES - 1) for code in LANGUAGES)
    declared = {"kind": "trec", "files": "bm25.tsv", "qrels": "qrels.tsv", "setting": "monolingual"}
    run += "q0/ar Q0 more 2 0.5 bm25\n"  # so that the other lists end by themselves
    system = write_system(tmp_path / "bm25", declared, bm25=run, qrels=qrels)
    assert refused(sweep, system) == (
        f"{system}: its judgements lack query 'q39' in 'ar' over candidates in 'ar' (4 such), which facts has in the "
        "monolingual setting; name all qrels of the benchmark"
    )
    (system / "qrels.tsv").write_text(qrels + "".join(f"q39/{code} 0 nowhere-{code} 1\n" for code in LANGUAGES))
    report, study = reported(sweep, system)
    assert study.estimates["bm25", MONOLINGUAL].value == pytest.approx(39 / 40)
    assert report.found.notes[0] == (
        "bm25 on facts: within a language 4 of 160 relevant candidates are in no list and count as not found."
    )


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    system = write_system(tmp_path / "bm25", {"system": "X-X"}, monolingual=scored(easy))
    assert refused(sweep, system) == f"{system}: system: runs are called 'X-X' too; give the system another name"
    for name in ("one", "two"):
        write_system(tmp_path / "twice" / name, {"system": "same"}, monolingual=scored(easy))
    assert refused(sweep, tmp_path / "twice") == (
        f"{tmp_path / 'twice' / 'one'}: 'same' has results on facts twice; give them different names by system:, or "
        "seeds by seed:"
    )


def test_systems_alone_are_compared_with_clusters_of_a_file(tmp_path: Path) -> None:
    clusters = "".join(f"q{query}\tarticle {query // 4}\n" for query in range(QUERIES))
    declared = {"files": r"monolingual\.tsv", "setting": "monolingual"}
    given = {"clusters": "clusters.tsv", "cluster_unit": "article"}
    write_system(tmp_path / "all" / "a", declared | given, monolingual=scored(easy), clusters=clusters)
    worse = scored(lambda query, language: easy(query, language) - 0.1)
    write_system(tmp_path / "all" / "b", declared, monolingual=worse)
    _, study = reported(tmp_path / "all")
    assert (study.clusters.unit, study.clusters.count, study.clusters.queries) == ("article", QUERIES // 4, QUERIES)
    assert isinstance(study.outcome("a", "b", MONOLINGUAL), Better)
    assert study.measures == (MONOLINGUAL,)
    assert headline(study) == "A is best within a language"


def test_mteb_results_are_numbers_without_a_test(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS, metric="ndcg@10", within_only=True)
    folder = write_system(
        tmp_path / "e5", {"kind": "mteb", "system": "E5", "files": r".*\.json", "languages": {"hin": "hi"}}
    )
    entries = [
        {
            "hf_subset": "hin" if code == "hi" else code,
            "languages": [],
            "main_score": 0.5,
            "ndcg_at_10": 0.5 + place / 10,
        }
        for place, code in enumerate(LANGUAGES)
    ]
    result = {"task_name": "Facts", "mteb_version": "2.26.24", "scores": {"test": entries}}
    (folder / "Facts.json").write_text(json.dumps(result))
    (folder / "model_meta.json").write_text("{}")
    report, study = reported(sweep, folder)
    assert [group.label for group in study.groups] == ["X-Y", "X-X"]
    assert sentences(study)[-1] == "Not tested: E5 has no scores by query, and so no interval either."
    assert "| E5 | – | 0.6500  |" in markdown(report)
    (folder / "Facts.json").write_text(json.dumps(result | {"scores": {"test": entries[:3]}}))
    report, _ = reported(sweep, folder)
    assert "| E5 | – | –  |" in markdown(report)  # a mean over other languages is another quantity


def test_mteb_predictions_are_ranked_lists(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS, within_only=True)
    ranked = {f"q{query}": {f"d{number}": 1.0 / (1 + number) for number in range(5)} for query in range(QUERIES)}
    predictions = {"mteb_model_meta": {"model_name": "intfloat/e5", "revision": "1"}}
    predictions |= {code: {"test": ranked} for code in LANGUAGES}
    declared = {
        "kind": "mteb", "files": ".*json", "qrels": "qrels.tsv", "query": "(?P<id>.+)", "subset": "(?P<language>..)",
    }  # fmt: skip
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{query}\td{query % 2}\t1\n" for query in range(QUERIES))
    folder = write_system(
        tmp_path / "e5", declared | {"qrels": r"(?P<language>..)\.tsv"}, **dict.fromkeys(LANGUAGES, qrels)
    )
    (folder / "Facts_predictions.json").write_text(json.dumps(predictions))
    _, study = reported(sweep, folder)
    assert study.estimates["intfloat/e5", MONOLINGUAL].value == pytest.approx(0.75)
    assert isinstance(study.outcome("intfloat/e5", "X-X", MONOLINGUAL), Better)


def test_a_pytrec_eval_table_has_the_values_that_it_wrote(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = [f"q{query}/{code}" for query in range(QUERIES) for code in LANGUAGES]
    qrels = {name: {f"d{number}": int(random.integers(0, 3)) for number in range(10)} | {"d0": 1} for name in names}
    run = {name: {f"d{number}": float(random.normal()) for number in range(10)} for name in names}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg_cut.10", "recall.1,10,100"}).evaluate(run)
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    folder = write_system(tmp_path / "bm25", {"files": "(?P<setting>monolingual).json"})
    (folder / "monolingual.json").write_text(json.dumps(theirs))
    found, _ = find_all([sweep, folder], ())
    rows = found.runs[-1].per_query.to_pylist()
    assert len(rows) == len(names)
    for row in rows:
        scores = theirs[f"{row['query_id']}/{row['query_language']}"]
        assert [row[name] for name in ("map", "ndcg@10", "recall@1", "recall@10", "recall@100")] == [
            scores[name] for name in ("map", "ndcg_cut_10", "recall_1", "recall_10", "recall_100")
        ]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = write_sweep(tmp_path / "sweep", LEVELS)
    system = write_system(tmp_path / "bm25", monolingual=scored(easy))
    declaration = (
        f"{{kind: table, system: BM25, benchmark: facts, setting: monolingual, query: '{QUERY}', files: '%s'}}"
    )
    _, _, settings = command.parse(["runs=a", f"foreign={declaration}", "foreign=b,c"])
    assert settings.foreign == (declaration, "b", "c")
    monkeypatch.setattr(
        "sys.argv", ["babelbatch-report", f"runs={sweep}", f"foreign={system}", f"output={tmp_path / 'o'}"]
    )
    command.main()
    assert "bm25" in (tmp_path / "o" / "report.md").read_text(encoding="utf-8")
    inline = declaration % f"{system}/monolingual.tsv"
    monkeypatch.setattr(
        "sys.argv", ["babelbatch-report", f"runs={sweep}", f"foreign={inline}", f"output={tmp_path / 'i'}"]
    )
    command.main()
    assert "BM25" in (tmp_path / "i" / "report.md").read_text(encoding="utf-8")
    (system / "monolingual.tsv").write_text("q0/ar\tAP\n")
    monkeypatch.setattr("sys.argv", ["babelbatch-report", f"runs={sweep},{system}"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        f"babelbatch: {system}/monolingual.tsv, line 1: it has 2 columns, and a table by query has 3: query, measure, "
        "value\n"
    )


def test_every_section_stands_without_the_scores_of_a_system(tmp_path: Path) -> None:
    """Two benchmarks, eleven languages, bias and curves over alpha: the sections leave out what there is not."""
    languages = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    levels = {0.0: {"crosslingual": 0.5}, 0.5: {}, 1.0: {"crosslingual": 0.1}}
    sweep = write_sweep(tmp_path / "sweep", levels, languages=languages, benchmarks=("facts", "xquad_r"), bias=True)
    rows = [(query, language) for query in range(QUERIES) for language in languages]
    for setting in ("monolingual", "multilingual"):
        table = "".join(f"q{query}/{language}\tAP\t{easy(query, language)}\n" for query, language in rows)
        folder = tmp_path / "all" / setting
        write_system(folder, {"files": r"(?P<benchmark>\w+)\.tsv", "setting": setting}, facts=table, xquad_r=table)
    report, study = reported(sweep, tmp_path / "all")
    text = write_report([sweep, tmp_path / "all"], tmp_path / "report").read_text(encoding="utf-8")
    anchors = {section.anchor for section in report.sections}
    assert {
        "typology-facts",
        "pair-regression-facts",
        "resources-facts",
        "script-facts",
        "domain-shift",
        "paper",
    } <= anchors
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).split()
    assert study.pair("multilingual", "X-X", MULTILINGUAL) is not None
    assert study.pair("monolingual", "X-X", MULTILINGUAL) is None
    assert study.pair("multilingual", "X-X", RANK_DISTANCE) is None


def test_one_run_beside_a_system(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "x_x", 1.0)
    write_system(tmp_path / "bm25", monolingual=scored(easy))
    _, study = reported(run, tmp_path / "bm25")
    assert headline(study) == "One run each: to say which strategy is better takes at least three seeds"
    assert sentences(study)[0].startswith("Within a language, bm25 has the highest mAP, 0.840, 0.2")
