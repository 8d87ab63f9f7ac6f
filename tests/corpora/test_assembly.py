"""A corpus assembled on disk: against one in memory, with faulty rows, interrupted and damaged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import ABSENT, Corpus
from processes import PEAK, python

FILE = Path("pairs.jsonl")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def assembled(folder: Path, rows: list[tuple], languages: tuple[str, ...] = ("de", "en"), **options) -> Corpus:
    """rows: (kind, id, language, text[, key])."""

    def build(place: Path) -> tuple[str, ...]:
        with Assembly(place, languages) as assembly:
            for line, (kind, id_, language, text, *key) in enumerate(rows, start=1):
                getattr(assembly, kind)(id_, language, text, FILE, line, *key)
            assembly.finish(**options)
        return languages

    return stored_corpus(folder.name, {"rows": rows, **options}, build)


ROWS = [
    ("query", "b", "en", "Who?"),
    ("passage", "b", "en", "Ada."),
    ("query", "a", "de", "Wo?"),
    ("passage", "a", "de", "Dort."),
    ("query", "b", "de", "Wer?"),
    ("negative", "b", "en", "Bob."),
    ("negative", "b", "en", "There."),
    ("passage", "a", "en", "There."),
    ("query", "c", "en", "Who?"),
    ("passage", "c", "en", "It was Ada."),
    ("passage", "b", "de", "Dort."),
    ("negative", "a", "de", "Nirgends."),
]


def test_against_a_corpus_made_by_hand(tmp_path):
    corpus = assembled(tmp_path / "small", ROWS)
    assert (corpus.name, corpus.languages, list(corpus.ids)) == ("small", ("de", "en"), ["b", "a", "c"])
    assert list(corpus.query_texts) == ["Who?", "Wo?", "Wer?"]
    assert list(corpus.passage_texts) == ["Ada.", "Dort.", "Bob.", "There.", "It was Ada.", "Nirgends."]
    assert corpus.queries.tolist() == [[2, 0], [1, ABSENT], [ABSENT, 0]]
    assert corpus.passages.tolist() == [[1, 0], [1, 3], [ABSENT, 4]]
    # a and b share the passage "Dort.".
    assert corpus.passage_keys[0] == corpus.passage_keys[1] != corpus.passage_keys[2]
    assert corpus.negatives.tolist() == [
        [[ABSENT, ABSENT], [2, 3]],
        [[5, ABSENT], [ABSENT, ABSENT]],
        [[ABSENT] * 2] * 2,
    ]
    # "Bob." answers nothing; "There." answers a.
    assert corpus.negative_keys[0, 1].tolist() == [ABSENT, corpus.passage_keys[1]]


def test_given_keys_join_items_and_negatives(tmp_path):
    rows = [
        *(("query", id_, "en", f"{id_}?") for id_ in "abc"),
        ("passage", "a", "en", "one", "p1"),
        ("passage", "b", "en", "one again", "p1"),
        ("passage", "c", "en", "two", "p2"),
        ("negative", "c", "en", "one, differently put", "p1"),
        ("negative", "c", "en", "three", "p3"),
    ]
    corpus = assembled(tmp_path / "keys", rows)
    assert corpus.passage_keys[0] == corpus.passage_keys[1] != corpus.passage_keys[2]
    assert corpus.negative_keys[2, 1].tolist() == [corpus.passage_keys[0], ABSENT]


def test_at_most_so_many_negatives(tmp_path):
    assert assembled(tmp_path / "one", ROWS, negatives=1).negatives[0, 1].tolist() == [2]
    assert assembled(tmp_path / "none", ROWS, negatives=0).negatives.shape == (3, 2, 0)


def test_a_second_text_names_both_places(tmp_path):
    message = (
        "pairs.jsonl, line 13: a second query in 'en' under its id; pairs.jsonl, line 1 has the first (1 such); "
        "give each its own id"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        assembled(tmp_path / "twice", [*ROWS, ("query", "b", "en", "Who else?")])


def test_built_once(tmp_path):
    first = assembled(tmp_path / "once", ROWS)
    again = stored_corpus("once", {"rows": ROWS}, lambda _: pytest.fail("built again"))
    assert again.fingerprint == first.fingerprint
    assert assembled(tmp_path / "once", ROWS[:4]).fingerprint != first.fingerprint


@pytest.mark.parametrize("name", ["v1.0+a/b", "+".join(f"a_part_with_a_long_name_{number}" for number in range(20))])
def test_a_name_that_is_no_file_name(tmp_path, name):
    """As a mixture gets from the names of its parts."""

    def build(place: Path) -> tuple[str, ...]:
        with Assembly(place, ["en"]) as assembly:
            assembly.query("a", "en", "Who?", FILE, 1)
            assembly.finish()
        return ("en",)

    corpora = [stored_corpus(name, {"version": version}, build) for version in (1, 2)]
    assert [corpus.name for corpus in corpora] == [name] * 2
    made = sorted(path.suffix for path in (tmp_path / "cache" / "corpora").iterdir())
    assert made == ["", "", ".lock", ".lock"]


def test_the_fingerprint_does_not_depend_on_where_a_corpus_is(tmp_path):
    corpus = assembled(tmp_path / "small", ROWS)
    values = {name: np.array(getattr(corpus, name)) for name in ("queries", "passages", "passage_keys", "negatives")}
    texts = {name: tuple(getattr(corpus, name)) for name in ("ids", "query_texts", "passage_texts")}
    in_memory = Corpus("small", ("de", "en"), **texts, **values, negative_keys=np.array(corpus.negative_keys))
    assert in_memory.fingerprint == corpus.fingerprint


def test_an_interrupted_build_leaves_nothing_that_is_taken_for_whole(tmp_path):
    def interrupted(place: Path) -> None:
        (place / "ids.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored_corpus("small", {"rows": ROWS}, interrupted)
    assert len(assembled(tmp_path / "small", ROWS)) == 3


@pytest.mark.parametrize("row", [("query", "d", "en", "\ud800"), ROWS[0]])
def test_a_build_that_failed_leaves_no_files(tmp_path, row):
    """They may be large, and the mended data have a folder of their own. Refused: a text, and what `finish` finds."""
    with pytest.raises(ValueError, match=r"surrogates not allowed|a second query"):
        assembled(tmp_path / "small", [*ROWS, row])
    (folder,) = (tmp_path / "cache" / "corpora").glob("small-*.tmp")
    assert list(folder.iterdir()) == []


def test_a_damaged_entry_is_built_again_with_a_line(tmp_path, caplog):
    """A byte less, and each of many flipped bits in each of its files: never another corpus."""
    whole = assembled(tmp_path / "small", ROWS).fingerprint
    (entry,) = (path for path in (tmp_path / "cache" / "corpora").glob("small-*") if path.is_dir())
    files = sorted(entry.iterdir())
    assert len(files) == 12
    random = np.random.default_rng(0)
    for file in files:
        content = file.read_bytes()
        for bit in random.choice(8 * len(content), min(6, 8 * len(content)), replace=False) if content else ():
            altered = bytearray(content)
            altered[bit // 8] ^= 1 << bit % 8
            file.write_bytes(altered)
            caplog.clear()
            assert assembled(tmp_path / "small", ROWS).fingerprint == whole
            (line,) = (text for text in caplog.messages if "is damaged" in text)
            assert re.fullmatch(re.escape(str(entry)) + r" is damaged \(.+\): it is built again", line)
    (entry / "passages.txt").write_bytes((entry / "passages.txt").read_bytes()[:-1])
    caplog.clear()
    assert assembled(tmp_path / "small", ROWS).fingerprint == whole
    assert "is damaged (passages.txt has " in caplog.text


def test_a_symbolic_link_in_an_entry_is_not_followed(tmp_path, caplog):
    whole = assembled(tmp_path / "small", ROWS).fingerprint
    (file,) = (tmp_path / "cache" / "corpora").glob("small-*/passages.txt")
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert assembled(tmp_path / "small", ROWS).fingerprint == whole
    assert "is damaged (passages.txt is a symbolic link): it is built again" in caplog.text
    assert not file.is_symlink()


_MANY = """
import sys
from pathlib import Path
from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.sources.lines import text_in
from babelbatch.sources.records import records

