"""Tatoeba: the published files, accuracy against counting by hand, and files that are not what they should be."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from babelbatch.benchmarks.tatoeba import XTREME, XTREME_R, load_benchmark
from babelbatch.configuration.shipped import CONF
from babelbatch.evaluation.cell_ranking import rank_cells
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.scoring import Result, score
from babelbatch.evaluation.search_ranking import search_ranks, storage_order
from babelbatch.evaluation.trec import write_trec
from babelbatch.records import Benchmark
from babelbatch.search.index import Exact
from babelbatch.search.vectors import VectorWriter
from babelbatch.sources.tatoeba import REVISION, published


@pytest.fixture(scope="session")
def published_files(shared_data: Path) -> str:
    if not (shared_data / "tatoeba").is_dir():
        pytest.skip(f"no tatoeba in {shared_data}; put LASER's data/tatoeba/v1 there")
    return str(shared_data / "tatoeba")


SMALL = {"deu": ["Hallo.", "Nein.", "Ja."], "swh": ["Jambo.", "Hapana."]}
ENGLISH = {"deu": ["Hello.", "No.", "Yes."], "swh": ["Hello.", "Not at all."]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pairs in LASER's layout. Both have "Hello."."""
    for code, sentences in SMALL.items():
        for side, texts in ((code, sentences), ("eng", ENGLISH[code])):
            (tmp_path / f"tatoeba.{code}-eng.{side}").write_text("".join(f"{text}\n" for text in texts))
    return tmp_path


def test_counts_are_the_published_ones(published_files):
    """Of each language as in LASER's paper, 88,877 in all, as in the card of mteb/tatoeba-bitext-mining."""
    everything = load_benchmark(published_files, "all")
    sizes = np.bincount(everything.query_languages, minlength=113)
    found = dict(zip(everything.languages, sizes.tolist(), strict=True))
    assert found.pop("en") == 0
    assert found == {language: known.sentences for language, known in published().items()}
    assert len(found) == 112
    assert sum(found.values()) == len(everything.candidate_ids) == 88_877
    assert (found["te"], found["sw"], found["th"], found["jv"], found["ta"]) == (234, 390, 548, 205, 307)
    assert [found[code] for code in ("kk", "ka", "ml", "bn", "tzl")] == [575, 746, 687, 1000, 104]


def test_the_files_are_those_that_would_be_fetched(published_files):
    for known in published().values():
        for side, expected in ((known.file, known.sha256), ("eng", known.sha256_english)):
            content = (Path(published_files) / f"tatoeba.{known.file}-eng.{side}").read_bytes()
            assert hashlib.sha256(content).hexdigest() == expected


def test_the_languages_of_xtreme_and_xtreme_r(published_files):
    assert (len(set(XTREME)), len(set(XTREME_R))) == (36, 41)
    assert load_benchmark(published_files, "xtreme").languages == (*XTREME, "en")
    assert load_benchmark(published_files).languages == (*XTREME_R, "en")
    assert published()["fa"].file == "pes"
    assert published()["zh"].file == "cmn"
    assert len(load_benchmark(published_files, "xtreme").query_ids) == 31_692
    assert len(load_benchmark(published_files).query_ids) == 36_692


@pytest.mark.parametrize(("option", "first"), [("tatoeba", "Hallo."), ("tatoeba_from_english", "Hello.")])
def test_the_shipped_options(folder, option, first):
    node = OmegaConf.load(CONF / "benchmarks" / f"{option}.yaml")[option]
    benchmark = instantiate(node, data_dir=str(folder), languages=["de", "sw"])
    assert benchmark.query_texts[0] == first
    assert benchmark.metric == "recall@1"


def test_by_hand(folder):
    benchmark = load_benchmark(str(folder), ["sw", "de"])
    assert benchmark.languages == ("sw", "de", "en")
    assert benchmark.query_texts == ("Jambo.", "Hapana.", "Hallo.", "Nein.", "Ja.")
    assert benchmark.candidate_texts == ("Hello.", "Not at all.", "Hello.", "No.", "Yes.")
    assert benchmark.candidate_ids == ("sw-en-0", "sw-en-1", "de-en-0", "de-en-1", "de-en-2")
    assert benchmark.query_languages.tolist() == [0, 0, 1, 1, 1]
    assert set(benchmark.candidate_languages.tolist()) == {2}
    assert benchmark.query_ids[0] == benchmark.query_ids[2]  # both say hello
    assert len(set(benchmark.query_ids)) == 4
    back = load_benchmark(str(folder), ["sw", "de"], "from_english")
    assert (back.query_texts, back.candidate_texts) == (benchmark.candidate_texts, benchmark.query_texts)
    assert back.query_ids == benchmark.query_ids
    assert back.fingerprint != benchmark.fingerprint != load_benchmark(str(folder), ["de", "sw"]).fingerprint


