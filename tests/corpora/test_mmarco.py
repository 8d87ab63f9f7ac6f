"""mMARCO's files, and the corpus made of them: its texts, its keys, a build that was killed, and its memory."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from babelbatch.corpora.mmarco import _Done, _progress, load_corpus
from babelbatch.progress import Work
from babelbatch.records import ABSENT, Corpus
from babelbatch.sources import mmarco
from babelbatch.sources.mmarco import NAMES
from configurations import problems
from corpus_texts import item_texts, two_batches
from corruptions import Corruption, emptied, line, missing, not_utf8, repeated
from processes import PEAK, python

TRIPLES = "data/triples.train.ids.small.tsv"
QUESTIONS = "data/google/queries/train/german_queries.train.tsv"
PASSAGES = "data/google/collections/german_collection.tsv"


def written(folder: Path, languages: tuple[str, ...] = ("de", "en", "fr")) -> Path:
    """Files of the published schema. Question 12 has two answers; passages 3 and 30 have one text in English; German
    lacks question 11 and passage 30, French has a blank passage 5; question 99 and passage 77 are in no triple."""
    rows = [(10, 3, 4), (10, 3, 5), (11, 30, 4), (12, 5, 3), (12, 6, 40), (10, 3, 4), (13, 8, 40)]
    files = {TRIPLES: "".join("\t".join(map(str, row)) + "\n" for row in rows)}
    for language in languages:
        name = NAMES[language]
        questions = {id_: f'{language}, "question {id_}' for id_ in (99, 10, 11, 12, 13)}
        passages = {id_: f"{language} passage {id_} null" for id_ in (77, 3, 30, 4, 40, 5, 6, 8)}
        if language == "de":
            del questions[11], passages[30]
        elif language == "en":
            passages[30] = passages[3]
        elif language == "fr":
            passages[5] = " "
        files[f"data/google/queries/train/{name}_queries.train.tsv"] = _lines(questions)
        files[f"data/google/collections/{name}_collection.tsv"] = _lines(passages)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _lines(texts: dict[int, str]) -> str:
    return "".join(f"{id_}\t{text}\n" for id_, text in texts.items())


def loaded(folder: Path, **options) -> Corpus:
    return load_corpus(["de", "en", "fr"], data_dir=str(folder), **options)


def test_the_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    corpus = loaded(written(tmp_path), negatives=2)
    texts = item_texts(corpus)
    assert list(corpus.ids) == ["10-3", "11-30", "12-5", "12-6", "13-8"]
    assert set(texts["10-3"]["de"][2]) == {"de passage 4 null", "de passage 5 null"}
    assert texts["10-3"]["fr"] == ('fr, "question 10', "fr passage 3 null", ["fr passage 4 null"])
    assert texts["11-30"] == {
        "de": (None, None, ["de passage 4 null"]),
        "en": ('en, "question 11', "en passage 3 null", ["en passage 4 null"]),
        "fr": ('fr, "question 11', "fr passage 30 null", ["fr passage 4 null"]),
    }
    assert texts["12-5"]["fr"] == ('fr, "question 12', None, ["fr passage 3 null"])
    assert texts["12-6"]["de"] == ('de, "question 12', "de passage 6 null", ["de passage 40 null"])
    assert not any("77" in text for text in corpus.passage_texts)
    assert not any("99" in text for text in corpus.query_texts)
    assert "mmarco, de: 1 of 4 queries and 1 of 7 passages are missing" in caplog.messages
    assert "mmarco, en: 0 of 4 queries and 0 of 7 passages are missing" in caplog.messages
    assert "mmarco, fr: 0 of 4 queries and 1 of 7 passages are missing" in caplog.messages
    assert "mmarco: 5 items with 3 passage keys" in caplog.messages
    assert any("lines: 7 instead of 39,780,811, as published" in message for message in caplog.messages)


def test_keys(tmp_path: Path) -> None:
    """Items share a key by their passage, by its text in one language, and by their question."""
    corpus = loaded(written(tmp_path), negatives=2)
    keys = dict(zip(corpus.ids, corpus.passage_keys.tolist(), strict=True))
    assert keys["10-3"] == keys["11-30"]
    assert keys["12-5"] == keys["12-6"]
    assert len(set(keys.values())) == 3
    of = {id_: corpus.negative_keys[row].tolist() for row, id_ in enumerate(corpus.ids)}
    assert of["12-5"] == [[keys["10-3"], ABSENT]] * 3  # passage 3 answers question 10, in all languages
    assert of["13-8"] == [[ABSENT, ABSENT]] * 3  # passage 40 answers nothing
    assert sorted(of["10-3"][0]) == sorted([ABSENT, keys["12-5"]])
    assert of["10-3"][2].count(ABSENT) == 2  # and French has no passage 5


def test_a_sample(tmp_path: Path) -> None:
    folder = written(tmp_path)
    one = loaded(folder, triples=1)
    assert len(one) == 1
    assert one.negatives.shape == (1, 3, 1)
    every = loaded(folder, triples=None, negatives=0)
    assert (len(every), every.negatives.shape) == (5, (5, 3, 0))
    assert not any("passage 40" in text for text in every.passage_texts)
    assert len({loaded(folder, triples=3, seed=seed).fingerprint for seed in range(5)}) > 1


def test_two_steps(tmp_path: Path) -> None:
    folder = written(tmp_path)
    assert problems("corpus=mmarco", f"corpus.data_dir={folder}", "sampling=hybrid") == []
    corpus = loaded(folder)
    for alpha in (1, 0):
        for batch in two_batches(corpus, alpha):
            assert len(batch.positive_keys) == 2 < len(batch.candidate_keys)


def test_what_is_asked_for_is_checked() -> None:
    assert problems("corpus=mmarco", "corpus.triples=0", "corpus.negatives=-1", "corpus.seed=-1") == [
        "corpus.negatives: -1 is not at least 0",
        "corpus.triples: 0 is not at least 1",
        "corpus.seed: -1 is not between 0 and 4294967295",
    ]
    with pytest.raises(ValueError, match="mmarco has no th, tr; its languages are ar, de, en, es, fr, hi, id, it, "):
        load_corpus(["th", "de", "tr"])


_UTF8 = ", line 2: not valid UTF-8 at byte "
_CUT = ": not an id, a tab and a text; the line may be cut"
DAMAGE: dict[str, tuple[str, Corruption, str]] = {  # what stands behind the path in the message
    "triples missing": (TRIPLES, missing, ": there is no such file; put the file there, as in https://huggingface.co/"),
    "triples empty": (TRIPLES, emptied, ": the file is empty; copy or download it again"),
    "triples cut": (
        TRIPLES,
        line(7, "13\t8"),
        ", line 7: 2 fields instead of 3, separated by tabs",
    ),
    "no number": (TRIPLES, line(2, "10\t3\tfive"), ", line 2: 'five' is not a whole number of at most 2,147,483,647"),
    "no negative": (TRIPLES, line(2, "10\t3\t"), ", line 2: '' is not a whole number"),
    "below zero": (TRIPLES, line(3, "10\t-3\t4"), ", line 3: '-3' is not a whole number"),
    "too large": (TRIPLES, line(3, "10\t3\t2147483648"), ", line 3: '2147483648' is not a whole number"),
    "triples not UTF-8": (TRIPLES, not_utf8, _UTF8),
    "questions missing": (QUESTIONS, missing, ": there is no such file"),
    "questions empty": (QUESTIONS, emptied, ": the file is empty"),
    "questions cut": (QUESTIONS, line(4, "13"), f", line 4{_CUT}"),
    "question twice": (QUESTIONS, repeated(2), ", line 5: id 10 again; ids must be unique, remove one of the lines"),
    "question not UTF-8": (QUESTIONS, not_utf8, _UTF8),
    "passages missing": (PASSAGES, missing, ": there is no such file"),
    "passages empty": (PASSAGES, emptied, ": the file is empty"),
    "passages cut": (PASSAGES, line(7, "8"), f", line 7{_CUT}"),
    "no id": (PASSAGES, line(3, "four\tvier"), f", line 3{_CUT}"),
    "passage twice": (PASSAGES, repeated(3), ", line 8: id 4 again; ids must be unique, remove one of the lines"),
    "passage not UTF-8": (PASSAGES, not_utf8, _UTF8),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_with_its_place(damage: str, tmp_path: Path) -> None:
    name, corrupt, message = DAMAGE[damage]
    path = written(tmp_path) / name
    corrupt(path)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}{message}")):
        loaded(tmp_path, negatives=5)


def test_fetched_files_must_be_as_long_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    with pytest.raises(ValueError, match=r"\.tsv: lines: 7 instead of 39,780,811, as published; remove it and fetch"):
        load_corpus(["en"])
    monkeypatch.setattr(mmarco, "TRIPLES", 7)
    with pytest.raises(ValueError, match=r"english_queries.train.tsv: lines: 5 instead of 808,731, as published"):
        load_corpus(["en"])
    monkeypatch.setattr(mmarco, "QUERIES", 5)
    monkeypatch.setattr(mmarco, "PASSAGES", 8)
    assert len(load_corpus(["en"])) == 5


def test_the_bars_count_bytes(tmp_path: Path, works: list[Work]) -> None:
    folder = written(tmp_path)
    load_corpus(["de"], seed=5, data_dir=str(folder))
    read = {work.description: (work.total, work.done) for work in works if work.unit == "bytes"}
    assert (found := read.pop("computing checksums of mmarco"))[0] == found[1] > 0
    sizes = {Path(name).name: (folder / name).stat().st_size for name in (TRIPLES, QUESTIONS, PASSAGES)}
    assert read == {f"reading {name}": (size, size) for name, size in sizes.items()}


_KILLED = """
import os, signal, sys
from babelbatch.corpora.mmarco import load_corpus
from babelbatch.sources import mmarco