path = Path(sys.argv[1])
def build(folder):
    assembly = Assembly(folder, ["de", "en"])
    for place, record in records(path):
        text = {key: text_in(record, key, place) for key in ("id", "language", "question", "passage")}
        assembly.query(text["id"], text["language"], text["question"], path, place.line)
        assembly.passage(text["id"], text["language"], text["passage"], path, place.line)
    assembly.finish()
    return ["de", "en"]

before = peak()
corpus = stored_corpus("million", {}, build)
print(len(corpus), len(corpus.passage_texts), peak() - before)
"""


@pytest.mark.slow
def test_many_rows_stay_on_disk(tmp_path):
    """205 MB of passages; held at the end are some hundred bytes a text, two texts a row."""
    path = tmp_path / "many.jsonl"
    filler = "x" * 480
    with path.open("w") as file:
        for row in range(400_000):
            item, language = divmod(row, 2)
            file.write(
                f'{{"id": "{item}", "language": "{("de", "en")[language]}", "question": "{row}?", '
                f'"passage": "{row} {filler}"}}\n'
            )
    items, passages, kilobytes = map(int, python(PEAK + _MANY, path).stdout.split())
    assert (items, passages) == (200_000, 400_000)
    assert kilobytes < 180_000, f"{kilobytes:,} KB"