def test_a_sentence_meets_its_own_pair_only(folder):
    """Jambo. is nearest to the German pair's "Hello.", which is not asked; of its own pair it is nearest to the right
    one. Nein. is nearest to Yes."""
    benchmark = load_benchmark(str(folder), ["sw", "de"])
    queries = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [0.6, 0.8]], np.float32)
    candidates = np.array([[0.8, 0.6], [0, 1], [1, 0], [0.6, 0.8], [0, 1]], np.float32)
    found = score(benchmark, rank_cells(benchmark, queries, candidates)).metrics
    accuracy = {key.removeprefix("tatoeba/crosslingual/recall@1"): value for key, value in found.items() if "@1" in key}
    accuracy = {key: value for key, value in accuracy.items() if key[:1] in {"", "/"}}
    assert accuracy == pytest.approx({"": 2 / 3, "/sw": 1.0, "/sw-en": 1.0, "/de": 1 / 3, "/de-en": 1 / 3})
    assert not [key for key in found if "multilingual" in key or "monolingual" in key]


def vectors(benchmark: Benchmark, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A translation's vector is near, with noise; some candidates are equal."""
    random = np.random.default_rng(seed)
    candidates = random.integers(-1, 2, (len(benchmark.candidate_ids), 6)).astype(np.float32)
    queries = candidates + random.normal(0, 1.2, candidates.shape).astype(np.float32)
    return queries, candidates


def accuracy_by_hand(benchmark: Benchmark, queries: np.ndarray, candidates: np.ndarray, start: int, stop: int) -> float:
    """The share of rows whose own candidate has the greatest score, among equals the greatest id."""
    ids = benchmark.candidate_ids[start:stop]
    right = 0
    for row in range(start, stop):
        scores = [float(np.dot(queries[row], candidate)) for candidate in candidates[start:stop]]
        best = max(scores)
        tied = [id_ for id_, value in zip(ids, scores, strict=True) if abs(value - best) < 1e-5]
        right += max(tied) == benchmark.candidate_ids[row]
    return right / (stop - start)


@pytest.mark.parametrize("direction", ["to_english", "from_english"])
def test_accuracy_is_that_of_counting(published_files, direction):
    """On the real sentences of two pairs, with vectors that tie."""
    benchmark = load_benchmark(published_files, ["te", "sw"], direction)
    queries, candidates = vectors(benchmark)
    result = score(benchmark, rank_cells(benchmark, queries, candidates))
    telugu = accuracy_by_hand(benchmark, queries, candidates, 0, 234)
    swahili = accuracy_by_hand(benchmark, queries, candidates, 234, 624)
    assert 0.05 < telugu < 0.9
    key = "tatoeba/crosslingual/recall@1"
    first, second = ("te-en", "sw-en") if direction == "to_english" else ("en-te", "en-sw")
    assert result.metrics[f"{key}/{first}"] == pytest.approx(telugu)
    assert result.metrics[f"{key}/{second}"] == pytest.approx(swahili)
    assert result.metrics[key] == pytest.approx((telugu + swahili) / 2)
    assert result.metric == "recall@1"
    assert len(result.per_query) == 624


def test_a_search_finds_the_same(published_files, tmp_path):
    benchmark = load_benchmark(published_files, ["te", "sw"])
    queries, candidates = vectors(benchmark)
    expected = rank_cells(benchmark, queries, candidates).within_language
    writer = VectorWriter(tmp_path, candidates.shape[1], "tatoeba", 100)
    writer.append(candidates[storage_order(benchmark)])
    found = search_ranks(benchmark, queries, writer.close(), Exact(), k=10).ranks
    near = expected <= 90  # beyond, equal scores may stand at the end of the hundred
    assert near.mean() > 0.5
    assert np.array_equal(found.within_language[near], expected[near])


@pytest.mark.parametrize("direction", ["to_english", "from_english"])
def test_trec_files_of_a_benchmark_in_parts(folder, tmp_path, direction):
    """Two English sentences are asked twice, over the candidates of two languages."""
    benchmark = load_benchmark(str(folder), ["sw", "de"], direction)
    queries, candidates = vectors(benchmark)
    write_trec(tmp_path / "trec", benchmark, queries, candidates, depth=10)
    settings = {path.stem for path in (tmp_path / "trec").iterdir()}
    assert settings == {"tatoeba_crosslingual", "tatoeba_monolingual"}  # there is no pool
    run = (tmp_path / "trec" / "tatoeba_crosslingual.run").read_text().splitlines()
    assert len(run) == 2 * 2 + 3 * 3
    asked = {line.split()[0] for line in run}
    assert len(asked) == 5
    for line in run:
        name, _, candidate, *_ = line.split()
        if direction == "from_english":
            assert name.endswith(f"/en-{candidate[:2]}")
        else:
            assert f"/{candidate[:2]}-en" in name


FAULTS = {  # what is written over the German sentences, and what the message says
    "empty file": (b"", "tatoeba.deu-eng.deu: the file is empty; copy or download it again"),
    "cut file": (
        b"Hallo.\nNein.\n",
        "tatoeba.deu-eng.deu has 2 lines and tatoeba.deu-eng.eng 3, but line n of one is the",
    ),
    "invalid UTF-8": (
        b"Hallo.\nN\xffin.\nJa.\n",
        "tatoeba.deu-eng.deu, line 2: not valid UTF-8 at byte 1; convert the",
    ),
    "empty line": (
        b"Hallo.\n\nJa.\n",
        "tatoeba.deu-eng.deu, line 2: empty, but each line is the translation of a line",
    ),
    "blank line": (
        b"Hallo.\n \nJa.\n",
        "tatoeba.deu-eng.deu, line 2: the sentence is empty; write it, or remove the row",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_named_with_its_line(folder, fault):
    content, message = FAULTS[fault]
    (folder / "tatoeba.deu-eng.deu").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_benchmark(str(folder), ["de"])


def test_a_missing_file(folder):
    (folder / "tatoeba.swh-eng.eng").unlink()
    with pytest.raises(ValueError, match=r"tatoeba\.swh-eng\.eng: cannot be read \(No such file or directory\)"):
        load_benchmark(str(folder), ["de", "sw"])


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["de", "xx"], "languages: Tatoeba has no xx; its languages are af, am, ang, ar, "),
        (["de", "de"], "languages must name at least one of af, am, ang, ar, "),
        ([], "languages must name at least one of af, am, ang, ar, "),
    ],
)
def test_languages_that_there_are_not(folder, languages, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        load_benchmark(str(folder), languages)


def test_another_number_of_sentences_is_logged(folder, caplog):
    with caplog.at_level(logging.WARNING):
        load_benchmark(str(folder), ["sw"])
    assert "tatoeba.swh-eng.swh: sentences: 2 instead of 390, as published" in caplog.text


def test_what_is_fetched(published_files, monkeypatch, tmp_path):
    """Each file by its address at the pinned commit, with its checksum, into the cache."""
    asked = []

    def download_file(url: str, sha256: str | None, target: Path) -> Path:
        asked.append((url, sha256, target))
        return Path(published_files) / target.name

    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path))
    monkeypatch.setattr("babelbatch.sources.tatoeba.download_file", download_file)
    assert load_benchmark(languages=["fa"]).fingerprint == load_benchmark(published_files, ["fa"]).fingerprint
    address = f"https://raw.githubusercontent.com/facebookresearch/LASER/{REVISION}/data/tatoeba/v1/"
    names = ["tatoeba.pes-eng.pes", "tatoeba.pes-eng.eng"]
    assert [(url, target) for url, _, target in asked] == [
        (address + name, tmp_path / "tatoeba" / REVISION / name) for name in names
    ]
    known = published()["fa"]
    assert [sha256 for _, sha256, _ in asked] == [known.sha256, known.sha256_english]


def test_without_a_connection(folder):
    with pytest.raises(ValueError, match=r"tatoeba\.deu-eng\.deu is not in the cache and HF_HUB_OFFLINE is set"):
        load_benchmark(languages=["de"])


def test_evaluated_with_an_encoder(folder):
    """Through the whole evaluation; the sentences are their translations here, so that each finds its own."""
    from babelbatch.encoder import static

    for code, english in ENGLISH.items():
        (folder / f"tatoeba.{code}-eng.{code}").write_text("".join(f"{text}\n" for text in english))
    benchmark = load_benchmark(str(folder), ["sw", "de"])
    encoder = static(list(benchmark.candidate_texts), vocab_size=300, hidden_size=64)
    for evaluation in (Evaluation(), Evaluation(index=Exact())):
        result: Result = evaluation(encoder, benchmark)
        assert result.metrics["tatoeba/crosslingual/recall@1"] == 1.0
        assert result.metric == "recall@1"