read = mmarco.texts
def reading(path, *arguments):
    print(path.name, flush=True)
    for number, found in enumerate(read(path, *arguments)):
        if path.name == sys.argv[2] and number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield found
mmarco.texts = reading
if sys.argv[3] == "once":
    mmarco.triples = lambda path: sys.exit("drawn again")
print(load_corpus(["de", "en", "fr"], negatives=2, data_dir=sys.argv[1]).fingerprint)
"""


def test_a_killed_build_goes_on_with_the_language_that_it_was_at(tmp_path: Path, monkeypatch) -> None:
    folder = written(tmp_path / "data")
    expected = loaded(folder, negatives=2).fingerprint
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))

    def build(kill_in: str, triples: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return python(_KILLED, folder, kill_in, triples, code=code)

    killed = build("english_collection.tsv", "may", -signal.SIGKILL)
    assert killed.stdout.split() == [
        *("german_queries.train.tsv", "german_collection.tsv", "english_queries.train.tsv", "english_collection.tsv")
    ]
    resumed = build("", "once")
    assert resumed.stdout.split() == [
        *("english_queries.train.tsv", "english_collection.tsv", "french_queries.train.tsv", "french_collection.tsv"),
        expected,
    ]
    (built,) = (tmp_path / "cache" / "corpora").glob("mmarco-*/")
    assert sorted(path.name for path in built.iterdir() if "texts" not in path.name) == [
        *("corpus.json", "ids.spans.npy", "ids.txt", "negative_keys.npy", "negatives.npy", "passage_keys.npy"),
        *("passages.npy", "passages.spans.npy", "passages.txt", "queries.npy", "queries.spans.npy", "queries.txt"),
    ]


def test_a_build_that_was_killed_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path)
    expected = loaded(folder, negatives=2, seed=1).fingerprint
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("babelbatch.corpora.mmarco._keys", interrupted)
        with pytest.raises(KeyboardInterrupt):
            loaded(folder, negatives=2, seed=1)
    monkeypatch.setattr(mmarco, "texts", interrupted)
    assert loaded(folder, negatives=2, seed=1).fingerprint == expected


_MILLION = """
import sys
from babelbatch.corpora.mmarco import load_corpus

