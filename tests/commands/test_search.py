"""babelbatch-search: what it finds, prints and refuses."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from babelbatch import load
from babelbatch.cli import evaluate
from babelbatch.cli import search as command
from babelbatch.commands.answers import Answer, answer_lines, languages_line, pool_line
from babelbatch.encoder import save, tiny
from babelbatch.evaluation.debias import debiased
from babelbatch.sources.passages import Passages, read_passages
from commands import exit_code
from configurations import problems

ROWS = [
    ("en", "Lima is the capital of Peru."), ("en", "Quito is the capital of Ecuador."), ("en", "It rains."),
    ("el", "Η Λίμα είναι η πρωτεύουσα του Περού."), ("el", "Βρέχει."),
    ("th", "ลิมาเป็นเมืองหลวงของเปรู"), ("th", "ฝนตก"),
]  # fmt: skip
QUERY = "Ποια είναι η πρωτεύουσα του Περού;"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder that was not trained, and passages."""
    folder = tmp_path_factory.mktemp("search")
    save(
        tiny([QUERY, *(text for _, text in ROWS)], vocab_size=200, hidden_size=16, heads=2, layers=1), folder / "model"
    )
    lines = (json.dumps({"text": text, "language": language}, ensure_ascii=False) for language, text in ROWS)
    (folder / "wiki.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def typed(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command in this process: its exit code, what it prints, and its errors."""

    def run(*arguments: str, piped: str = "") -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.argv", ["babelbatch-search", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(piped))
        return exit_code(command), *capsys.readouterr()

    return run


MODEL = ("encoder.name_or_path=model", "passages=wiki.jsonl")


def test_it_prints_the_nearest_passages(place: Path, typed) -> None:
    code, printed, errors = typed(*MODEL, f"query={QUERY}", "top=3")
    assert code == 0
    assert (
        "babelbatch: 7 passages in 3 languages: en 42.9\N{NO-BREAK SPACE}%, el 28.6\N{NO-BREAK SPACE}%, th " in errors
    )
    model = load(place / "model")
    scores = model.encode_passages([text for _, text in ROWS]) @ model.encode_queries([QUERY])[0]
    order = np.argsort(-scores)
    expected = [
        f"{place:3}  {ROWS[row][0]}  {scores[row]:6.3f}  {ROWS[row][1]}" for place, row in enumerate(order[:3], 1)
    ]
    lines = printed.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[:4] == [QUERY, *expected]
    assert lines[4].startswith("languages of the first 7 (of the pool): en 43 % (42.9 %), ")
    assert lines[5:] == [""]


def test_what_is_quoted_in_the_shell_reaches_the_encoder(typed) -> None:
    query = "What's it, {a=b} [c]? ${home}, x=1,2 \\"
    code, printed, _ = typed(*MODEL, f"query={query}")
    assert (code, printed.splitlines()[0]) == (0, query)


def test_queries_are_read_from_a_pipe(typed) -> None:
    code, printed, _ = typed(*MODEL, "top=1", piped=f"{QUERY}\n\nDoes it rain?\n")
    assert code == 0
    assert [block.splitlines()[0] for block in printed.strip().split("\n\n")] == [QUERY, "Does it rain?"]


def test_debias_is_that_of_the_evaluation(place: Path, typed) -> None:
    code, printed, _ = typed(*MODEL, "debias=centre", "top=7", piped=f":el\n{QUERY}\n")
    assert code == 0
    model, passages = load(place / "model"), read_passages(str(place / "wiki.jsonl"), "text", "language", None)
    language = np.array([passages.languages.index("el")], np.int16)
    queries, candidates = debiased(
        "centre", model.encode_queries([QUERY]), language, model.encode_passages(passages.texts), passages.language_of
    )
    expected = np.sort(queries[0] @ candidates.T)[::-1]
    assert [
        float(score) for score in re.findall(r"^ +\d+  \w\w +(-?\d\.\d{3})  ", printed, re.MULTILINE)
    ] == pytest.approx(expected.tolist(), abs=6e-4)
    plain = typed(*MODEL, "top=7", f"query={QUERY}")[1]
    assert plain != printed
    assert typed(*MODEL, "debias=centre", "top=7", "query_language=el", f"query={QUERY}")[1] == printed


def test_vectors_are_read_from_the_cache(place: Path, typed, monkeypatch: pytest.MonkeyPatch) -> None:
    first = typed(*MODEL, f"query={QUERY}")[1]
    from babelbatch.evaluation import encoding

    encoded: list[int] = []
    encode_rows = encoding._encode_rows

    def counted(encoder, tokens, rows, *arguments):
        encoded.append(len(rows))
        return encode_rows(encoder, tokens, rows, *arguments)

    monkeypatch.setattr(encoding, "_encode_rows", counted)
    assert typed(*MODEL, f"query={QUERY}")[1] == first
    assert encoded == [1]  # the query


def test_another_index(typed) -> None:
    exact = typed(*MODEL, f"query={QUERY}")[1]
    assert typed(*MODEL, f"query={QUERY}", "index=hnsw")[1] == exact


@pytest.mark.parametrize(
    ("arguments", "piped", "message"),
    [
        (("passages=gone.txt", "query=x"), "", "passages: there is no file or folder 'gone.txt'"),
        (("debias=centre",), "x\n",
         "query_language: debias=centre needs it; type : and a language, such as :el"),
        (("debias=centre", "query_language=fr", "query=x"), "",
         "query_language: no passage is in 'fr', so there is nothing to fit debias on; there are: el, en, th"),
        (("debias=lir", "components=2", "query_language=el", "query=x"), "",
         "components: 2 would leave nothing of a language; set it to 1 or less"),
        (("language_column=tongue", "debias=centre", "query_language=Greek", "query=x"), "",
         "debias: the languages of the passages are not known; give them in a column 'tongue', in the names of the "
         "files (passages=wiki.{language}.txt), or set debias=none"),
        (("query=x", "-m"), "",
         "the configuration cannot be run:\n  - -m: this command has no jobs to sweep over; leave it out"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(arguments: tuple[str, ...], piped: str, message: str, typed) -> None:
    code, printed, errors = typed(*MODEL, *arguments, piped=piped)
    assert (code, printed) == (2, "")
    assert errors.endswith(f"babelbatch: {message}\n")
    assert "Traceback" not in errors


def test_bad_rows_are_left_out_where_the_user_says_so(place: Path, typed, caplog: pytest.LogCaptureFixture) -> None:
    lines = (place / "wiki.jsonl").read_text(encoding="utf-8")
    (place / "bad.jsonl").write_text(lines + '{"text": ""}\n', encoding="utf-8")
    given = (*MODEL[:1], "passages=bad.jsonl", f"query={QUERY}")
    code, _, errors = typed(*given)
    reason = "bad.jsonl, line 8: 'text' is empty; write it, or remove the row"
    assert code == 2
    assert errors.endswith(f"\nbabelbatch: {reason}; or set on_bad_row=skip to leave such rows out\n")
    code, printed, _ = typed(*given, "on_bad_row=skip")
    assert (code, printed) == (0, typed(*MODEL, f"query={QUERY}")[1])
    assert f"passages: 1 rows are left out (on_bad_row=skip):\n  {reason}" in caplog.messages


def test_settings_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    def found(*overrides: str) -> list[str]:
        return problems(*overrides, root="search")

    (tmp_path / "config.json").touch()
    assert found(f"encoder.name_or_path={tmp_path}") == [
        "passages: missing; set it to a text file with a passage on each line, or to a JSONL, CSV or Parquet file"
    ]
    model = (f"encoder.name_or_path={tmp_path}", "passages=a.txt")
    assert found(*model) == []
    assert found(*model, "top=0", "components=0") == [
        "top: 0 is not at least 1",
        "components: 0 is not at least 1",
        "components: only LIR removes components; set debias=lir",
    ]
    assert found(*model, "debias=center") == [
        "debias: 'center' is not one of none, centre, lir, did you mean 'centre'?"
    ]
    assert found(*model, "on_bad_row=skp") == ["on_bad_row: 'skp' is not one of error, skip, did you mean 'skip'?"]
    assert found(*model, "debias=lir", "query=x") == [
        "query_language: missing; debias=lir takes it out of the query's vector: set it"
    ]
    assert found(*model, "query_language=el") == [
        "query_language: only debias needs it; leave it out, or set debias=centre"
    ]
    assert found(*model, "query=' '") == ["query: it is empty; write a question, or leave it out for a prompt"]
    assert found("passages=a.txt", "checkpoint=/gone") == ["checkpoint: there is no '/gone'"]
    assert found("passages=a.txt", "encoder=bm25") == [
        "encoder: BM25 has no vectors to search; choose another, and see how good it is with babelbatch-evaluate"
    ]
    assert found(*model, "pasages=b.txt") == ["pasages: no such key, did you mean 'passages'?"]


def pool(counts: dict[str, int]) -> Passages:
    names = tuple(counts)
    rows = np.repeat(np.arange(len(names), dtype=np.int16), list(counts.values()))
    return Passages(tuple(f"text {row}" for row in range(len(rows))), names, rows, by_script=False)


def test_the_line_of_the_languages_by_hand() -> None:
    passages = pool({"ar": 50, "el": 25, "th": 15, "zh": 10})
    answer = Answer("?", np.arange(10), np.zeros(10, np.float32), np.array([0, 3, 7, 0]))
    line = languages_line(answer, passages).replace("\N{NO-BREAK SPACE}", " ")
    assert line == "languages of the first 10 (of the pool): th 70 % (15.0 %), el 30 % (25.0 %), 2 others 0 % (60.0 %)"
    assert pool_line(passages).replace("\N{NO-BREAK SPACE}", " ") == (
        "100 passages in 4 languages: ar 50.0 %, el 25.0 %, th 15.0 %, zh 10.0 %"
    )
    many = pool_line(pool({f"l{number}": 1 for number in range(20)}))
    assert many.startswith("20 passages in 20 languages: l0 5.0")
    assert many.endswith("%, 8 more")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty columns wide."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def test_lines_fit_a_terminal(terminal: None) -> None:
    """Characters of two columns count twice, and the languages are torn apart only after a comma."""
    texts = ("安道尔的官方货币单位是欧元" * 9, "ลิมาเป็นเมืองหลวงของเปรู" * 9, "a" * 90)
    names = ("ar", "de", "el", "en", "es", "hi", "zh-Hant")
    passages = Passages(texts * 4, names, np.arange(12, dtype=np.int16) % 7, by_script=False)
    answer = Answer("?", np.arange(12), np.full(12, 0.5, np.float32), np.array([2, 2, 1, 1, 1, 1, 2]))
    lines = answer_lines(answer, passages, 3)
    assert [cell_len(line) for line in lines[1:4]] == [79, 80, 80]
    assert [line[-1] for line in lines[1:4]] == ["…", "…", "…"]
    of_languages = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines[4:-1]]
    assert of_languages == [
        "languages of the first 10 (of the pool): ar 20 % (16.7 %), de 20 % (16.7 %),",
        "  zh-Hant 20 % (8.3 %), el 10 % (16.7 %), en 10 % (16.7 %), es 10 % (16.7 %),",
        "  hi 10 % (8.3 %)",
    ]
    assert answer_lines(answer, passages, 3, typed=True) == lines[1:]  # the query stands above already


def test_the_prompt_of_queries(place: Path, typed) -> None:
    """Which one it is, and which other ones the encoder has, is told before the first answer."""
    plain = typed(*MODEL, f"query={QUERY}")
    assert "babelbatch: queries are encoded without a prompt\n" in plain[2]
    shutil.copytree(place / "model", place / "prompted")
    stored = json.loads((place / "model" / "babelbatch.json").read_text())
    prompts = {"query_prefix": "query: ", "query_prompts": {"xquad_r": "Which sentence? ", "mlqa_r": "Which? "}}
    (place / "prompted" / "babelbatch.json").write_text(json.dumps(stored | prompts))
    arguments = ("encoder.name_or_path=prompted", "passages=wiki.jsonl", f"query={QUERY}", "top=7")
    code, printed, errors = typed(*arguments)
    line = "babelbatch: queries are encoded with the prompt 'query: '; there are prompts for task=xquad_r, mlqa_r\n"
    assert (code, line in errors) == (0, True)
    code, of_task, errors = typed(*arguments, "task=mlqa_r")
    line = "babelbatch: queries are encoded with the prompt 'Which? '; there are prompts for task=xquad_r\n"
    assert (code, line in errors) == (0, True)
    model = load(place / "model", query_prefix="Which? ")
    passages = model.encode_passages([text for _, text in ROWS])
    expected = np.sort(model.encode_queries([QUERY])[0] @ passages.T)[::-1]
    scores = [float(score) for score in re.findall(r"^ +\d+  \w\w +(-?\d\.\d{3})  ", of_task, re.MULTILINE)]
    assert scores == pytest.approx(expected.tolist(), abs=6e-4)
    assert of_task != printed
    code, _, errors = typed(*arguments, "task=miracl")
    assert (code, errors.splitlines()[-1]) == (
        2, "babelbatch: task: the encoder has no prompt for 'miracl'; there are: xquad_r, mlqa_r",
    )  # fmt: skip


def test_a_language_without_debias(typed) -> None:
    code, printed, errors = typed(*MODEL, piped=":el\n")
    assert (code, printed) == (2, "")
    assert errors.splitlines()[-1] == (
        "babelbatch: :el would set the language of the questions, which only debias= uses"
    )


def test_a_text_cannot_control_the_terminal() -> None:
    passages = Passages(("a\x1b[2Jb\nc",), ("en",), np.zeros(1, np.int16), by_script=False)
    lines = answer_lines(Answer("q", np.array([0]), np.array([0.5], np.float32), np.array([1])), passages, 5)
    assert lines[1] == "  1  en   0.500  a [2Jb c"


def test_tab_completes_and_help_begins_with_the_command(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "babelbatch-search index=")
    assert typed("-sc", "query=bash")[:2] == (0, "index=exact index=hnsw index=ivf\n")
    code, shown, _ = typed("--help")
    assert (code, shown.splitlines()[0]) == (0, "babelbatch-search [GROUP=OPTION ...] [KEY=VALUE ...]")
    assert "\npassages: null\n" in shown


def test_tab_completes_the_commands_that_run_jobs(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COMP_LINE", "babelbatch-evaluate index=")
    monkeypatch.setattr("sys.argv", ["babelbatch-evaluate", "-sc", "query=bash"])
    assert exit_code(evaluate) == 0
    assert capsys.readouterr().out == "index=exact index=hnsw index=ivf\n"
