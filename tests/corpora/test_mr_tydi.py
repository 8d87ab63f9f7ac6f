"""Mr. TyDi's files, and the corpus made of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from babelbatch.corpora.mr_tydi import load_corpus
from babelbatch.sources import mr_tydi
from babelbatch.sources.wikipedia import passages
from configurations import problems
from corpus_texts import item_texts, two_batches
from corruptions import REMOVED, Corruption, cut, cut_bytes, emptied, json_line, missing, not_gzip, not_utf8, repeated

TRAIN = "mrtydi-v1.1-korean/train.jsonl.gz"
SEOUL = {"docid": "1#0", "title": "서울", "text": "서울은 대한민국의 수도이다."}
BUSAN = {"docid": "2#3", "title": "부산", "text": "부산은 항구 도시이다."}
HAN = {"docid": "3#0", "title": "한강", "text": "한강은 서울을 지난다."}
KOREAN = [
    {"query_id": "0", "query": "대한민국의 수도는?", "positive_passages": [SEOUL, HAN], "negative_passages": [BUSAN]},
    {"query_id": "1", "query": "부산은 어디?", "positive_passages": [BUSAN], "negative_passages": [SEOUL, HAN]},
    {"query_id": "2", "query": "한강은 어디?", "positive_passages": [HAN], "negative_passages": []},
]
THAI = [
    {
        "query_id": "0",
        "query": "เมืองหลวงของไทยคือที่ใด",
        "positive_passages": [{"docid": "1#0", "title": "", "text": "กรุงเทพมหานคร"}],
        "negative_passages": [],
    }
]


def written(folder: Path) -> Path:
    """Files of the published schema in two languages, which use the same ids for other things."""
    for name, rows in (("korean", KOREAN), ("thai", THAI)):
        path = folder / f"mrtydi-v1.1-{name}" / "train.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        path.write_bytes(gzip.compress(text.encode()))
    corpus = "\n".join(json.dumps(row) for row in (SEOUL, BUSAN, HAN, {"docid": "4#0", "title": "", "text": ""}))
    (folder / "mrtydi-v1.1-korean" / "corpus.jsonl.gz").write_bytes(gzip.compress(corpus.encode()))
    return folder


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    (path,) = mr_tydi.query_files(["ko"], "train", str(written(tmp_path)))
    first, second, _ = mr_tydi.queries(path)
    assert (first.id, first.text, [passage.id for passage in first.positives]) == (
        "0",
        "대한민국의 수도는?",
        ["1#0", "3#0"],
    )
    assert [passage.text for passage in second.negatives] == [
        "서울 서울은 대한민국의 수도이다.",
        "한강 한강은 서울을 지난다.",
    ]
    pool = {passage.id: passage.text for passage in passages(mr_tydi.passage_file("ko", str(tmp_path)))}
    assert (len(pool), pool["2#3"], pool["4#0"]) == (4, "부산 부산은 항구 도시이다.", "")


@pytest.mark.parametrize("value", [None, REMOVED])
def test_a_query_without_negatives(tmp_path: Path, value: object) -> None:
    """The loading script at castorini/mr-tydi takes a row that lacks them, or has null, for one with none."""
    path = written(tmp_path) / TRAIN
    json_line(2, negative_passages=value)(path)
    _, second, _ = mr_tydi.queries(path)
    assert ([passage.id for passage in second.positives], second.negatives) == (["2#3"], ())


def test_the_published_totals() -> None:
    """The numbers of test queries and of passages that mteb's statistics of its own copy name."""
    _, _, test, pool = map(sum, zip(*mr_tydi.COUNTS.values(), strict=True))
    assert (test, pool) == (8_661, 58_043_326)
    assert set(mr_tydi.COUNTS) == set(mr_tydi.NAMES)


def test_the_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = load_corpus(["th", "ko"], negatives=1, data_dir=str(written(tmp_path)))
    seoul, busan, han = (f"{passage['title']} {passage['text']}" for passage in (SEOUL, BUSAN, HAN))
    assert corpus.languages == ("th", "ko")
    assert item_texts(corpus) == {
        "th/0/1#0": {"th": ("เมืองหลวงของไทยคือที่ใด", "กรุงเทพมหานคร", [])},
        "ko/0/1#0": {"ko": ("대한민국의 수도는?", seoul, [busan])},
        "ko/0/3#0": {"ko": ("대한민국의 수도는?", han, [busan])},
        "ko/1/2#3": {"ko": ("부산은 어디?", busan, [seoul])},
        "ko/2/3#0": {"ko": ("한강은 어디?", han, [])},
    }
    keys = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    # One query has two answers, and one of them answers another query too.
    assert keys["ko/0/1#0"] == keys["ko/0/3#0"] == keys["ko/2/3#0"]
    assert len(set(keys.values())) == 3
    row = list(corpus.ids).index("ko/1/2#3")
    assert corpus.negative_keys[row, 1].tolist() == [keys["ko/0/1#0"]]
    assert any(message.endswith("queries: 3 instead of 1,295, as published") for message in caplog.messages)


def test_two_steps(tmp_path: Path) -> None:
    folder = str(written(tmp_path))
    assert problems("corpus=mr_tydi", f"corpus.data_dir={folder}", "sampling=x_x") == []
    batches = two_batches(load_corpus(["ko"], data_dir=folder), alpha=1)
    assert [(len(batch.positive_keys), len(batch.candidate_keys)) for batch in batches] == [(2, 2), (2, 2)]


def test_unknown_languages_are_named() -> None:
    with pytest.raises(ValueError, match=r"mr_tydi has no de; its languages are ar, bn, en, fi, id, ja, ko, ru, sw,"):
        load_corpus(["de", "sw"])


_PASSAGE = {"docid": "1#0", "title": "", "text": ""}
DAMAGE: dict[str, tuple[Corruption, str]] = {  # what stands behind the path in the message
    "missing": (
        missing,
        ": there is no such file; put the file there, as in https://huggingface.co/datasets/castorini/",
    ),
    "empty": (emptied, ": the file is empty; copy or download it again"),
    "cut": (cut, ", line 3, column 119: not valid JSON (Unterminated string starting at); there is one"),
    "gzip cut": (cut_bytes, ", line 3: damaged gzip file (Compressed file ended before"),
    "not gzip": (not_gzip, ", line 1: damaged gzip file (Not a gzipped file"),
    "not UTF-8": (not_utf8, ", line 2: not valid UTF-8 at byte "),
    "no query": (json_line(2, query=REMOVED), ", line 2: no 'query'; there are: query_id, positive_passages, negative"),
    "query a number": (json_line(2, query=7), ", line 2: 'query' is 7, not a text"),
    "empty query": (json_line(2, query=" "), ", line 2: 'query' is empty; write it, or remove the row"),
    "twice": (repeated(1), ", line 4: query id '0' again, after line 1; ids must be unique"),
    "no positive": (json_line(2, positive_passages=[]), ", line 2: 'positive_passages' is empty; a query needs a"),
    "no list": (json_line(2, negative_passages="x"), ", line 2: 'negative_passages' is \"x\", not a list"),
    "ids only": (json_line(2, positive_passages=["2#3"]), ", line 2: 'positive_passages' holds '2#3', not an object"),
    "empty passage": (
        json_line(2, positive_passages=[_PASSAGE]),
        ", line 2: the text of passage '1#0' is empty; write",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_with_its_place(damage: str, tmp_path: Path) -> None:
    corrupt, message = DAMAGE[damage]
    path = written(tmp_path) / TRAIN
    corrupt(path)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        load_corpus(["ko"], negatives=5, data_dir=str(tmp_path))
