"""Fingerprints of data that earlier versions knew: renaming a field must not change them. Values from 2e38b86."""

from __future__ import annotations

from pathlib import Path

from babelbatch.benchmarks import lareqa as lareqa_benchmark
from babelbatch.benchmarks import world_facts as facts_benchmark
from babelbatch.corpora import lareqa as lareqa_corpus
from babelbatch.corpora import world_facts as facts_corpus
from babelbatch.corpora.mixture import load_corpus as mixture
from babelbatch.progress import Work
from conftest import MakeCorpus, WriteLareqa

PARAGRAPHS = {
    "en": [
        (["The Nile is long.", "It flows north."], [("q1", "Where does it flow?", 1), ("q2", "How is the Nile?", 0)]),
        (["Peru is high."], [("q3", "How is Peru?", 0)]),
    ],
    "de": [(["Der Nil ist lang.", "Er fließt nach Norden."], [("q1", "Wohin fließt er?", 1)])],
}


def test_world_facts():
    assert facts_corpus.load_corpus().fingerprint == "822761ccb4a12bb0"
    assert facts_corpus.load_corpus(["en", "de", "zh"]).fingerprint == "a6be56fe6e25ac4d"
    assert facts_benchmark.load_benchmark().fingerprint == "b5e7cb8f12cdb94a"
    assert facts_benchmark.load_benchmark(["en", "de", "zh"]).fingerprint == "4cd174500d6e5293"


def test_lareqa(write_lareqa: WriteLareqa, tmp_path: Path):
    folder = str(write_lareqa(tmp_path, PARAGRAPHS))
    assert lareqa_corpus.load_corpus(data_dir=folder).fingerprint == "41707a510aec977e"
    assert lareqa_corpus.load_corpus(data_dir=folder, negatives=1).fingerprint == "813230ff25654650"
    assert lareqa_benchmark.load_benchmark("small", folder).fingerprint == "31213aef02a433e6"


def test_the_texts_are_followed(make_corpus: MakeCorpus, works: list[Work]):
    assert make_corpus(12).fingerprint
    assert [(work.description, work.done, work.total) for work in works] == [
        (f"reading {field} for a fingerprint", number, number)
        for field, number in (("languages", 3), ("ids", 12), ("query_texts", 36), ("passage_texts", 36))
    ]


def test_a_mixture(make_corpus: MakeCorpus):
    parts = {"one": make_corpus(4, negatives=1), "two": make_corpus(3)}
    assert mixture(parts, 0.5).fingerprint == "efed98689e88d69c"


def test_published_lareqa(shared_data: Path):
    expected = {
        "xquad-r": ("7e0af6b2e438eec8", "c19c836c5e92c377", "d28b9ea6e8acc703"),
        "mlqa-r": ("595a4a1361a68c1f", "fe86b74130501ed5", "1a811f2b176eb7ad"),
    }
    for name, (corpus, negatives, benchmark) in expected.items():
        folder, dataset = str(shared_data / name), name.replace("-", "_")
        assert lareqa_corpus.load_corpus(dataset, folder).fingerprint == corpus
        assert lareqa_corpus.load_corpus(dataset, folder, negatives=2).fingerprint == negatives
        assert lareqa_benchmark.load_benchmark(dataset, folder).fingerprint == benchmark
