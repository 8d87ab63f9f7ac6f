"""XQuAD, MLQA, TyDi QA GoldP and Belebele: small files of the published schema, and what is wrong with damaged ones."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from babelbatch.benchmarks import belebele, lareqa, mlqa, tydiqa_goldp, xquad
from babelbatch.configuration.shipped import CONF
from babelbatch.evaluation.cell_ranking import rank_cells
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scoring import score
from babelbatch.records import Benchmark
from babelbatch.sources.lareqa import read

Row = dict[str, object]


def squad_row(id_: str, question: str, context: str) -> Row:
    return {
        "id": id_, "title": "t", "context": context, "question": question,
        "answers": {"text": [context[:2]], "answer_start": [0]},
    }  # fmt: skip


def belebele_row(link: str, number: int, question: str, passage: str) -> Row:
    choices = {f"mc_answer{n}": f"choice {n}" for n in (1, 2, 3, 4)}
    return {
        "link": link, "question_number": number, "flores_passage": passage, "question": question, **choices,
        "correct_answer_num": "2", "dialect": "x", "ds": "2023-05-03",
    }  # fmt: skip


def write_parquet(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_jsonl(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def parallel(language: str) -> list[Row]:
    """Two questions about one paragraph and one about another; German does not have the last."""
    rows = [("q1", "Where?", "Here it is."), ("q2", "When?", "Here it is."), ("q3", "Why?", "Because.")]
    chosen = rows[:2] if language == "de" else rows
    return [squad_row(id_, f"{question} ({language})", f"{context} [{language}]") for id_, question, context in chosen]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """The folder of each data set, in English and German (TyDi QA: Swahili, English and Korean)."""
    for language in ("en", "de"):
        write_parquet(tmp_path / f"xquad/xquad.{language}/validation-00000-of-00001.parquet", parallel(language))
        write_parquet(tmp_path / f"mlqa/mlqa.{language}.{language}/test-00000-of-00001.parquet", parallel(language))
        code = {"en": "eng_Latn", "de": "deu_Latn"}[language]
        rows = [
            belebele_row(f"https://w/{link}", number, f"{link}{number} ({language})", f"About {link} [{language}].")
            for link, number in (("a", 1), ("a", 2), ("b", 1))
        ]
        write_jsonl(tmp_path / f"belebele/data/{code}.jsonl", rows)
    tydi = tmp_path / "tydiqa_goldp/secondary_task"
    validation = [
        squad_row("swahili-1-0", "Nani?", "Yeye."),
        squad_row("english-1-0", "Who?", "She."),
        squad_row("swahili-2-0", "Lini?", "Jana."),
        squad_row("swahili-2-1", "Wapi?", "Jana."),
        squad_row("korean-9-0", "누구?", "그녀."),
    ]
    train = [squad_row("swahili-7-0", "Kwa nini?", "Kwa sababu."), squad_row("swahili-8-0", "Nani tena?", "Yeye.")]
    write_parquet(tydi / "validation-00000-of-00001.parquet", validation)
    write_parquet(tydi / "train-00000-of-00001.parquet", train)
    return {name: str(tmp_path / name) for name in ("xquad", "mlqa", "belebele", "tydiqa_goldp")}


LANGUAGES = {"xquad": ["en", "de"], "mlqa": ["en", "de"], "belebele": ["en", "de"], "tydiqa_goldp": ["sw", "en", "ko"]}
LOADERS: dict[str, Callable[..., Benchmark]] = {
    "xquad": xquad.load_benchmark,
    "mlqa": mlqa.load_benchmark,
    "belebele": belebele.load_benchmark,
    "tydiqa_goldp": tydiqa_goldp.load_benchmark,
}


def as_read(benchmark: Benchmark) -> list[tuple[str, str, str, list[str]]]:
    """Id, language and text of each question, and the texts that answer it."""
    offsets = benchmark.relevant_offsets
    return [
        (
            benchmark.query_ids[row],
            benchmark.languages[benchmark.query_languages[row]],
            benchmark.query_texts[row],
            [benchmark.candidate_texts[found] for found in benchmark.relevant[offsets[row] : offsets[row + 1]]],
        )
        for row in range(len(benchmark.query_ids))
    ]


@pytest.mark.parametrize("name", ["xquad", "mlqa"])
def test_paragraphs_by_hand(folders, name):
    """The third question is not asked in German, and is answered in English only."""
    benchmark = LOADERS[name](folders[name], LANGUAGES[name])
    here = ["Here it is. [en]", "Here it is. [de]"]
    assert as_read(benchmark) == [
        ("q1", "en", "Where? (en)", here),
        ("q2", "en", "When? (en)", here),
        ("q3", "en", "Why? (en)", ["Because. [en]"]),
        ("q1", "de", "Where? (de)", here),
        ("q2", "de", "When? (de)", here),
    ]
    assert benchmark.candidate_ids == ("en_0", "en_1", "de_0")
    assert benchmark.candidate_languages.tolist() == [0, 0, 1]
    assert benchmark.pooled
    assert LOADERS[name](folders[name], ["de", "en"]).languages == ("de", "en")


def test_belebele_by_hand(folders):
    benchmark = belebele.load_benchmark(folders["belebele"], ["de", "en"])
    about_a, about_b = (["About a [de].", "About a [en]."], ["About b [de].", "About b [en]."])
    assert as_read(benchmark)[:3] == [
        ("https://w/a#1", "de", "a1 (de)", about_a),
        ("https://w/a#2", "de", "a2 (de)", about_a),
        ("https://w/b#1", "de", "b1 (de)", about_b),
    ]
    assert len(benchmark.query_ids) == 6
    assert len(benchmark.candidate_ids) == 4


def test_belebele_has_all_its_languages():
    assert len(set(belebele.FLORES.values())) == len(belebele.FLORES) == 122
    assert set(belebele.DEFAULT) <= set(belebele.FLORES)
    assert len(set(belebele.DEFAULT)) == 21
    assert (belebele.FLORES["zh"], belebele.FLORES["zh_Hant"], belebele.FLORES["ar"]) == (
        "zho_Hans", "zho_Hant", "arb_Arab",
    )  # fmt: skip


def test_tydiqa_by_hand(folders):
    benchmark = tydiqa_goldp.load_benchmark(folders["tydiqa_goldp"], ["sw", "en"])
    assert as_read(benchmark) == [
        ("swahili-1-0", "sw", "Nani?", ["Yeye."]),
        ("english-1-0", "en", "Who?", ["She."]),
        ("swahili-2-0", "sw", "Lini?", ["Jana."]),
        ("swahili-2-1", "sw", "Wapi?", ["Jana."]),
    ]
    assert benchmark.candidate_texts == ("Yeye.", "She.", "Jana.")
    assert not benchmark.pooled
    assert tydiqa_goldp.load_benchmark(folders["tydiqa_goldp"], ["sw", "en"], pooled=True).pooled
    more = tydiqa_goldp.load_benchmark(folders["tydiqa_goldp"], ["sw", "en"], "train+validation")
    assert as_read(more) == as_read(benchmark)
    assert more.candidate_texts == ("Yeye.", "She.", "Jana.", "Kwa sababu.")


def test_tydiqa_averages_the_languages_other_than_english(folders):
    """Bengali and the others are not in the small file: all eight have to be there to be asked."""
    assert tydiqa_goldp.NON_ENGLISH == ("ar", "bn", "fi", "id", "ko", "ru", "sw", "te")
    assert sum(tydiqa_goldp.QUESTIONS.values()) == 5_077
    benchmark = tydiqa_goldp.load_benchmark(folders["tydiqa_goldp"])
    assert benchmark.languages == tydiqa_goldp.NON_ENGLISH
    rng = np.random.default_rng(0)
    queries, candidates = (
        rng.normal(size=(len(ids), 4)).astype(np.float32) for ids in (benchmark.query_ids, benchmark.candidate_ids)
    )
    found = score(benchmark, rank_cells(benchmark, queries, candidates)).metrics
    by_language = [found[f"tydiqa_goldp/monolingual/map/{language}"] for language in ("sw", "ko")]
    assert found["tydiqa_goldp/monolingual/map"] == pytest.approx(np.mean(by_language))
    assert not [key for key in found if "multilingual" in key or "crosslingual" in key]


def test_each_cell_of_mlqa_has_the_questions_of_both_languages(folders):
    benchmark = mlqa.load_benchmark(folders["mlqa"], ["en", "de"])
    queries, candidates = (
        np.eye(8, dtype=np.float32)[: len(ids)] for ids in (benchmark.query_ids, benchmark.candidate_ids)
    )
    table = score(benchmark, *rank(benchmark, queries, candidates, k=3)).per_query.to_pylist()
    cells = [(row["query_language"], row["candidate_language"]) for row in table if row["setting"] != "multilingual"]
    assert {cell: cells.count(cell) for cell in cells} == {
        ("en", "en"): 3, ("en", "de"): 2, ("de", "en"): 2, ("de", "de"): 2,
    }  # fmt: skip


def as_published(folder: Path, source: Path, dataset: str, pattern: str) -> Path:
    """The questions and paragraphs of LAReQA's files, which are those of XQuAD and of MLQA's dev set, in the schema of
    the hub."""
    for file in read(dataset, str(source), None):
        rows = [squad_row(asked.id, asked.text, file.paragraphs[asked.paragraph].context) for asked in file.questions]
        write_parquet(folder / pattern.format(file.language), rows)
    return folder


def test_the_real_xquad(shared_data, tmp_path, caplog):
    """Its eleven languages other than Romanian, with the published counts."""
    name = "xquad.{}/validation-00000-of-00001.parquet"
    folder = as_published(tmp_path, shared_data / "xquad-r", "xquad_r", name)
    with caplog.at_level(logging.WARNING):
        benchmark = xquad.load_benchmark(str(folder), [language for language in xquad.LANGUAGES if language != "ro"])
    assert not caplog.records
    assert (len(benchmark.query_ids), len(benchmark.candidate_ids)) == (11 * 1_190, 11 * 240)
    assert set(np.diff(benchmark.relevant_offsets).tolist()) == {11}


def test_the_real_mlqa_dev(shared_data, tmp_path, caplog):
    """The numbers of questions of the 49 pairs are those of the hub's files."""
    name = "mlqa.{0}.{0}/validation-00000-of-00001.parquet"
    folder = as_published(tmp_path, shared_data / "mlqa-r", "mlqa_r", name)
    with caplog.at_level(logging.WARNING):
        benchmark = mlqa.load_benchmark(str(folder), split="dev")
    assert not caplog.records
    asked = {language: set() for language in benchmark.languages}
    for id_, column in zip(benchmark.query_ids, benchmark.query_languages, strict=True):
        asked[benchmark.languages[column]].add(id_)
    shared = [[len(asked[one] & asked[other]) for other in benchmark.languages] for one in benchmark.languages]
    assert benchmark.languages == ("ar", "de", "en", "es", "hi", "vi", "zh")
    assert shared[0] == [517, 207, 517, 161, 186, 163, 188]
    assert shared[1] == [207, 512, 512, 196, 163, 182, 190]  # de.hi 163, de.es 196, de.zh 190 on the hub
    assert shared[4] == [186, 163, 507, 187, 507, 177, 189]
    offsets = benchmark.relevant_offsets
    answered = np.diff(offsets)
    for row, id_ in enumerate(benchmark.query_ids):
        assert answered[row] == sum(id_ in ids for ids in asked.values())


