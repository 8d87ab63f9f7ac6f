"""The whole report, from folders of runs to files; and the command."""

import csv
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from babelbatch.cli import _compare_runs
from babelbatch.evaluation.metrics import NAMES, TITLES
from babelbatch.progress import Work
from babelbatch.report import command
from babelbatch.report.bias import language_preference
from babelbatch.report.comparisons import study
from babelbatch.report.grouping import grouped
from babelbatch.report.page import cell_text, prose, write_report
from babelbatch.report.runs import find_runs
from babelbatch.report.settings import Settings
from run_folders import write_run, write_sweep

LEVELS = {0.0: {"crosslingual": 0.5}, 0.5: {"crosslingual": 0.4}, 1.0: {"crosslingual": 0.1}}
VOID = {"meta", "link", "br", "img", "polyline", "polygon", "line", "circle"}


class Nesting(HTMLParser):
    """Elements that are not closed where they should be, ids, and what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if attributes.get("id") else []
        if tag in {"img", "script", "iframe"} or (tag == "link" and not attributes["href"].startswith("data:")):
            self.fetched.append(str(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def read(page: Path) -> str:
    """The page without the elements that keep "X-Y" in one piece."""
    return re.sub(r'<span class="whole">(.*?)</span>', r"\1", page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    write_sweep(place, LEVELS, seeds=2, bias=True, curves=True, facts={"languages/corpus": ["ar", "en"]})
    return write_report([place], place / "report")


def test_the_page_stands_alone(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    page = Nesting()
    page.feed(text)
    assert (page.wrong, page.open, page.fetched) == ([], [], [])
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"url\(|@import|\bsrc=", text)
    assert set(re.findall(r"https?://[^\"' <]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


def test_every_section_is_on_the_page(report: Path) -> None:
    page = Nesting()
    page.feed(report.read_text(encoding="utf-8"))
    assert page.ids == [
        "results-facts", "alpha-facts", "pairs-facts", "margins-facts", "cells-facts", "bias-facts", "front-facts",
        "bias-tests-facts", "typology-facts", "resources-facts", "script-facts", "seen-facts", "planning-facts",
        "curves", "cost",
    ]  # fmt: skip


def test_the_question_and_the_answer_come_first(report: Path) -> None:
    text = read(report)
    assert re.search(
        r'<html lang="en">.*<h1>X-Y is best across languages; .* no strategy is significantly best\.</h1>', text, re.S
    )
    assert text.index("Which languages should a contrastive batch combine") < text.index("<h1>") < text.index("<h2>")
    for own in ("العربية", "हिन्दी", "ไทย"):
        assert own in text
    assert 'lang="ar" dir="auto"' in text


def test_language_bias(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert "the rate of a retriever without preference: 0.250, one in 4." in text
    assert "MRC@10" not in text  # these runs do not have it
    rows = list(csv.reader((report.parent / "data" / "facts_language_preference.csv").read_text().splitlines()))
    assert rows[0] == ["query language", "X-Y", "hybrid alpha=0.5", "X-X", "unbiased"]
    assert [(row[0], row[-1]) for row in rows[1:]] == [(name, "0.25") for name in ("ar", "en", "hi", "th")]
    shares = list(csv.reader((report.parent / "data" / "facts_top10_0.csv").read_text().splitlines()))
    assert {row[2] for row in shares[1:]} == {"0.25"}


def test_what_does_not_measure_bias_is_not_called_so(tmp_path: Path) -> None:
    """PEER is one constant where each language has one answer; rank distance falls with any better ranking."""
    write_sweep(tmp_path, LEVELS, seeds=2, bias=True, facts={"facts/multilingual/peer@100": 0.4405})
    text = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    assert "PEER@100 (with one answer in each language it only counts queries without any in the top 100)" in text
    assert "Rank distance falls with a better ranking too: it compares language bias only at equal mAP" in text
    assert "fairer" not in text
    assert "less language bias" not in text


def test_a_measure_has_the_same_decimals_in_each_column(tmp_path: Path) -> None:
    for seed, (strategy, lift) in enumerate({"x_x": 4.7, "x_y": 2.159}.items()):
        facts = {"facts/multilingual/same_language_lift@10": lift}
        write_run(
            tmp_path / strategy, strategy=strategy, alpha=float(strategy == "x_x"), seed=seed, bias=True, facts=facts
        )
    text = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    (row,) = re.findall("<tr>.*the same, divided by its share of the pool.*</tr>", text)
    assert re.findall(">([0-9.]+)</td>", row) == ["2.16", "4.70"]


def test_no_preference_where_few_languages_have_an_answer(tmp_path: Path) -> None:
    """As in MLQA-R: a version in the question's language then comes first more often than in one of L cases."""
    run = write_run(tmp_path / "run", bias=True)
    path = run / "per_query.parquet"
    some = {f"q{question}" for question in range(10)}  # of 40: answered in ar and en only
    rows = [
        row
        for row in pq.read_table(path).to_pylist()
        if row["query_id"] not in some or {row["query_language"], row["candidate_language"]} <= {"ar", "en", None}
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = language_preference(study("facts", grouped(find_runs([run]).runs)))
    assert [(name, fair) for name, fair, _ in found.rows] == [
        ("ar", (10 / 2 + 30 / 4) / 40), ("en", (10 / 2 + 30 / 4) / 40), ("hi", 1 / 4), ("th", 1 / 4),
    ]  # fmt: skip
    assert found.unbiased == (0.3125 + 0.25) / 2
    text = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    assert "without preference: 0.281, the mean of one over the number of languages that answer a query." in text


def test_a_report_may_have_a_name(tmp_path: Path) -> None:
    write_sweep(tmp_path / "runs", {0.5: {}, 1.0: {}})
    page = write_report([tmp_path / "runs"], tmp_path / "report", Settings(name="Six <layers>")).read_text("utf-8")
    assert "babelbatch report · Six &lt;layers&gt;</p>" in page
    assert (tmp_path / "report" / "report.md").read_text("utf-8").startswith("# Six &lt;layers>\n")


def test_names_from_outside_are_escaped(tmp_path: Path) -> None:
    write_run(tmp_path / "a", facts={"name": "<script>alert(1)</script>"}, settings={"loss": {"name": "<b>"}})
    write_run(tmp_path / "b", settings={"loss": {"name": "<i>"}})
    text = write_report([tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "name=&lt;i&gt;" in text


def test_every_table_is_beside_the_page(report: Path) -> None:
    names = {path.name for path in (report.parent / "data").iterdir()}
    linked = set(re.findall(r'href="data/([^"]+)"', report.read_text(encoding="utf-8")))
    sections = {
        f"facts_{name}.tex"
        for name in ("typology", "resources", "seen", "script", "planning", "dominance", "bias_tests")
    }
    charts = {name for name in names if name.endswith(".svg")}
    assert {Path(name).with_suffix(".csv").name for name in charts} <= linked
    assert names == linked | sections | charts | {"facts.tex"}
    for name in linked:
        header, *rows = csv.reader((report.parent / "data" / name).read_text(encoding="utf-8").splitlines())
        assert rows, name
        assert {len(row) for row in rows} == {len(header)}, name
    assert {
        "results.csv",
        "comparisons.csv",
        "non_inferiority.csv",
        "cost.csv",
        "facts_alpha_multilingual_map.csv",
    } < linked
    assert "| X-Y | 2 |" in (report.parent / "report.md").read_text(encoding="utf-8")
    assert "\\begin{tabular}" in (report.parent / "data" / "facts.tex").read_text(encoding="utf-8")


def test_the_same_runs_give_the_same_page(report: Path, tmp_path: Path) -> None:
    again = write_report([report.parent.parent], tmp_path)
    assert again.read_bytes() == report.read_bytes()


def test_sections_without_data_are_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "a", "mixed", 1.0, languages=("en",))
    page = Nesting()
    page.feed(write_report([tmp_path], tmp_path / "out").read_text(encoding="utf-8"))
    assert page.ids == ["results-facts", "cells-facts", "cost"]


def test_evaluations_of_encoders_have_no_seed(tmp_path: Path) -> None:
    for name in ("small", "large"):
        nothing = dict.fromkeys(("strategy", "alpha", "seed", "steps", "seconds/train"))
        settings = {"sampling": {}, "seed": None, "encoder": {"name_or_path": f"models/{name}"}}
        write_run(tmp_path / name, facts=nothing, settings=settings, seed=ord(name[0]))
    text = write_report([tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    assert '<th scope="row">large</th>' in text
    assert "No system here was trained with a seed" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (12345.6, "12,346"),
        (0.123456, "0.1235"),
        (1024000, "1,024,000"),
    ],
)
def test_numbers_of_a_table(value: object, shown: str) -> None:
    assert cell_text(value) == shown


def test_lines_do_not_break_within_a_strategy_or_an_interval() -> None:
    assert prose("X-Y < X-X by [−1,303.0, +0.1], [a, b]") == (
        '<span class="whole">X-Y</span> &lt; <span class="whole">X-X</span> by '
        '<span class="whole">[−1,303.0, +0.1]</span>, [a, b]'
    )


def test_arguments() -> None:
    folders, output, settings = command.parse(["runs=a,b", "runs=c", "margin=0.02", "benchmarks=x", "level=0.9"])
    assert (folders, output) == ([Path("a"), Path("b"), Path("c")], Path("report"))
    assert settings == Settings(level=0.9, margin=0.02, benchmarks=("x",))
    assert command.parse(["runs=a"])[1:] == (Path("a/report"), Settings())
    assert command.parse(["runs=[a,b]", "output=o"])[:2] == ([Path("a"), Path("b")], Path("o"))
    assert command.parse(["runs=a", "scores=s"])[2].scores == Path("s")
    assert command.parse(["runs=a", "name=One, and [another]"])[2].name == "One, and [another]"
    with pytest.raises(ValueError, match=r"^name: several values; a report has one$"):
        command.parse(["runs=a", "name=a", "name=b"])
    with pytest.raises(ValueError, match=r"^scores: several folders; name one$"):
        command.parse(["runs=a", "scores=s,t"])


def test_a_folder_alone_means_one_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "multirun" / "demo").mkdir(parents=True)
    assert command.parse(["demo"])[:2] == ([Path("multirun/demo")], Path("multirun/demo/report"))
    assert command.parse(["multirun/demo", "level=0.9"])[0] == [Path("multirun/demo")]
    (tmp_path / "demo").mkdir()
    with pytest.raises(ValueError, match=r"^demo: there are two such folders; write runs=demo or runs=multirun/demo\n"):
        command.parse(["demo"])
    (tmp_path / "multirun" / "demo").rmdir()
    assert command.parse(["demo", "runs=other"])[0] == [Path("demo"), Path("other")]


def test_every_mistake_in_the_arguments_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="margin") as refusal:
        command.parse(["run=a", "multirun/demo", "margin=two", "level=95", "output=a,b"])
    assert str(refusal.value).splitlines() == [
        "'run=a' is not an option, did you mean 'runs'?; write options as runs=..., output=...",
        "multirun/demo: there is no folder multirun/demo, nor multirun/multirun/demo; write options as runs=..., "
        "output=...",
        "runs: no folder; name that of a run or of a sweep, such as runs=multirun/demo",
        "margin: two is not a number between 0 and 1; write margin=0.01",
        "level: 95 is not a number between 0 and 1; write level=0.95",
        "output: several folders; name one",
    ]