before = peak()
corpus = load_corpus(["de"], triples=100_000, data_dir=sys.argv[1])
print(len(corpus), len(corpus.passage_texts), peak() - before)
"""


@pytest.mark.slow
def test_a_million_passages_stay_on_disk(tmp_path: Path) -> None:
    """A collection of 400 MB and a million triples, of which a tenth is drawn: ten of each of 100,000 questions."""
    folder = written(tmp_path, ("de",))
    filler = "x" * 390
    with (folder / TRIPLES).open("w") as file:
        file.writelines(f"{row % 100_000}\t{row % 100_000}\t{row * 7 % 999_983}\n" for row in range(10**6))
    with (folder / QUESTIONS).open("w") as file:
        file.writelines(f"{row}\tWas ist {row}?\n" for row in range(100_000))
    with (folder / PASSAGES).open("w") as file:
        file.writelines(f"{row}\tDas ist {row} {filler}\n" for row in range(10**6))
    items, passages, kilobytes = map(int, python(PEAK + _MILLION, folder).stdout.split())
    assert 64_600 < items < 65_700  # 65,132 are hit by one of ten drawn, give or take 150
    assert 120_000 < passages < 2 * items
    assert kilobytes < 200_000, f"{kilobytes:,} KB"


@pytest.mark.parametrize(
    "written", ["{", '{"languages": -1}', '{"languages": 99}', '{"languages": true}', '{"x": 1}', "[]"]
)
def test_damaged_progress_of_a_build_begins_it_again(tmp_path, caplog, written):
    path = tmp_path / "done.json"
    path.write_text(written)
    assert _progress(path, 3) == _Done()
    assert caplog.messages[0].startswith(f"{path} is damaged (")
    path.write_text('{"languages": 2, "queries": 5, "passages": 7}')
    assert _progress(path, 3) == _Done(2, 5, 7)
    path.unlink()
    assert _progress(path, 3) == _Done()
