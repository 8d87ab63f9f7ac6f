"""Loaders of a user's own that return what is no corpus or benchmark: refused in one line that names them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from commands import BIN, SMALL
from preloaded import run_preloaded

MODULE = """\
import numpy as np

from babelbatch.benchmarks.from_rows import benchmark_from_rows
from babelbatch.corpora.from_pairs import Pair, corpus_from_pairs
from babelbatch.records import Benchmark, Corpus

NONE = np.empty((2, 1, 0), np.int32)


def corpus(queries=(0, 1), keys=(0, 1), ids=("a", "b")):
    rows = np.array(queries, np.int32)[:, None]
    return Corpus(
        "sums", ("en",), ids, ("1 + 1?", "1 + 2?"), ("2", "3"), rows, rows, np.array(keys), NONE, NONE.astype(np.int64)
    )


def a_list():
    return [("1 + 1?", "2")]


def rows_out_of_range():
    return corpus(queries=(0, 7))


def too_few_keys():
    return corpus(keys=(0,))


def no_name():
    return corpus_from_pairs("", [Pair("a", "en", "1 + 1?", "2")])


class Sums(Corpus):
    __slots__ = ()

    def __init__(self):
        good = corpus()
        super().__init__(**{name: getattr(good, name) for name in Corpus.__dataclass_fields__} | {"ids": 5})


def benchmark(relevant=(0, 1)):
    column = np.zeros(2, np.int16)
    texts = ("1 + 5?", "2 + 5?")
    return Benchmark(
        "exam", ("en",), ("a", "b"), texts, column, ("6", "7"), ("6", "7"), column, np.arange(3), np.array(relevant),
        "by hand"
    )


def a_dict():
    return {"queries": []}


def relevant_out_of_range():
    return benchmark(relevant=(0, 2))


def nothing():
    pass


def tuples():
    return corpus_from_pairs("sums", [("a", "en", "1 + 1?", "2")])


def numbers_as_ids():
    return corpus_from_pairs("sums", [Pair(1, "en", "1 + 1?", "2")])


def no_arguments():
    return benchmark_from_rows("exam")


def no_such_file():
    with open("nowhere.csv") as file:
        return file.read()


def bad_number():
    return int("two")
"""
BUILT = {"corpus": 12, "no_name": 30, "Sums": 38, "benchmark": 44}  # lines that build a record
ROWS = (
    f"own.corpus, line {BUILT['corpus']}: corpus 'sums', queries: item 'b' in 'en' has 7, but query_texts has 2; use "
    "0 to 1, or ABSENT (-1) for none"
)
RELEVANT = (
    f"own.benchmark, line {BUILT['benchmark']}: benchmark 'exam', relevant: query 'b' has 2, but candidate_ids has 2; "
    "use 0 to 1"
)
BROKEN = ("nothing", "tuples", "numbers_as_ids", "no_such_file", "bad_number")  # corpora
LIST = "own.a_list: the return type is list; return a babelbatch.records.Corpus"
KEYS = f"own.corpus, line {BUILT['corpus']}: corpus 'sums', passage_keys: the shape is (1,); 2 ids need (2,)"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's module, and a configuration for each of its loaders, alone and as a part of a mixture."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(MODULE)
    for group in ("corpus", "benchmarks"):
        (folder / "conf" / group).mkdir(parents=True)
    for name in ("corpus", "a_list", "rows_out_of_range", "too_few_keys", "no_name", "Sums", *BROKEN):
        (folder / "conf" / "corpus" / f"{name}.yaml").write_text(f"_target_: own.{name}\n")
    for name in ("benchmark", "a_dict", "relevant_out_of_range", "no_arguments"):
        (folder / "conf" / "benchmarks" / f"{name}.yaml").write_text(f"exam:\n  _target_: own.{name}\n")
    return folder


ANNOUNCED = re.compile("babelbatch: (checking the configuration|reading .*)")


def complaints(own: Path, command: str, *typed: str, code: int = 2) -> list[str]:
    path = f"{own}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    arguments = ("--config-dir", own / "conf", *typed)
    done = run_preloaded(BIN / command, *arguments, cwd=own, code=code, env=os.environ | {"PYTHONPATH": path})
    assert "Traceback" not in done.stdout + done.stderr
    return [line for line in done.stderr.splitlines() if not ANNOUNCED.fullmatch(line)]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("corpus=a_list",), LIST),
        (("corpus=rows_out_of_range",), ROWS),
        (("corpus=too_few_keys",), KEYS),
        (("corpus=no_name",), f"own.no_name, line {BUILT['no_name']}: corpus, name: is an empty string; give a "
         "string that is not empty"),
        (("corpus=Sums",), f"own.Sums.__init__, line {BUILT['Sums']}: corpus 'sums', ids: is 5; give a sequence of "
         "strings, such as a tuple"),
        (("benchmarks=a_dict",), "own.a_dict: the return type is dict; return a babelbatch.records.Benchmark"),
        (("benchmarks=relevant_out_of_range",), RELEVANT),
        (("corpus=mixture", "+corpus@corpus.parts.good=corpus", "+corpus@corpus.parts.bad=rows_out_of_range"), ROWS),
        (("corpus=mixture", "+corpus@corpus.parts.good=corpus", "+corpus@corpus.parts.bad=a_list"),
         "corpus.parts.bad: the return type of its loader is list; return a babelbatch.records.Corpus"),
        (("corpus=nothing",), "own.nothing: the return type is NoneType; return a babelbatch.records.Corpus"),
        (("corpus=tuples",), "pairs of sums, line 1: it is a tuple; give Pair(id, language, query, passage)"),
        (("corpus=numbers_as_ids",), "pairs of sums, line 1: the id is 1, not a text; give a str"),
        (("benchmarks=no_arguments",), "own.no_arguments, line 71: TypeError: benchmark_from_rows() missing 3 required "
         "positional arguments: 'queries', 'candidates', and 'judgements'; correct the loader"),
        (("corpus=no_such_file",), "own.no_such_file, line 75: FileNotFoundError: [Errno 2] No such file or directory: "
         "'nowhere.csv'; correct the loader"),
        (("corpus=mixture", "+corpus@corpus.parts.bad=bad_number"), "own.bad_number, line 80: ValueError: invalid "
         "literal for int() with base 10: 'two'; correct the loader"),
    ],
)  # fmt: skip
def test_babelbatch_data_names_the_loader(own, typed, message):
    assert complaints(own, "babelbatch-data", *typed) == [f"babelbatch: {message}"]


def test_right_records_are_described(own):
    typed = ("corpus=corpus", "benchmarks=benchmark", "sampling.batch_size=2")
    assert complaints(own, "babelbatch-data", *typed, code=0) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("corpus=a_list",), LIST),
        (("corpus=rows_out_of_range",), ROWS),
        (("corpus=too_few_keys",), KEYS),
        (("benchmarks=relevant_out_of_range", "corpus=corpus"), RELEVANT),
    ],
)
def test_training_is_refused_before_it_begins(own, tmp_path, typed, message):
    small = [argument for argument in SMALL if not argument.startswith(("corpus.", "benchmarks."))]
    arguments = typed if "benchmarks=" in typed[0] else (*typed, "benchmarks=benchmark")
    lines = complaints(own, "babelbatch-train", *arguments, *small, "logger=none", f"output_dir={tmp_path / 'out'}")
    assert lines == [f"babelbatch: {message}", f"(where: {tmp_path / 'out' / 'traceback.txt'})"]