def report_on(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    light = "assert 'torch' not in sys.modules"
    code = f"import sys; from babelbatch.report.command import main\ntry: main()\nfinally: {light}"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd)


def test_the_command_prints_the_page_and_needs_no_torch(tmp_path: Path) -> None:
    write_sweep(tmp_path / "demo", LEVELS, seeds=1)
    done = report_on("runs=demo", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "demo/report/report.html\n", "")
    again = report_on("runs=demo", "output=elsewhere", cwd=tmp_path)
    assert again.stdout == "elsewhere/report.html\n"


def test_user_errors_are_one_line_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_run(tmp_path / "mixed" / "a")
    write_run(tmp_path / "mixed" / "b", seed=1, facts={"protocol/facts": "another"})
    for argument, message in (
        ("runs=empty", "babelbatch: runs: no finished run in empty; a finished run is a folder with metrics.json, as "
         "babelbatch-train writes it in multirun/<name>\n"),
        ("runs=mixed", "babelbatch: runs: mixed/a and mixed/b cannot be compared: facts has another protocol in the "
         "second (protocol sentences and another); evaluate both again with one version, or report on each alone\n"),
    ):  # fmt: skip
        done = report_on(argument, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert not (tmp_path / "mixed" / "report").exists()
    helped = report_on("--help", cwd=tmp_path)
    assert helped.returncode == 0
    assert helped.stdout == command.USAGE + "\n"
    assert report_on(cwd=tmp_path).returncode == 2


def test_a_sweep_ends_with_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so before it begins."""
    monkeypatch.setattr(sys, "argv", ["babelbatch-train", "-m"])
    write_sweep(tmp_path, LEVELS, seeds=1)
    _compare_runs([tmp_path / "x_x_1.0_seed-0", tmp_path / "x_y_0.0_seed-0"], multirun=True)
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].strip() == str(tmp_path / "report" / "report.html")
    assert printed.err == "babelbatch: writing the report\n"
    assert "3 runs" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_every_long_step_of_a_report_is_shown(tmp_path: Path, works: list[Work]) -> None:
    write_sweep(tmp_path, LEVELS, seeds=2)
    write_report([tmp_path], tmp_path / "report")
    assert [(work.description, work.total, work.done) for work in works] == [
        ("reading the runs", 6, 6),
        ("comparing the strategies on facts", 3, 3),
        ("analysing languages and seeds", None, 0),
        ("writing the report", None, 0),
    ]


def test_a_second_sweep_of_one_name_loses_nothing_of_the_first(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", "x_x", 1.0)
    _compare_runs([first], multirun=True)
    _compare_runs([write_run(tmp_path / "b", "x_y", 0.0)], multirun=True)
    comparison = (tmp_path / "comparison.md").read_text()
    assert "| x_x |" in comparison
    assert "| x_y |" in comparison


def test_a_folder_with_incomparable_runs_gets_a_report_of_the_command_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "earlier", "x_x", 1.0, facts={"fingerprint/facts": "another"})
    _compare_runs([write_run(tmp_path / "now", "x_y", 0.0)], multirun=True)
    *_, note, _, page = capsys.readouterr().out.splitlines()
    assert note.startswith("The report compares the runs of this command only. All runs in the folder: runs: ")
    assert "1 run," in Path(page.strip()).read_text(encoding="utf-8")


def test_a_failing_report_does_not_fail_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "a")
    (folder / "per_query.parquet").unlink()
    _compare_runs([folder], multirun=True)
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith(f"No report was written. {folder}/per_query.parquet is missing")
    )


@pytest.mark.parametrize("metric", [name for name in NAMES if name not in {"map", "ndcg@10"}])
def test_a_report_by_any_metric(tmp_path: Path, metric: str) -> None:
    write_sweep(tmp_path, LEVELS, seeds=2, metric=metric, within_only=True)
    text = write_report([tmp_path], tmp_path / "report").read_text(encoding="utf-8")
    assert f"monolingual {TITLES[metric]}" in text


@pytest.mark.parametrize("within_only", [False, True])
def test_a_report_of_searched_benchmarks(tmp_path: Path, within_only: bool) -> None:
    """nDCG@10 and recall@100 instead of mAP, no rank distance; and, as in MIRACL, perhaps one setting only."""
    write_sweep(tmp_path, LEVELS, seeds=2, metric="ndcg@10", within_only=within_only)
    text = read(write_report([tmp_path], tmp_path / "report"))
    assert "monolingual nDCG@10" in text
    assert ("multilingual nDCG@10" in text) != within_only
    assert "nDCG@10 of queries in the language of the row" in text
    assert "the monolingual nDCG@10 of X-X" in text
    assert "mAP" not in re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL)
    where = "within a language" if within_only else "over the pool of all languages"
    assert f"nDCG@10 of the queries in these languages {where}" in text


def test_what_validation_curves_can_be_compared_for(tmp_path: Path) -> None:
    """Nothing is said of those that are not there."""
    comparable, apart = "so its curves can be compared", "of different objectives or temperatures cannot be compared"
    sizes = "over batches of different data or sizes cannot be compared"
    for name, temperatures, batches, said in (
        ("one", (0.02, 0.02), (64, 64), comparable), ("two", (0.02, 0.05), (64, 64), apart),
        ("sizes", (0.02, 0.02), (64, 128), sizes), ("fractions", (0.02, 0.02), (64, 64), sizes),
        ("none", (0.02, 0.05), (64, 64), None),
    ):  # fmt: skip
        for number, (strategy, alpha) in enumerate((("x_x", 1.0), ("x_y", 0.0))):
            sampling = {"name": strategy, "alpha": alpha, "batch_size": batches[number]}
            run = write_run(
                tmp_path / name / strategy,
                strategy,
                alpha,
                curves=True,
                settings={"loss": {"temperature": temperatures[number]}, "sampling": sampling},
            )
            if name == "fractions":
                with (run / "config.yaml").open("a") as file:
                    file.write(f"language_fraction: {{th: {0.1 * (number + 1)}}}\n")
            if name == "none":
                curves = run / "csv" / "metrics.csv"
                curves.write_text(curves.read_text().replace("validation/loss", "validation/other"))
        page = write_report([tmp_path / name], tmp_path / name / "report").read_text(encoding="utf-8")
        assert [words for words in (comparable, apart, sizes) if words in page] == ([] if said is None else [said])
