"""MIRACL's files, and the corpus made of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from babelbatch.corpora.miracl import load_corpus
from babelbatch.records import ABSENT
from babelbatch.sources import miracl
from babelbatch.sources.wikipedia import passages
from configurations import problems
from corpus_texts import item_texts, two_batches
from corruptions import Corruption, cut, cut_bytes, emptied, json_line, line, missing, not_gzip, not_utf8, repeated

TOPICS = "miracl-v1.0-{0}/topics/topics.miracl-v1.0-{0}-train.tsv"
QRELS = "miracl-v1.0-{0}/qrels/qrels.miracl-v1.0-{0}-train.tsv"
DOCS = "miracl-corpus-v1.0-{}/docs-{}.jsonl.gz"

SWAHILI = (
    '7#0\tMji mkuu wa Kenya ni upi?\n12#0\tNani aliandika "Utenzi wa Mwanakupona"?\n',
    "7#0\tQ0\t55#2\t1\n7#0\tQ0\t55#0\t0\n12#0\tQ0\t90#1\t1\n12#0\tQ0\t91#0\t1\n12#0\tQ0\t55#2\t0\n12#0\tQ0\t55#1\t0\n",
    [("55#0", "Kenya", "Kenya iko Afrika."), ("55#1", "Kenya", "Bendera."), ("55#2", "Kenya", "Nairobi ni mji.")],
    [("90#1", "Mwanakupona", "Aliandika."), ("91#0", "Utenzi", "Ni shairi."), ("92#0", "", "Bila kichwa.")],
)
FINNISH = (
    "7#0\tMikä on Suomen pääkaupunki?\n8#0\tMikä on ruis?\n",
    "7#0\tQ0\t1#0\t1\n8#0\tQ0\t2#0\t0\n",
    [("1#0", "Helsinki", "Helsinki on pääkaupunki.")],
    [("2#0", "Ruis", "Katso vilja.")],
)


def written(folder: Path) -> Path:
    """Files of the published schema in two languages, which use the same ids for other things."""
    for language, (topics, qrels, *shards) in {"sw": SWAHILI, "fi": FINNISH}.items():
        for name, text in ((TOPICS, topics), (QRELS, qrels)):
            path = folder / name.format(language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for number, shard in enumerate(shards):
            rows = (json.dumps(dict(zip(("docid", "title", "text"), row, strict=True))) for row in shard)
            path = folder / DOCS.format(language, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return folder


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    written(tmp_path)
    ((topics, qrels),) = miracl.query_files(["sw"], "train", str(tmp_path))
    assert [(query.id, query.text) for query in miracl.queries(topics)] == [
        ("7#0", "Mji mkuu wa Kenya ni upi?"),
        ("12#0", 'Nani aliandika "Utenzi wa Mwanakupona"?'),
    ]
    judged = [(one.query, one.passage, one.relevant) for one in miracl.judgements(qrels)]
    assert judged[:3] == [("7#0", "55#2", True), ("7#0", "55#0", False), ("12#0", "90#1", True)]
    files = miracl.passage_files("sw", str(tmp_path))
    assert [path.name for path in files] == ["docs-0.jsonl.gz", "docs-1.jsonl.gz"]
    texts = {passage.id: passage.text for path in files for passage in passages(path)}
    assert (texts["55#2"], texts["92#0"]) == ("Kenya Nairobi ni mji.", "Bila kichwa.")


def test_the_published_totals() -> None:
    """The sums that the page of the data set names."""
    train = miracl.COUNTS["train"].values()
    assert (len(train), sum(count for count, _ in train), sum(count for _, count in train)) == (16, 40_203, 343_177)
    dev = miracl.COUNTS["dev"].values()
    assert (len(dev), sum(count for count, _ in dev)) == (18, 13_071 + 305 + 119)
    assert (len(miracl.PASSAGE_COUNTS), sum(miracl.PASSAGE_COUNTS.values())) == (18, 106_332_152)


def test_the_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    corpus = load_corpus(["fi", "sw"], negatives=2, data_dir=str(written(tmp_path)))
    kenya, poem = "Mji mkuu wa Kenya ni upi?", 'Nani aliandika "Utenzi wa Mwanakupona"?'
    wrong = ["Kenya Nairobi ni mji.", "Kenya Bendera."]
    assert item_texts(corpus) == {
        "fi/7#0/1#0": {"fi": ("Mikä on Suomen pääkaupunki?", "Helsinki Helsinki on pääkaupunki.", [])},
        "sw/7#0/55#2": {"sw": (kenya, "Kenya Nairobi ni mji.", ["Kenya Kenya iko Afrika."])},
        "sw/12#0/90#1": {"sw": (poem, "Mwanakupona Aliandika.", wrong)},
        "sw/12#0/91#0": {"sw": (poem, "Utenzi Ni shairi.", wrong)},
    }
    keys = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    assert keys["sw/12#0/90#1"] == keys["sw/12#0/91#0"]  # what answers one query is no negative of the other
    assert len(set(keys.values())) == 3
    row = list(corpus.ids).index("sw/12#0/90#1")
    assert corpus.negative_keys[row, 1].tolist() == [keys["sw/7#0/55#2"], ABSENT]
    assert "miracl, fi: 1 queries have no relevant passage" in caplog.messages
    assert any(message.endswith("queries: 2 instead of 1,901, as published") for message in caplog.messages)


def test_as_many_negatives_as_asked_for(tmp_path: Path) -> None:
    folder = str(written(tmp_path))
    assert load_corpus(["sw"], data_dir=folder).negatives.shape == (3, 1, 0)
    one = load_corpus(["sw"], negatives=1, data_dir=folder)
    assert [item["sw"][2] for item in item_texts(one).values()] == [
        ["Kenya Kenya iko Afrika."],
        ["Kenya Nairobi ni mji."],
        ["Kenya Nairobi ni mji."],
    ]


def test_two_steps(tmp_path: Path) -> None:
    folder = str(written(tmp_path))
    assert problems("corpus=miracl", f"corpus.data_dir={folder}", "sampling=x_x") == []
    batches = two_batches(load_corpus(["sw"], negatives=1, data_dir=folder), alpha=1)
    assert [(len(batch.positive_keys), len(batch.candidate_keys)) for batch in batches] == [(2, 4), (2, 4)]


def test_unknown_languages_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"miracl has no de, xx; its languages are ar, bn, en, es, fa, "):
        load_corpus(["de", "sw", "xx"])


_UTF8 = ", line 2: not valid UTF-8 at byte "
DAMAGE: dict[str, tuple[str, Corruption, str]] = {  # what stands behind the path in the message
    "topics missing": (TOPICS, missing, ": there is no such file; put the file there, as in https://huggingface.co/"),
    "topics empty": (TOPICS, emptied, ": the file is empty; copy or download it again"),
    "topics not UTF-8": (TOPICS, not_utf8, _UTF8),
    "topics cut": (TOPICS, line(2, "12#0"), ", line 2: 1 fields instead of 2, separated by tabs; the line may be cut"),
    "empty query": (TOPICS, line(2, "12#0\t "), ", line 2: the query is empty; write it, or remove the row"),
    "query twice": (TOPICS, repeated(1), ", line 3: query id '7#0' again, after line 1; ids must be unique"),
    "qrels empty": (QRELS, emptied, ": the file is empty; copy or download it again"),
    "qrels cut": (QRELS, line(3, "12#0\tQ0"), ", line 3: 2 fields instead of query, Q0, passage, relevance; it may"),
    "no relevance": (QRELS, line(3, "12#0\tQ0\t90#1\tyes"), ", line 3: relevance 'yes'; MIRACL judges 0 or 1"),
    "judged twice": (QRELS, repeated(3), ", line 7: query '12#0' and passage '90#1' are judged twice; remove one"),
    "unknown query": (QRELS, line(3, "3#0\tQ0\t90#1\t1"), ", line 3: there is no query '3#0' in "),
    "unknown passage": (QRELS, line(3, "12#0\tQ0\t93#1\t1"), ", line 3: there is no passage '93#1' in "),
    "docs missing": (DOCS, missing, ": there is no such file"),
    "docs empty": (DOCS, emptied, ": the file is empty; copy or download it again"),
    "docs cut": (DOCS, cut, ", line 3, column 45: not valid JSON (Unterminated string starting at); there is one"),
    "gzip cut": (DOCS, cut_bytes, ", line 3: damaged gzip file (Compressed file ended before"),
    "not gzip": (DOCS, not_gzip, ", line 1: damaged gzip file (Not a gzipped file"),
    "docs not UTF-8": (DOCS, not_utf8, _UTF8),
    "no title": (DOCS, line(1, '{"docid": "1", "text": ""}'), ", line 1: no 'title'; there are: docid, text"),
    "text a number": (DOCS, json_line(3, text=7), ", line 3: 'text' is 7, not a text"),
    "no text": (
        DOCS,
        json_line(3, text="", title=" "),
        ", line 3: title and text is empty; write it, or remove the row",
    ),
    "passage twice": (DOCS, repeated(3), ", line 4: passage id '55#2' again; ids must be unique"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_with_its_place(damage: str, tmp_path: Path) -> None:
    name, corrupt, message = DAMAGE[damage]
    path = written(tmp_path) / name.format("sw", 0)
    corrupt(path)
    if damage == "docs missing":
        (path.parent / "docs-1.jsonl.gz").unlink()
        path = path.parent / "docs-*.jsonl.gz"
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        load_corpus(["sw"], negatives=5, data_dir=str(tmp_path))