def test_lareqa_as_xtreme_r_has_it(shared_data):
    """Candidate texts as XTREME-R makes them, and its number to read."""
    node = OmegaConf.load(CONF / "benchmarks" / "xtreme_r_lareqa.yaml").xtreme_r_lareqa
    benchmark = instantiate(node, data_dir=str(shared_data / "xquad-r"), languages=["en", "de"], _convert_="all")
    assert benchmark.metric == "map@20"
    plain = lareqa.load_benchmark("xquad_r", str(shared_data / "xquad-r"), ["en", "de"])
    assert plain.metric == "map"
    assert plain.candidate_ids == benchmark.candidate_ids
    first = read("xquad_r", str(shared_data / "xquad-r"), ["en"])[0].paragraphs[0]
    assert benchmark.candidate_texts[0] == (first.sentences[0] + first.context).replace("\n", "")


@pytest.mark.parametrize("name", LOADERS)
def test_the_shipped_options(folders, name):
    node = OmegaConf.load(CONF / "benchmarks" / f"{name}.yaml")[name]
    benchmark = instantiate(node, data_dir=folders[name], languages=LANGUAGES[name], _convert_="all")
    assert benchmark.name == name
    assert benchmark.fingerprint == LOADERS[name](folders[name], LANGUAGES[name]).fingerprint


