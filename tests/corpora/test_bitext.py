"""Parallel sentences as a training corpus, in each of their formats."""

from __future__ import annotations

import gzip
import logging
import re
from pathlib import Path

import numpy as np
import pytest

from babelbatch.corpora.bitext import load_corpus
from babelbatch.records import ABSENT, Corpus
from babelbatch.sampling import Sampler, Sampling
from babelbatch.sources.bitext import units
from corruptions import cut_bytes, emptied, missing, not_gzip, not_utf8
from small_files import write_parquet

PAIRS = [("Guten Tag.", "Hello."), ('Sie sagte: "ja', 'She said "yes'), ("Danke.", "Thanks."), ("Bitte.", "Please.")]
PAIRS += [("Vielen Dank.", "Thanks."), (" ", "Lost."), ("OK", "OK")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def write_moses(folder: Path, pairs=PAIRS, name: str = "Books", languages=("de", "en"), end: str = "") -> Path:
    for side, language in enumerate(languages):
        data = "".join(f"{pair[side]}\n" for pair in pairs).encode()
        path = folder / f"{name}.{'-'.join(languages)}.{language}{end}"
        path.write_bytes(gzip.compress(data) if end else data)
    return folder / f"{name}.{'-'.join(languages)}.{languages[0]}{end}"


def write_tsv(folder: Path) -> Path:
    path = folder / "books.de-en.tsv"
    path.write_text("".join(f"{one}\t{other}\n" for one, other in PAIRS))
    return path


TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header creationtool="x" segtype="sentence" adminlang="en" srclang="de" datatype="PlainText"/>
<body>{}</body></tmx>
"""


def write_tmx(folder: Path, end: str = "") -> Path:
    """The first unit has British English, a third language and markup."""
    unit = '<tu><tuv xml:lang="de"><seg>{}</seg></tuv><tuv xml:lang="en"><seg>{}</seg></tuv></tu>'
    written = [unit.format(*pair) for pair in PAIRS]
    written[0] = (
        '<tu tuid="1"><tuv xml:lang="EN-GB"><seg><bpt i="1">&lt;b&gt;</bpt>Hel<hi>lo</hi><ept i="1">&lt;/b&gt;</ept>.'
        '</seg></tuv><tuv xml:lang="fr"><seg>Bonjour.</seg></tuv><tuv xml:lang="de-AT"><seg>Guten Tag.</seg></tuv></tu>'
    )
    path = folder / f"books.de-en.tmx{end}"
    data = TMX.format("\n".join(written)).encode()
    path.write_bytes(gzip.compress(data) if end else data)
    return path


def write_collection(folder: Path) -> None:
    rows = [{"english": one, "non_english": other} for other, one in PAIRS]
    write_parquet(folder / "en-de" / "train-00000-of-00001.parquet", rows)
    write_parquet(folder / "en-de" / "dev-00000-of-00001.parquet", [{"english": "no", "non_english": "nein"}])


def asked(corpus: Corpus) -> set[tuple[str, str, str, str]]:
    """(question language, question, passage language, passage) of each item; it has one of each."""
    found = set()
    for questions, passages in zip(corpus.queries, corpus.passages, strict=True):
        ((question,), (passage,)) = (np.flatnonzero(row != ABSENT) for row in (questions, passages))
        texts = corpus.query_texts[questions[question]], corpus.passage_texts[passages[passage]]
        found.add((corpus.languages[question], texts[0], corpus.languages[passage], texts[1]))
    return found


BOTH_WAYS = {("de", one, "en", other) for one, other in PAIRS[:5]} | {("en", two, "de", one) for one, two in PAIRS[:5]}


@pytest.mark.parametrize("form", ["moses", "moses gzipped", "tsv", "tmx", "tmx gzipped", "collection"])
def test_every_format_gives_the_same_pairs(tmp_path, caplog, form):
    end = ".gz" if form.endswith("gzipped") else ""
    if form.startswith("moses"):
        write_moses(tmp_path, end=end)
    elif form.startswith("tmx"):
        write_tmx(tmp_path, end)
    elif form == "tsv":
        write_tsv(tmp_path)
    else:
        write_collection(tmp_path)
    with caplog.at_level(logging.INFO):
        of_the_hub = (["en-de"], "talks") if form == "collection" else ()
        corpus = load_corpus(str(tmp_path), *of_the_hub)
    assert corpus.languages == ("de", "en")
    assert len(corpus) == 10
    assert asked(corpus) == BOTH_WAYS
    reasons = "2 of 7 rows are skipped: 1 with a blank side, 1 that are the same in both languages"
    assert any(message.endswith(reasons) for message in caplog.messages)
    # "Danke." and "Vielen Dank." are both "Thanks.": their four items have one passage key.
    assert len(set(corpus.passage_keys.tolist())) == 4


def test_x_y_batches_and_no_others(tmp_path):
    write_moses(tmp_path)
    write_moses(tmp_path, [("Hej.", "Hello."), ("Tack.", "Thanks.")], languages=("sv", "en"))
    corpus = load_corpus(str(tmp_path))
    assert corpus.languages == ("de", "en", "sv")
    sampler = Sampler(corpus, Sampling(name="x_y", alpha=0.0, batch_size=7), 0)
    for step in range(20):
        plan = sampler.plan(step)
        assert (plan.query_languages != plan.passage_languages).all()
        assert (corpus.queries[plan.items, plan.query_languages] != ABSENT).all()
        assert (corpus.passages[plan.items, plan.passage_languages] != ABSENT).all()
    with pytest.raises(ValueError, match="an X-X batch in 'de' needs 2 items, there are 0"):
        Sampler(corpus, Sampling(name="x_x", alpha=1.0, batch_size=2), 0)
    # Through English, "Hej." is "Guten Tag.": neither is a negative of the other's question.
    key_of = {
        corpus.query_texts[row]: key
        for rows, key in zip(corpus.queries, corpus.passage_keys, strict=True)
        for row in rows
        if row != ABSENT
    }
    assert key_of["Hej."] == key_of["Guten Tag."] == key_of["Hello."] != key_of["Tack."]


def test_chosen_pairs_and_a_limit(tmp_path):
    write_moses(tmp_path)
    write_moses(tmp_path, [("Hej.", "Hello.")], languages=("sv", "en"))
    assert load_corpus(str(tmp_path), ["sv-en"]).languages == ("en", "sv")
    assert len(load_corpus(str(tmp_path), limit=2)) == 6
    with pytest.raises(
        ValueError, match=r"no files of en-de; they are named, for example, my\.en-de\.en and my\.en-de"
    ):
        load_corpus(str(tmp_path), ["en-de"])
    with pytest.raises(ValueError, match="'de-en' is not en-<language>, as all of talks are"):
        load_corpus(str(tmp_path), ["de-en"], "talks")
    with pytest.raises(ValueError, match="name the pairs of talks to take, such as"):
        load_corpus(str(tmp_path), None, "talks")


def edited(number: int, text: str):
    def corrupt(path: Path) -> None:
        lines = path.read_text().splitlines(keepends=True)
        lines[number - 1] = text
        path.write_text("".join(lines))

    return corrupt


_AGAIN = "; copy or download it again"
FAULTS = {  # format, what is done to its first file, and what stands behind its path in the message
    "moses, missing": ("moses", missing, None),
    "moses, empty": ("moses", emptied, f": the file is empty{_AGAIN}"),
    "moses, shorter": ("moses", edited(7, ""), None),
    "moses, not UTF-8": ("moses", not_utf8, ", line 2: not valid UTF-8 at byte "),
    "moses, cut gzip": ("moses gzipped", cut_bytes, ", line 8: damaged gzip file ("),
    "moses, not gzip": ("moses gzipped", not_gzip, ", line 1: damaged gzip file ("),
    "tsv, one column": ("tsv", edited(3, "Danke.\n"), ", line 3: 1 fields instead of 2, separated by tabs; the line m"),
    "tsv, three columns": ("tsv", edited(3, "a\tb\tc\n"), ", line 3: 3 fields instead of 2, separated by tabs; the "),
    "tsv, empty": ("tsv", emptied, f": the file is empty{_AGAIN}"),
    "tmx, cut": ("tmx", cut_bytes, ", line "),
    "tmx, no units": ("tmx", lambda path: path.write_text("<a/>"), f": no translation unit <tu> in it{_AGAIN}"),
    "tmx, empty": ("tmx", emptied, ", line 1, column 1: not valid XML (no element found); the file may be cut off: c"),
    "tmx, other languages": (
        "tmx",
        lambda path: path.write_text(path.read_text().replace('xml:lang="de', 'xml:lang="nl')),
        ": no unit is in both de and en, which its name says; there are: en, en-gb, fr, nl, nl-at; name it by two of",
    ),
    "tmx, cut gzip": ("tmx gzipped", cut_bytes, ", after entry 0: damaged gzip file (Compressed file ended before the"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_corruptions(tmp_path, fault):
    form, corrupt, message = FAULTS[fault]
    end = ".gz" if form.endswith("gzipped") else ""
    write = {"moses": lambda: write_moses(tmp_path, end=end), "tsv": lambda: write_tsv(tmp_path)}
    path = write.get(form.split()[0], lambda: write_tmx(tmp_path, end))()
    corrupt(path)
    second = tmp_path / "Books.de-en.en"
    if fault == "moses, missing":
        message = f"{second}: there is no Books.de-en.de beside it, with the translation of each line"
    elif fault == "moses, shorter":
        message = f"{second}, line 7: {path} ends before it; line n of one file must be the translation of line n"
    else:
        message = f"{path}{message}"
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        load_corpus(str(tmp_path))


def test_chinese_as_opus_writes_it(tmp_path):
    """`zh_CN` in names, `zh-CN` or `zh` inside: one language, under the code that other sources have."""
    write_moses(tmp_path, [("Hello.", "你好。")], languages=("en", "zh_CN"))
    variants = "".join(
        f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>'
        for code, text in (("zh-TW", "謝謝。"), ("zh-CN", "谢谢。"), ("en", "Thanks."))
    )
    (tmp_path / "books.en-zh_CN.tmx").write_text(TMX.format(f"<tu>{variants}</tu>"))
    assert asked(load_corpus(str(tmp_path))) == {
        ("en", "Hello.", "zh", "你好。"), ("zh", "你好。", "en", "Hello."),
        ("en", "Thanks.", "zh", "谢谢。"), ("zh", "谢谢。", "en", "Thanks."),
    }  # fmt: skip


def test_places_of_units(tmp_path):
    found = list(units(write_tmx(tmp_path), ("en", "fr")))
    assert [(str(place), one, other) for place, one, other in found] == [
        (f"{tmp_path / 'books.de-en.tmx'}, entry 1", "Hello.", "Bonjour.")
    ]


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """An earlier test of the process may have switched on the lines of INFO."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_lines_that_cannot_be_used_are_all_named_or_left_out(tmp_path, caplog):
    lines = ["Danke.\tThanks.", "cut", "a\tb\tc", "Bitte.\tPlease."]
    (tmp_path / "books.de-en.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "more.de-en.de").write_bytes(b"Ja.\n\xff\n")
    (tmp_path / "more.de-en.en").write_text("Yes.\nNo.\n")
    table = tmp_path / "books.de-en.tsv"
    found = [
        f"{table}, line 2: 1 fields instead of 2, separated by tabs; the line may be cut",
        f"{table}, line 3: 3 fields instead of 2, separated by tabs; the line may be cut",
        f"{tmp_path / 'more.de-en.de'}, line 2: not valid UTF-8 at byte 0; convert the file to UTF-8",
    ]
    with pytest.raises(ValueError, match=r"^3 rows cannot be used") as refused:
        load_corpus(str(tmp_path))
    assert str(refused.value).splitlines()[1:] == [f"  {line}" for line in found]
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(str(tmp_path), on_bad_row="skip")
    assert warnings_in(caplog) == ["\n  ".join(["corpus bitext: 3 rows are left out (on_bad_row=skip):", *found])]
    assert (corpus.skipped_rows.count, corpus.skipped_rows.first) == (3, tuple(found))
    assert {pair[1] for pair in asked(corpus)} == {"Danke.", "Thanks.", "Bitte.", "Please.", "Ja.", "Yes."}
