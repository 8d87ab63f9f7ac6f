"""The LAReQA format: what is published, what questions share, and what is said about a damaged file."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from babelbatch.benchmarks.lareqa import load_benchmark
from babelbatch.corpora.lareqa import load_corpus
from babelbatch.records import ABSENT, Benchmark
from babelbatch.runs.results import benchmark_facts, skipped_facts
from babelbatch.sources.lareqa import PUBLISHED, Published, answer_keys, read
from conftest import WriteLareqa

XQUAD_R_CANDIDATES = {
    "ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244,
    "ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196,
}  # fmt: skip
MLQA_R = ["ar", "de", "en", "es", "hi", "vi", "zh"]
MLQA_R_CANDIDATES = [2545, 2362, 6264, 1787, 2426, 2828, 2322]
MLQA_R_PARAGRAPHS = [439, 456, 978, 454, 425, 451, 443]
MLQA_R_SHARED = [  # question ids that two languages share; rows and columns as MLQA_R
    [517, 207, 517, 161, 186, 163, 188],
    [207, 512, 512, 196, 163, 182, 190],
    [517, 512, 1148, 500, 507, 511, 504],
    [161, 196, 500, 500, 187, 189, 161],
    [186, 163, 507, 187, 507, 177, 189],
    [163, 182, 511, 189, 177, 511, 184],
    [188, 190, 504, 161, 189, 184, 504],
]


def by_language(benchmark: Benchmark, codes: np.ndarray) -> dict[str, int]:
    return dict(zip(benchmark.languages, np.bincount(codes).tolist(), strict=True))


def test_published_xquad_r(shared_data):
    benchmark = load_benchmark("xquad_r", str(shared_data / "xquad-r"))
    assert by_language(benchmark, benchmark.candidate_languages) == XQUAD_R_CANDIDATES
    assert by_language(benchmark, benchmark.query_languages) == dict.fromkeys(XQUAD_R_CANDIDATES, 1190)
    assert (len(benchmark.query_ids), len(benchmark.candidate_ids)) == (13_090, 13_014)
    assert set(Counter(benchmark.query_ids).values()) == {11}
    # Eleven answers, one in each language.
    relevant = benchmark.relevant.reshape(13_090, 11)
    assert np.array_equal(np.diff(benchmark.relevant_offsets), np.full(13_090, 11))
    assert np.array_equal(benchmark.candidate_languages[relevant], np.tile(np.arange(11), (13_090, 1)))


def test_published_mlqa_r(shared_data):
    folder = str(shared_data / "mlqa-r")
    benchmark = load_benchmark("mlqa_r", folder)
    shared = np.array(MLQA_R_SHARED)
    assert list(benchmark.languages) == MLQA_R
    assert np.bincount(benchmark.candidate_languages).tolist() == MLQA_R_CANDIDATES
    assert (len(benchmark.query_ids), len(benchmark.candidate_ids)) == (4_199, 20_534)
    assert [len(file.paragraphs) for file in read("mlqa_r", folder, None)] == MLQA_R_PARAGRAPHS
    # A question in row language has an answer in column language once for each shared id.
    sizes = np.diff(benchmark.relevant_offsets)
    cells = np.zeros((7, 7), int)
    np.add.at(
        cells, (np.repeat(benchmark.query_languages, sizes), benchmark.candidate_languages[benchmark.relevant]), 1
    )
    assert np.array_equal(cells, shared)
    assert Counter(Counter(benchmark.query_ids).values()) == {4: 820, 3: 263, 2: 65}


def test_published_mlqa_r_as_a_corpus(shared_data):
    corpus = load_corpus(data_dir=str(shared_data / "mlqa-r"))
    exists = (corpus.queries != ABSENT).astype(int)
    assert len(corpus) == 1_148
    assert np.array_equal(exists.T @ exists, MLQA_R_SHARED)
    assert np.array_equal(corpus.queries == ABSENT, corpus.passages == ABSENT)


def test_a_published_question(shared_data):
    benchmark = load_benchmark("xquad_r", str(shared_data / "xquad-r"), ["en", "de"])
    row = benchmark.query_texts.index("How many points did the Panthers defense surrender?")
    assert benchmark.query_ids[row] == "56beb4343aeaaa14008c925b"
    english, german = benchmark.relevant[benchmark.relevant_offsets[row] : benchmark.relevant_offsets[row + 1]]
    assert (benchmark.candidate_ids[english], benchmark.candidate_ids[german]) == ("en_0_0", "de_0_0")
    assert benchmark.candidate_texts[english] == (
        "The Panthers defense gave up just 308 points, ranking sixth in the league, "
        "while also leading the NFL in interceptions with 24 and boasting four Pro Bowl selections."
    )


@pytest.mark.parametrize(("dataset", "folder"), [("xquad_r", "xquad-r"), ("mlqa_r", "mlqa-r")])
def test_published_checksums(shared_data, dataset, folder):
    files = {path.stem: path for path in (shared_data / folder).glob("*.json")}
    found = {language: hashlib.sha256(path.read_bytes()).hexdigest() for language, path in files.items()}
    assert found == PUBLISHED[dataset].sha256


# Two paragraphs. "who" and "where" are both answered by the first English sentence, but by two German ones.
SMALL = {
    "de": [
        (["Ada lebte.", "Sie war in London.", "Es regnete."], [("who", "Wer?", 0), ("where", "Wo?", 1)]),
        (["Bob schlief."], [("what", "Was?", 0)]),
    ],
    "en": [
        (["Ada lived in London.", "It rained.", "It poured.", "End."], [("who", "Who?", 0), ("where", "Where?", 0)]),
        (["Bob slept.", "He snored."], [("what", "What?", 0), ("noise", "Which noise?", 1)]),
    ],
}  # fmt: skip


@pytest.fixture
def small(tmp_path: Path, write_lareqa: WriteLareqa) -> str:
    return str(write_lareqa(tmp_path / "small", SMALL))


def grouped(keys: dict[str, int]) -> set[frozenset[str]]:
    return {frozenset(id_ for id_, key in keys.items() if key == wanted) for wanted in keys.values()}


def test_keys_join_what_one_language_joins(small):
    files = read("small", small, None)
    assert grouped(answer_keys(files, whole_paragraph=False)) == {
        frozenset({"who", "where"}),
        frozenset({"what"}),
        frozenset({"noise"}),
    }
    assert grouped(answer_keys(files[:1], whole_paragraph=False)) == {
        frozenset({"who"}),
        frozenset({"where"}),
        frozenset({"what"}),
    }


def test_keys_of_whole_paragraphs(small):
    keys = answer_keys(read("small", small, None), whole_paragraph=True)
    assert grouped(keys) == {frozenset({"who", "where"}), frozenset({"what", "noise"})}


def test_keys_join_through_a_chain_of_languages(tmp_path, write_lareqa):
    """a-b share a sentence in German, b-c in English: all three answer each other."""
    folder = write_lareqa(
        tmp_path,
        {
            "de": [(["1", "2"], [("a", "?", 0), ("b", "?", 0), ("c", "?", 1)])],
            "en": [(["1", "2"], [("a", "?", 0), ("b", "?", 1), ("c", "?", 1)])],
        },
    )
    assert grouped(answer_keys(read("", str(folder), None), whole_paragraph=False)) == {frozenset("abc")}


def test_keys_join_what_is_said_in_two_places(tmp_path, write_lareqa):
    """Else a passage, and as a negative its own text, would be a wrong answer beside itself."""
    answers = {
        "de": [(["Ja.", "Nein."], [("a", "?", 0)]), (["Ja.", "Ja.", "Nie."], [("b", "?", 0)])],
        "en": [(["No.", "Yes."], [("c", "?", 0)]), (["Ja."], [("d", "?", 0)]), (["It is.", "No."], [("e", "?", 0)])],
    }
    corpus = load_corpus(data_dir=str(write_lareqa(tmp_path, answers)), negatives=2)
    key = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    assert key["a"] == key["b"] == key["d"]
    assert len({key["a"], key["c"], key["e"]}) == 3
    assert corpus.negative_keys[1, 0].tolist() == [key["b"], ABSENT]
    assert corpus.negative_keys[4, 1].tolist() == [key["c"], ABSENT]


OR_SKIP = "; or set on_bad_row=skip to leave such rows out"


def texts(table: tuple[str, ...], rows: np.ndarray) -> list[str | None]:
    return [None if row == ABSENT else table[row] for row in rows.tolist()]


def test_corpus(small):
    corpus = load_corpus(data_dir=small)
    assert (corpus.name, corpus.languages) == ("lareqa", ("de", "en"))
    assert corpus.ids == ("who", "where", "what", "noise")
    assert texts(corpus.query_texts, corpus.queries[:, 0]) == ["Wer?", "Wo?", "Was?", None]
    assert texts(corpus.query_texts, corpus.queries[:, 1]) == ["Who?", "Where?", "What?", "Which noise?"]
    assert texts(corpus.passage_texts, corpus.passages[:, 0]) == [
        "Ada lebte.",
        "Sie war in London.",
        "Bob schlief.",
        None,
    ]
    assert texts(corpus.passage_texts, corpus.passages[:, 1]) == ["Ada lived in London."] * 2 + [
        "Bob slept.",
        "He snored.",
    ]
    assert corpus.passage_keys[0] == corpus.passage_keys[1]
    assert len(set(corpus.passage_keys.tolist())) == 3
    assert corpus.negatives.shape == corpus.negative_keys.shape == (4, 2, 0)


def test_corpus_of_contexts(small):
    corpus = load_corpus(data_dir=small, passage="context", languages=["en"])
    assert texts(corpus.passage_texts, corpus.passages[:, 0]) == [
        "Ada lived in London. It rained. It poured. End.",
        "Ada lived in London. It rained. It poured. End.",
        "Bob slept. He snored.",
        "Bob slept. He snored.",
    ]
    assert corpus.passage_keys[0] == corpus.passage_keys[1] != corpus.passage_keys[2] == corpus.passage_keys[3]


def test_negatives_are_the_nearest_sentences(small):
    corpus = load_corpus(data_dir=small, negatives=2)
    assert texts(corpus.passage_texts, corpus.negatives[0, 0]) == ["Sie war in London.", "Es regnete."]
    assert texts(corpus.passage_texts, corpus.negatives[1, 0]) == ["Ada lebte.", "Es regnete."]  # earlier first
    assert texts(corpus.passage_texts, corpus.negatives[0, 1]) == ["It rained.", "It poured."]
    assert texts(corpus.passage_texts, corpus.negatives[2, 0]) == [None, None]
    assert texts(corpus.passage_texts, corpus.negatives[2, 1]) == ["He snored.", None]
    assert texts(corpus.passage_texts, corpus.negatives[3, 0]) == [None, None]
    key = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    # A sentence that answers another question has its key, so that the mask finds it; others have none.
    assert corpus.negative_keys[0, 0].tolist() == [key["where"], ABSENT]
    assert corpus.negative_keys[1, 0].tolist() == [key["who"], ABSENT]
    assert corpus.negative_keys[0, 1].tolist() == [ABSENT, ABSENT]
    assert corpus.negative_keys[2, 1].tolist() == [key["noise"], ABSENT]


def test_benchmark(small):
    benchmark = load_benchmark("small", small)
    assert benchmark.name == "small"
    assert benchmark.query_ids == ("who", "where", "what", "who", "where", "what", "noise")
    assert benchmark.query_texts == ("Wer?", "Wo?", "Was?", "Who?", "Where?", "What?", "Which noise?")
    assert benchmark.query_languages.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert benchmark.candidate_ids == (
        "de_0_0", "de_0_1", "de_0_2", "de_1_0", "en_0_0", "en_0_1", "en_0_2", "en_0_3", "en_1_0", "en_1_1",
    )  # fmt: skip
    answers = [
        [benchmark.candidate_ids[row] for row in benchmark.relevant[start:end]]
        for start, end in zip(benchmark.relevant_offsets, benchmark.relevant_offsets[1:], strict=False)
    ]
    who, where, what = ["de_0_0", "en_0_0"], ["de_0_1", "en_0_0"], ["de_1_0", "en_1_0"]
    assert answers == [who, where, what, who, where, what, ["en_1_1"]]
    assert benchmark.protocol == "LAReQA: candidate = sentence, relevant = where the answer starts, in every language"


def test_languages_make_the_pool(small):
    benchmark = load_benchmark("small", small, ["en", "de"])
    assert benchmark.languages == ("en", "de")
    assert benchmark.candidate_ids[:2] == ("en_0_0", "en_0_1")
    assert load_benchmark("small", small, ["de"]).relevant.tolist() == [0, 1, 3]


def test_sentence_with_context(tmp_path, write_lareqa):
    """Joined without a separator, line breaks removed, as XTREME-R does."""
    folder = str(write_lareqa(tmp_path, {"en": [(["One\ntwo.", "Three."], [("id", "?", 1)])]}))
    benchmark = load_benchmark("small", folder, candidate="sentence_with_context")
    assert benchmark.candidate_texts == ("Onetwo.Onetwo. Three.", "Three.Onetwo. Three.")
    assert load_benchmark("small", folder).candidate_texts == ("One\ntwo.", "Three.")
    assert "candidate = sentence_with_context" in benchmark.protocol
    assert benchmark.fingerprint != load_benchmark("small", folder).fingerprint


def test_an_answer_may_run_past_its_sentence(tmp_path, write_lareqa):
    """Only where it starts counts. The first place of a sentence is its own, the place after its last is not."""
    folder = write_lareqa(tmp_path, {"en": [(["One.", "Two."], [("id", "?", 0)])]})
    context = json.loads((folder / "en.json").read_text())["data"][0]["paragraphs"][0]["context"]
    assert context == "One. Two."
    change(folder / "en.json", lambda paragraph: paragraph["qas"][0]["answers"][0].update(text=". Two", answer_start=3))
    assert read("", str(folder), None)[0].questions[0].sentence == 0
    change(folder / "en.json", lambda paragraph: paragraph["qas"][0]["answers"][0].update(text="T", answer_start=5))
    assert read("", str(folder), None)[0].questions[0].sentence == 1


def test_an_offset_that_does_not_point_at_the_answer(tmp_path, write_lareqa):
    folder = write_lareqa(tmp_path, {"en": [(["One.", "Two."], [("id", "?", 0)])]})
    change(folder / "en.json", lambda paragraph: paragraph["qas"][0]["answers"][0].update(text="Two", answer_start=6))
    assert message_of(lambda: read("", str(folder), None)) == (
        f"{folder / 'en.json'}, paragraph 0, question 'id': the context does not have 'Two' at answer_start 6; "
        "offsets count characters, not bytes, from 0"
    )


def test_what_is_not_unicode(tmp_path, write_lareqa):
    folder = write_lareqa(tmp_path, {"en": [(["One.", "Two."], [("id", "?", 0)])]})
    change(folder / "en.json", lambda paragraph: paragraph["qas"][0].update(question="What \ud800?"))
    assert message_of(lambda: load_corpus(data_dir=str(folder))) == (
        f"{folder / 'en.json'}, paragraph 0, question 'id', 'question': character 5 is half of a surrogate pair, which "
        "is not Unicode; correct the file"
    )


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "en.json").mkdir()
    assert (
        message_of(lambda: read("", str(tmp_path), None)) == f"{tmp_path / 'en.json'}: cannot be read (Is a directory)"
    )


def test_an_empty_file(tmp_path):
    (tmp_path / "en.json").touch()
    assert message_of(lambda: read("", str(tmp_path), None)) == (
        f"{tmp_path / 'en.json'}: the file is empty; copy or download it again"
    )


def change(path: Path, mend: Callable[[dict], object]) -> None:
    """Applies `mend` to the first paragraph of a file."""
    data = json.loads(path.read_text())
    mend(data["data"][0]["paragraphs"][0])
    path.write_text(json.dumps(data))


def message_of(load: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers compare the whole message
        load()
    return str(caught.value)


def test_missing_language_file(small):
    assert message_of(lambda: load_corpus(data_dir=small, languages=["en", "zh", "ar"])) == (
        f"{small}: no file ar.json, zh.json (there are: de, en); add it, or leave the language out of `languages`"
    )


@pytest.mark.parametrize("name", ["", "missing"])
def test_empty_folder(tmp_path, name):
    folder = tmp_path / name
    assert message_of(lambda: load_corpus(data_dir=str(folder))) == (
        f"{folder}: no <language>.json file there; set data_dir to a folder of LAReQA files"
    )


def test_file_cut_in_half(tmp_path):
    path = tmp_path / "en.json"
    path.write_text('{"data": [\n  {"title": "t", "paragr')
    assert message_of(lambda: load_corpus(data_dir=str(tmp_path))) == (
        f"{path}, line 2, column 18: not valid JSON (Unterminated string starting at); "
        "the file may be cut off: copy or download it again"
    )


def test_published_file_cut_in_half(shared_data, tmp_path):
    whole = (shared_data / "xquad-r" / "en.json").read_bytes()
    path = tmp_path / "en.json"
    path.write_bytes(whole[: len(whole) // 2])
    found = message_of(lambda: load_benchmark("xquad_r", str(tmp_path)))
    assert re.fullmatch(
        re.escape(str(path)) + r", line \d+, column \d+: not valid JSON \(.+\); "
        r"the file may be cut off: copy or download it again",
        found,
    )


def test_invalid_utf_8(tmp_path):
    path = tmp_path / "en.json"
    path.write_bytes(b'{"data": "caf\xe9"}')
    assert message_of(lambda: load_corpus(data_dir=str(tmp_path))) == (
        f"{path}: not valid UTF-8 at byte 13; convert the file to UTF-8"
    )


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"Data": []}'])
def test_no_data(tmp_path, content):
    path = tmp_path / "en.json"
    path.write_text(content)
    assert message_of(lambda: load_corpus(data_dir=str(tmp_path))) == (
        f"{path}: no key 'data' at the top; every *.json there is taken for a language; choose with languages"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"data": {}}', ", 'data': {} is not a list"),
        ('{"data": [{"paragraphs": {}}]}', ", article 0, 'paragraphs': {} is not a list"),
        ('{"data": []}', ": no questions in it"),
    ],
)
def test_wrong_top(tmp_path, content, problem):
    path = tmp_path / "en.json"
    path.write_text(content)
    assert message_of(lambda: load_corpus(data_dir=str(tmp_path))) == f"{path}{problem}"


@pytest.mark.parametrize(
    ("mend", "problem"),
    [
        (lambda p: p.pop("context"), ", paragraph 0: no key 'context'"),
        (lambda p: p.pop("sentences"), ", paragraph 0: no key 'sentences'"),
        (lambda p: p.pop("sentence_breaks"), ", paragraph 0: no key 'sentence_breaks'"),
        (lambda p: p.pop("qas"), ", paragraph 0: no key 'qas'"),
        (lambda p: p["qas"][0].pop("id"), ", paragraph 0, a question: no key 'id'"),
        (lambda p: p["qas"][0].pop("question"), ", paragraph 0, question 'who': no key 'question'"),
        (lambda p: p["qas"][0].pop("answers"), ", paragraph 0, question 'who': no key 'answers'"),
        (
            lambda p: p["qas"][0]["answers"][0].pop("answer_start"),
            ", paragraph 0, question 'who': no key 'answer_start'",
        ),
        (lambda p: p["sentence_breaks"].pop(), ", paragraph 0: 4 sentences but 3 sentence_breaks"),
        (
            lambda p: p["qas"][0].update(answers=[]),
            ", paragraph 0, question 'who': 0 answers; LAReQA files have exactly one per question",
        ),
        (
            lambda p: p["qas"][0].update(answers=p["qas"][0]["answers"] * 2),
            ", paragraph 0, question 'who': 2 answers; LAReQA files have exactly one per question",
        ),
        (
            lambda p: p["qas"][1]["answers"][0].update(answer_start=20),  # the space after the first sentence
            ", paragraph 0, question 'where': answer_start 20 is in no sentence; "
            "correct sentence_breaks or remove the question",
        ),
        (
            lambda p: p["qas"][1]["answers"][0].update(answer_start=-1),
            ", paragraph 0, question 'where': answer_start -1 is in no sentence; "
            "correct sentence_breaks or remove the question",
        ),
        (
            lambda p: p["qas"][1]["answers"][0].update(answer_start=10_000),
            ", paragraph 0, question 'where': answer_start 10000 is in no sentence; "
            "correct sentence_breaks or remove the question",
        ),
        (
            lambda p: p["qas"][1].update(id="who"),
            ", paragraph 0, question 'who': its id occurs twice; ids must be unique in a file",
        ),
    ],
)
def test_damaged_paragraph(small, mend, problem):
    path = Path(small) / "en.json"
    change(path, mend)
    for load in (lambda: load_corpus(data_dir=small), lambda: load_benchmark("small", small)):
        assert message_of(load) == f"{path}{problem}{OR_SKIP}"


@pytest.mark.parametrize(
    "mend",
    [
        pytest.param(lambda p: p.update(qas=None), id="qas null"),
        pytest.param(lambda p: p.update(qas={"id": "who"}), id="qas an object"),
        pytest.param(lambda p: p.update(qas=["who"]), id="question a string"),
        pytest.param(lambda p: p.update(sentences=None), id="sentences null"),
        pytest.param(lambda p: p.update(context=None), id="context null"),
        pytest.param(lambda p: p.update(sentence_breaks=[0, 1, 2, 3]), id="breaks without an end"),
        pytest.param(lambda p: p["qas"][0].update(id=5), id="id a number"),
        pytest.param(lambda p: p["qas"][0].update(question=None), id="question null"),
        pytest.param(lambda p: p["qas"][0].update(answers=None), id="answers null"),
        pytest.param(lambda p: p["qas"][0]["answers"][0].update(answer_start="0"), id="answer_start a string"),
    ],
)
def test_wrong_types_name_the_file(small, mend):
    """A key that is there with the wrong kind of value is as bad a row as a missing key."""
    path = Path(small) / "en.json"
    change(path, mend)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}, paragraph 0"):
        load_corpus(data_dir=small)


def spoil(folder: str) -> list[str]:
    """Makes rows of both files unusable. Returns what is noted of them."""
    english, german = Path(folder) / "en.json", Path(folder) / "de.json"

    def empty(paragraph: dict) -> None:
        paragraph["sentences"][1] = " "

    data = json.loads(english.read_text())
    paragraphs = data["data"][0]["paragraphs"]
    paragraphs[0]["qas"][0]["answers"] = []
    paragraphs[1]["qas"][1]["id"] = "what"
    paragraphs.insert(1, {"context": "Lost.", "qas": []})
    data["data"].append({"title": "Empty"})
    english.write_text(json.dumps(data))
    change(german, lambda paragraph: paragraph["qas"][0].update(question=" "))
    change(german, empty)
    return [
        f"{german}, paragraph 0, question 'who': 'question' is empty; write it, or remove the question",
        f"{german}, paragraph 0, question 'where': the sentence of its answer is empty; write it, or remove the "
        "question",
        f"{english}, paragraph 0, question 'who': 0 answers; LAReQA files have exactly one per question",
        f"{english}, paragraph 1: no key 'sentences'",
        f"{english}, paragraph 2, question 'what': its id occurs twice; ids must be unique in a file",
        f"{english}, article 1: no key 'paragraphs'",
    ]


def test_bad_rows_are_listed_at_once(small):
    noted = spoil(small)
    head = "6 rows cannot be used; correct them, or set on_bad_row=skip to leave such rows out:"
    for load in (lambda: load_corpus(data_dir=small), lambda: load_benchmark("small", small)):
        assert message_of(load) == "\n  ".join([head, *noted])


def test_bad_rows_are_left_out(small, caplog):
    noted = spoil(small)
    corpus = load_corpus(data_dir=small, on_bad_row="skip")
    benchmark = load_benchmark("small", small, on_bad_row="skip")
    assert caplog.messages == [
        "\n  ".join([f"{name}: 6 rows are left out (on_bad_row=skip):", *noted])
        for name in ("corpus lareqa", "benchmark small")
    ]
    assert corpus.ids == ("what", "where")
    assert texts(corpus.query_texts, corpus.queries[:, 0]) == ["Was?", None]
    assert texts(corpus.passage_texts, corpus.passages[:, 1]) == ["Bob slept.", "Ada lived in London."]
    assert skipped_facts("corpus", corpus.skipped_rows) == {"skipped_rows/corpus": 6, "skipped_lines/corpus": noted}
    assert benchmark.query_ids == ("what", "where", "what")
    assert benchmark.candidate_ids == (  # numbered as in the files: the second English paragraph has nothing
        "de_0_0", "de_0_1", "de_0_2", "de_1_0", "en_0_0", "en_0_1", "en_0_2", "en_0_3", "en_2_0", "en_2_1",
    )  # fmt: skip
    answers = [benchmark.candidate_ids[row] for row in benchmark.relevant]
    assert answers == ["de_1_0", "en_2_0", "en_0_0", "de_1_0", "en_2_0"]
    facts = benchmark_facts({"small": benchmark})
    assert (facts["skipped_rows/small"], facts["skipped_lines/small"]) == (6, noted)


@pytest.mark.parametrize("languages", [[], ["en", "en"]])
def test_languages_must_be_some_and_different(small, languages):
    for load in (
        lambda: load_corpus(data_dir=small, languages=languages),
        lambda: load_benchmark("s", small, languages),
    ):
        assert "languages" in message_of(load)


def test_negatives_need_sentences(small):
    assert message_of(lambda: load_corpus(data_dir=small, passage="context", negatives=1)) == (
        "negatives are other sentences of the paragraph: with passage=context set negatives=0"
    )


def test_unknown_dataset():
    assert message_of(lambda: load_corpus("squad")) == (
        "dataset 'squad' is not one of ['mlqa_r', 'xquad_r']; set data_dir to read local files"
    )


def test_unknown_language_of_a_dataset():
    assert message_of(lambda: load_corpus("mlqa_r", languages=["en", "tr", "el"])) == (
        "languages: mlqa_r has no el, tr; it has: ar, de, en, es, hi, vi, zh"
    )


def test_offline_without_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    target = tmp_path / "lareqa" / PUBLISHED["mlqa_r"].revision / "mlqa-r" / "en.json"
    for value in ("1", "true", "ON"):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        assert message_of(lambda: load_corpus("mlqa_r", languages=["en"])) == (
            f"{target} is not in the cache and HF_HUB_OFFLINE is set; set data_dir to local files"
        )
    assert list(tmp_path.rglob("*")) == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The small files on the loopback interface, published as `mlqa_r`; the cache is `tmp_path/cache`. Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=small))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    checksums = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(small).iterdir())}
    monkeypatch.setitem(PUBLISHED, "mlqa_r", Published("mlqa-r", "revision", checksums | {"el": "0" * 64}))
    monkeypatch.setattr(Published, "url", lambda self, language: f"{address}/{language}.json")
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_download(served, small, tmp_path, monkeypatch):
    corpus = load_corpus("mlqa_r", languages=["en", "de"])
    assert corpus.name == "mlqa_r"
    assert corpus.ids == ("who", "where", "what", "noise")
    cache = tmp_path / "cache"
    assert files_below(cache) == ["lareqa/revision/mlqa-r/de.json", "lareqa/revision/mlqa-r/en.json"]
    assert (cache / "lareqa/revision/mlqa-r/en.json").read_bytes() == (Path(small) / "en.json").read_bytes()
    # From now on the network is not needed.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (Path(small) / "en.json").unlink()
    assert load_corpus("mlqa_r", languages=["en", "de"]).fingerprint == corpus.fingerprint


def test_download_of_something_else(served, small, tmp_path):
    (Path(small) / "en.json").write_text("<html>")
    expected = PUBLISHED["mlqa_r"].sha256["en"]
    found = message_of(lambda: load_corpus("mlqa_r", languages=["en"]))
    assert found.startswith(f"{served}/en.json: SHA256 hash of downloaded file (en.json) does not match")
    assert expected in found
    assert hashlib.sha256(b"<html>").hexdigest() in found
    assert found.endswith("; set data_dir to read local files")
    assert files_below(tmp_path / "cache") == []


def test_download_of_nothing(served, tmp_path):
    assert message_of(lambda: load_corpus("mlqa_r", languages=["el"])) == (
        f"{served}/el.json: 404 Client Error: File not found for url: {served}/el.json; "
        "set data_dir to read local files"
    )
    assert files_below(tmp_path / "cache") == []


def test_a_damaged_cache_is_mended(served, small, tmp_path):
    load_corpus("mlqa_r", languages=["en"])
    cached = tmp_path / "cache" / "lareqa" / "revision" / "mlqa-r" / "en.json"
    cached.write_text("{")
    load_corpus("mlqa_r", languages=["en"])
    assert cached.read_bytes() == (Path(small) / "en.json").read_bytes()


def test_a_damaged_cache_offline_stays_offline(served, monkeypatch, tmp_path):
    load_corpus("mlqa_r", languages=["en"])
    cached = tmp_path / "cache" / "lareqa" / "revision" / "mlqa-r" / "en.json"
    cached.write_text("{")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert str(cached) in message_of(lambda: load_corpus("mlqa_r", languages=["en"]))
    assert cached.read_text() == "{"


def benchmark(candidate_ids: tuple[str, ...], offsets: list[int], relevant: list[int]) -> Benchmark:
    return Benchmark(
        name="small",
        languages=("en",),
        query_ids=("q1", "q2", "q3"),
        query_texts=("?",) * 3,
        query_languages=np.zeros(3, np.int16),
        candidate_ids=candidate_ids,
        candidate_texts=("!",) * len(candidate_ids),
        candidate_languages=np.zeros(len(candidate_ids), np.int16),
        relevant_offsets=np.array(offsets),
        relevant=np.array(relevant),
        protocol="made by hand",
    )


def test_duplicate_candidate_id():
    assert message_of(lambda: benchmark(("a", "b", "c", "b"), [0, 1, 2, 3], [0, 1, 2])) == (
        "benchmark 'small', candidate_ids: 'b' occurs twice; ids must be unique"
    )


def test_query_without_relevant_candidate():
    assert message_of(lambda: benchmark(("a", "b"), [0, 1, 1, 1], [0])) == (
        "benchmark 'small', relevant: query 'q2' has no relevant candidate (2 such); remove it or add its answer"
    )