@pytest.mark.parametrize("name", LOADERS)
def test_other_counts_than_published_are_logged(folders, name, caplog):
    with caplog.at_level(logging.WARNING):
        LOADERS[name](folders[name], LANGUAGES[name])
    assert re.search(r"questions: [356] instead of [\d,]+, as published", caplog.text)


@pytest.mark.parametrize("name", LOADERS)
def test_without_a_connection_the_command_that_fetches_is_named(name):
    with pytest.raises(ValueError, match=r"type `hf download --repo-type dataset .*, or set data_dir to a folder"):
        LOADERS[name](None, LANGUAGES[name])


@pytest.mark.parametrize("name", LOADERS)
def test_a_language_that_there_is_not(folders, name):
    with pytest.raises(ValueError, match=r"has no xx; its languages are"):
        LOADERS[name](folders[name], ["xx"])


def rewritten(change: Callable[[list[Row]], list[Row]]) -> Callable[[Path], None]:
    """Changes the rows of a file, and leaves it whole."""

    def corrupt(path: Path) -> None:
        if path.suffix == ".parquet":
            write_parquet(path, change(pq.read_table(path).to_pylist()))
        else:
            write_jsonl(path, change([json.loads(line) for line in path.read_text().splitlines()]))

    return corrupt


def without(key: str) -> Callable[[Path], None]:
    return rewritten(lambda rows: [{name: value for name, value in row.items() if name != key} for row in rows])


