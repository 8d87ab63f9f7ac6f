"""MIRACL's files, and the corpus made of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from corruptions import Corruption, cut, cut_bytes, emptied, json_line, line, missing, not_gzip, not_utf8, repeated

from babelbatch.sources import miracl
from babelbatch.sources.wikipedia import passages

TOPICS = "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-train.tsv"
QRELS = "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-train.tsv"
DOCS = "miracl-corpus-v1.0-sw/docs-{}.jsonl.gz"


def written(folder: Path) -> Path:
    """Files of the published schema, in Swahili and Yoruba's place a second language."""
    files = {
        TOPICS: "7#0\tMji mkuu wa Kenya ni upi?\n12#0\tNani aliandika \"Utenzi wa Mwanakupona\"?\n",
        QRELS: "7#0\tQ0\t55#2\t1\n7#0\tQ0\t55#0\t0\n12#0\tQ0\t90#1\t1\n12#0\tQ0\t91#0\t1\n12#0\tQ0\t55#2\t0\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    shards = [
        [("55#0", "Kenya", "Kenya iko Afrika."), ("55#1", "Kenya", "Bendera."), ("55#2", "Kenya", "Nairobi ni mji.")],
        [("90#1", "Mwanakupona", "Aliandika."), ("91#0", "Utenzi", "Ni shairi."), ("92#0", "", "Bila kichwa.")],
    ]
    for number, shard in enumerate(shards):
        rows = (json.dumps(dict(zip(("docid", "title", "text"), row, strict=True))) for row in shard)
        path = folder / DOCS.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return folder


def test_the_files_of_a_folder(tmp_path):
    written(tmp_path)
    ((topics, qrels),) = miracl.question_files(["sw"], "train", str(tmp_path))
    assert [(question.id, question.text) for question in miracl.questions(topics)] == [
        ("7#0", "Mji mkuu wa Kenya ni upi?"),
        ("12#0", 'Nani aliandika "Utenzi wa Mwanakupona"?'),
    ]
    judged = [(one.question, one.passage, one.relevant) for one in miracl.judgements(qrels)]
    assert judged == [
        ("7#0", "55#2", True),
        ("7#0", "55#0", False),
        ("12#0", "90#1", True),
        ("12#0", "91#0", True),
        ("12#0", "55#2", False),
    ]
    files = miracl.passage_files("sw", str(tmp_path))
    assert [path.name for path in files] == ["docs-0.jsonl.gz", "docs-1.jsonl.gz"]
    texts = {passage.id: passage.text for path in files for passage in passages(path)}
    assert texts["55#2"] == "Kenya Nairobi ni mji."
    assert texts["92#0"] == "Bila kichwa."


def test_the_published_totals():
    """The sums that the data set's page names."""
    train = miracl.COUNTS["train"].values()
    assert (len(train), sum(count for count, _ in train), sum(count for _, count in train)) == (16, 40_203, 343_177)
    dev = miracl.COUNTS["dev"].values()
    assert (len(dev), sum(count for count, _ in dev)) == (18, 13_071 + 305 + 119)
    assert len(miracl.PASSAGE_COUNTS) == 18
    assert sum(miracl.PASSAGE_COUNTS.values()) == 106_332_152