def with_(key: str, value: object) -> Callable[[Path], None]:
    return rewritten(lambda rows: [*rows[:-1], rows[-1] | {key: value}])


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing file": (Path.unlink, "there is no such file; put the file there, as in https://huggingface.co/"),
    "empty file": (lambda path: path.write_bytes(b""), r"(the file is empty; copy|damaged Parquet file)"),
    "cut file": (truncated, r"(not valid JSON|damaged Parquet file)"),
    "no rows": (rewritten(lambda rows: rows[:0]), r"the file is empty; copy or download it again"),
    "missing column": (without("question"), r"(line|row) 1: no 'question'; there are: "),
    "wrong type": (
        rewritten(lambda rows: [row | {"question": 3} for row in rows]),
        r"(line|row) 1: 'question' is 3, not a text",
    ),
    "empty text": (with_("question", " "), r"(line|row) \d: 'question' is empty; write it, or remove the row"),
    "duplicate id": (
        rewritten(lambda rows: [*rows, rows[0]]),
        r"(line|row) \d: a second query '\S+' in '\w+'; .*(line|row) 1 has the first",
    ),
}

FILES = {
    "xquad": "xquad.de/validation-00000-of-00001.parquet",
    "mlqa": "mlqa.de.de/test-00000-of-00001.parquet",
    "belebele": "data/deu_Latn.jsonl",
    "tydiqa_goldp": "secondary_task/validation-00000-of-00001.parquet",
}


@pytest.mark.parametrize("name", ["xquad", "mlqa", "tydiqa_goldp"])
def test_bad_questions_are_listed_or_left_out(folders, name, caplog):
    path = Path(folders[name]) / FILES[name]
    rows = pq.read_table(path).to_pylist()
    whole = LOADERS[name](folders[name], LANGUAGES[name])
    write_parquet(path, [*rows, rows[0] | {"context": "Another."}, rows[1] | {"id": None}, rows[1] | {"question": " "}])
    first, found = len(rows) + 1, LANGUAGES[name][1 if name != "tydiqa_goldp" else 0]
    noted = [
        f"{path}, row {first + 1}: 'id' is null, not a text",
        f"{path}, row {first + 2}: 'question' is empty; write it, or remove the row",
        f"{path}, row {first}: a second query '{rows[0]['id']}' in '{found}'; {path}, row 1 has the first; give each "
        "its own id",
    ]
    with pytest.raises(ValueError, match=r"^3 rows cannot be used") as error:
        LOADERS[name](folders[name], LANGUAGES[name])
    assert sorted(str(error.value).splitlines()[1:]) == sorted(f"  {line}" for line in noted)
    caplog.clear()
    benchmark = LOADERS[name](folders[name], LANGUAGES[name], on_bad_row="skip")
    assert benchmark.fingerprint == whole.fingerprint
    assert benchmark.skipped_rows.count == 3
    assert sorted(benchmark.skipped_rows.first) == sorted(noted)
    assert [line.splitlines()[0] for line in caplog.messages if "left out" in line] == [
        f"benchmark {name}: 3 rows are left out (on_bad_row=skip):"
    ]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_file_is_named_with_its_line(folders, name, fault):
    path = Path(folders[name]) / FILES[name]
    corrupt, message = FAULTS[fault]
    corrupt(path)
    with pytest.raises(ValueError, match=message) as error:
        LOADERS[name](folders[name], LANGUAGES[name])
    assert path.name.partition("-")[0] in str(error.value)


def test_invalid_utf8_and_wrong_numbers_in_belebele(folders):
    path = Path(folders["belebele"]) / "data" / "deu_Latn.jsonl"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"a2 (de)", b"a2 \xff(de)"))
    with pytest.raises(ValueError, match=r"deu_Latn\.jsonl, line 2: not valid UTF-8 at byte \d+"):
        belebele.load_benchmark(folders["belebele"], ["de"])
    path.write_bytes(good.replace(b'"question_number": 2', b'"question_number": "2"'))
    with pytest.raises(ValueError, match=r"line 2: 'question_number' is 2, not a whole number"):
        belebele.load_benchmark(folders["belebele"], ["de"])


def test_an_id_of_no_language_in_tydiqa(folders):
    path = Path(folders["tydiqa_goldp"]) / "secondary_task" / "validation-00000-of-00001.parquet"
    with_("id", "klingon-1-0")(path)
    with pytest.raises(ValueError, match=r"row 5: the id 'klingon-1-0' begins with none of arabic, bengali"):
        tydiqa_goldp.load_benchmark(folders["tydiqa_goldp"], ["sw"])
