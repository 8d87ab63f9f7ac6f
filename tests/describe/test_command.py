"""What babelbatch-data says of data: counted by hand, shown in a terminal, and typed as a user does."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from asked import asking
from babelbatch.benchmarks import lareqa as benchmarks
from babelbatch.benchmarks.leakage import Overlap, overlaps
from babelbatch.corpora import lareqa
from babelbatch.corpora.table import load_corpus
from babelbatch.describe import main
from babelbatch.describe.facts import benchmark_facts, corpus_facts
from babelbatch.describe.findings import notes, problems
from babelbatch.describe.tables import Block, blocks, show, to_markdown
from babelbatch.encoder import static
from babelbatch.records import ABSENT, Corpus
from commands import run_forked
from processes import python

PAIRS = """\
id,language,question,passage,passage_id,negative_1
a,en,Who wrote Emma?,Jane Austen did.,p1,Not she.
a,de,Wer schrieb Emma?,Jane Austen.,p1,
b,en,Who wrote Emma?,Austen wrote it.,p1,
c,en,Where is Lima?,In Peru.,,
d,en,Where is Lima?,On the coast.,,
e,en,Why?,Because.,,
f,en,Why?,Because.,,
g,fr,Pourquoi ?,Parce que.,,
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pairs(tmp_path) -> Path:
    (tmp_path / "pairs.csv").write_text(PAIRS, encoding="utf-8")
    return tmp_path / "pairs.csv"


@pytest.fixture
def enough(tmp_path) -> Path:
    """Items for batches of 128 in two languages."""
    rows = [f"{n},{code},Why {n} {code}?,Because {n} {code}." for n in range(150) for code in ("en", "de")]
    (tmp_path / "enough.csv").write_text("\n".join(["id,language,question,passage", *rows]), encoding="utf-8")
    return tmp_path / "enough.csv"


def test_a_corpus_counted_by_hand(pairs):
    found = corpus_facts(load_corpus(str(pairs)), None, 10)
    assert {name: found[name] for name in ("name", "items", "crosslingual_items", "passage_keys")} == {
        "name": "table", "items": 7, "crosslingual_items": 1, "passage_keys": 5,
    }  # fmt: skip
    assert found["languages"]["en"] == {
        "queries": 6,
        "passages": 6,
        "pairs": 6,
        "negatives": 1,
        "repeated_queries": 6,
        "ambiguous_queries": 2,  # c and d; a and b share a key, e and f a passage
        "repeated_pairs": 1,
        "query_characters": {"median": 14, "p95": 15, "max": 15},
        "passage_characters": {"median": 8, "p95": 16, "max": 16},
    }
    assert found["languages"]["fr"]["pairs"] == 1
    assert {cell: count for cell, count in found["cells"].items() if count} == {
        "en-en": 6, "en-de": 1, "de-en": 1, "de-de": 1, "fr-fr": 1,
    }  # fmt: skip


def test_texts_that_are_missing(make_corpus):
    """The cells of a corpus with holes, against a loop."""
    corpus = make_corpus(30, no_query=[(n, "de") for n in range(0, 30, 3)], no_passage=[(n, "en") for n in range(9)])
    found = corpus_facts(corpus, None, 10)
    crosslingual = 0
    for one in range(3):
        for other in range(3):
            count = sum(q[one] >= 0 and p[other] >= 0 for q, p in zip(corpus.queries, corpus.passages, strict=True))
            assert found["cells"][f"{corpus.languages[one]}-{corpus.languages[other]}"] == count
    for q, p in zip(corpus.queries, corpus.passages, strict=True):
        crosslingual += any(q[a] >= 0 and p[b] >= 0 for a in range(3) for b in range(3) if a != b)
    assert found["crosslingual_items"] == crosslingual


def test_tokens_and_what_is_cut_off(make_corpus):
    corpus = make_corpus(20)
    encoder = static(corpus.query_texts + corpus.passage_texts, vocab_size=200, hidden_size=4, query_length=4)
    found = corpus_facts(corpus, encoder, 8)["languages"]["en"]["query_tokens"]
    rows = np.unique(corpus.queries[:, 1])[np.linspace(0, 19, 8).astype(int)]
    sizes = sorted(len(encoder.tokenizer(corpus.query_texts[row])["input_ids"]) for row in rows)
    cut = sum(size > 4 for size in sizes) / 8
    assert found == {"median": sizes[3], "p95": sizes[7], "max": sizes[7], "cut": cut, "of": 8, "distinct": 20}
    (note,) = (note for note in notes(corpus_facts(corpus, encoder, 8), [], []) if "truncates" in note)
    assert f"{100 * cut:.0f}\xa0% in en" in note
    assert note.startswith("corpus: in a sample of 8 texts a language the encoder truncates queries: ")
    assert note.endswith("; raise encoder.query_length")
    (note,) = (note for note in notes(corpus_facts(corpus, encoder, 20), [], []) if "truncates" in note)
    assert note.startswith("corpus: the encoder truncates queries: ")


def lengths_table(sample: int, texts: list[str], query_length: int) -> Block:
    queries, passages = (np.arange(len(texts), dtype=np.int32)[:, None] for _ in range(2))
    negatives = np.full((len(texts), 1, 0), ABSENT, np.int32)
    corpus = Corpus(
        "long", ("en",), tuple(map(str, range(len(texts)))), tuple(texts), tuple(texts), queries, passages,
        np.arange(len(texts)), negatives, negatives.astype(np.int64),
    )  # fmt: skip
    encoder = static(texts, vocab_size=200, hidden_size=4, query_length=query_length, passage_length=query_length)
    return list(blocks(corpus_facts(corpus, encoder, sample), [], []))[-1]


def test_tokens_of_a_sample_are_not_those_of_all_texts() -> None:
    """One text of 3,000 is long, and is not in a sample of 2,000."""
    texts = [f"word {n % 10}" for n in range(3000)]
    texts[2] = "word " * 300 + "1"
    found = lengths_table(2000, texts, 64)
    assert found.header == (
        "language", "query characters", "query tokens of 2,000 texts", "truncated of these",
        "passage characters", "passage tokens of 2,000 texts", "truncated of these",
    )  # fmt: skip
    short = lengths_table(3000, ["word 1"], 64).rows[0][2]
    assert found.rows[0][1:4] == ("6  6  1,501", short, "0.0\xa0%")
    assert found.lines == (
        "Characters are those of all texts. Tokens are those of a sample, at most so many texts of a language: the "
        "longest is the longest of these (sample= sets how many).",
    )
    # Of all texts: the long one is seen, and its share is not zero.
    found = lengths_table(3000, texts, 64)
    assert found.header[1:4] == ("query characters", "query tokens", "truncated")
    assert found.rows[0][3] == "<\xa00.1\xa0%"
    assert found.lines == ()


def test_published_counts(shared_data):
    """Of MLQA-R: as LAReQA's README has them, and the shared ids of language pairs."""
    found = benchmark_facts(benchmarks.load_benchmark("mlqa_r", str(shared_data / "mlqa-r")), None, 10)
    assert {language: counts["candidates"] for language, counts in found["languages"].items()} == {
        "ar": 2545, "de": 2362, "en": 6264, "es": 1787, "hi": 2426, "vi": 2828, "zh": 2322,
    }  # fmt: skip
    cells = {"ar-de": 207, "ar-en": 517, "de-es": 196, "es-zh": 161, "hi-vi": 177, "vi-zh": 184, "zh-zh": 504}
    assert {cell: found["cells"][cell] for cell in cells} == cells
    corpus = corpus_facts(lareqa.load_corpus("mlqa_r", str(shared_data / "mlqa-r")), None, 10)
    assert corpus["cells"] == found["cells"]


GOLDEN = """\
corpus table
┏━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┓
┃ language ┃ queries ┃ passages ┃ X-X pairs ┃ negatives ┃ repeated queries ┃
┡━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━┩
│ en       │       6 │        6 │         6 │         1 │                6 │
│ de       │       1 │        1 │         1 │         0 │                0 │
│ fr       │       1 │        1 │         1 │         0 │                0 │
└──────────┴─────────┴──────────┴───────────┴───────────┴──────────────────┘
7 items, 1 of them for X-Y; 5 passage keys; fingerprint 0123456789abcdef

X-X and X-Y pairs: query language by passage language
┏━━━━┳━━━━┳━━━━┳━━━━┓
┃    ┃ en ┃ de ┃ fr ┃
┡━━━━╇━━━━╇━━━━╇━━━━┩
│ en │  6 │  1 │  0 │
│ de │  1 │  1 │  0 │
│ fr │  0 │  0 │  1 │
└────┴────┴────┴────┘

corpus: lengths (median, 95 %, longest)
┏━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┓
┃ language ┃ query characters ┃ passage characters ┃
┡━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━┩
│ en       │       14  15  15 │          8  16  16 │
│ de       │       17  17  17 │         12  12  12 │
│ fr       │       10  10  10 │         10  10  10 │
└──────────┴──────────────────┴────────────────────┘

benchmark asked
┏━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┓
┃ language ┃ queries ┃ candidates ┃ relevant a query ┃ repeated queries ┃
┡━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━┩
│ en       │       2 │          1 │             1.00 │                0 │
└──────────┴─────────┴────────────┴──────────────────┴──────────────────┘
by hand; fingerprint 0123456789abcdef

benchmark asked: lengths (median, 95 %, longest)
┏━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┓
┃ language ┃ query characters ┃ candidate characters ┃
┡━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━┩
│ en       │       14  16  16 │              9  9  9 │
└──────────┴──────────────────┴──────────────────────┘

evaluation queries in the corpus
┏━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┓
┃ benchmark ┃ queries ┃ identical ┃ near duplicates ┃
┡━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━┩
│ asked     │       2 │         1 │               1 │
└───────────┴─────────┴───────────┴─────────────────┘
asked: "WHERE IS LIMA?" (1.00), in the corpus "Where is Lima?"
asked: "Who wrote Emmas?" (0.91), in the corpus "Who wrote Emma?"

"""


def described(pairs: Path) -> tuple:
    corpus = load_corpus(str(pairs))
    asked = asking("WHERE IS LIMA?", "Who wrote Emmas?")
    shared = overlaps(corpus.query_texts, {"asked": asked}, near=True)
    facts = corpus_facts(corpus, None, 10) | {"fingerprint": "0123456789abcdef"}
    of_asked = [benchmark_facts(asked, None, 10) | {"fingerprint": "0123456789abcdef"}]
    return facts, of_asked, shared


def test_in_the_terminal(pairs):
    page = StringIO()
    show(list(blocks(*described(pairs))), Console(file=page, width=80))
    assert [line.rstrip() for line in page.getvalue().split("\n")] == GOLDEN.split("\n")


def test_near_duplicates_are_shown_where_they_differ() -> None:
    template = "In which year did the following country or territory adopt the money that circulates there today: {}?"
    overlap = Overlap("asked", 9, 0, 1, ((template.format("Niger"), template.format("Nigeria"), 0.97),))
    (block,) = blocks(None, [], [overlap])
    assert block.lines == (
        'asked: "... that circulates there today: Niger?" (0.97), '
        'in the corpus "... that circulates there today: Nigeria?"',
    )


def test_as_markdown(pairs):
    text = to_markdown(list(blocks(*described(pairs))), ["first"], [])
    assert text.startswith("## corpus table\n\n| language | queries | passages | X-X pairs | negatives |")
    assert "\n| --- | ---: | ---: | ---: |\n| en | 6 | 1 | 0 |\n| de | 1 | 1 | 0 |\n" in text
    assert '\n* asked: "WHERE IS LIMA?" (1.00), in the corpus "Where is Lima?"\n' in text
    assert text.endswith("## Problems\n\n* first\n\n")


IN_CORPUS = "asked: 1 of its 2 queries are in the corpus, apart from case, punctuation and spaces"


def test_problems_and_notes(pairs):
    facts, asked, shared = described(pairs)
    assert list(problems(facts, shared)) == [
        f"{IN_CORPUS}; more than 1\xa0% is refused: remove them from the corpus, or set train_on_test=true"
    ]
    assert list(problems(facts, shared, train_on_test=True)) == []
    assert f"{IN_CORPUS}; train_on_test=true accepts that" in notes(facts, asked, shared, train_on_test=True)
    assert list(notes(facts, asked, shared)) == [
        "corpus: 1 (en) items repeat query and passage of another",
        "corpus: 2 (en) items have the query of another item and a passage with another key: in one batch each is a "
        "false negative of the other; give these passages one passage_id",
        "asked: 1 of its queries have a near duplicate in the corpus (Jaccard similarity of character trigrams at "
        "least 0.8)",
    ]


def test_languages_without_pairs(make_corpus):
    none = [(item, "en") for item in range(3)]
    corpus = make_corpus(3, ("zh", "en", "de"), no_query=none, no_passage=none)
    assert list(problems(corpus_facts(corpus, None, 1), [])) == [
        "corpus: no item pairs a text in 'en' with one in any language, so there is no batch in it; "
        "leave it out of the languages, or add its texts under the same ids",
    ]
    assert list(problems(corpus_facts(corpus, None, 1), [], languages=["deu", "zh"])) == []  # en is not trained on
    one = corpus_facts(make_corpus(3, ("en",)), None, 1)
    assert list(notes(one, [], [])) == [
        "corpus: no item is in two languages; set sampling=x_x, or another that has no X-Y batches"
    ]


def test_languages_for_x_y_only(make_corpus):
    """Of parallel sentences no language has an X-X pair, of other corpora some have none: neither is a problem."""
    parallel = corpus_facts(make_corpus(2, ("de", "en"), no_query=[(0, "en"), (1, "de")],
                                        no_passage=[(0, "de"), (1, "en")]), None, 1)  # fmt: skip
    asked = corpus_facts(make_corpus(2, ("de", "en", "fr"), no_passage=[(0, "fr"), (1, "fr")]), None, 1)
    for facts, languages in ((parallel, "de, en"), (asked, "fr")):
        assert list(problems(facts, [])) == []
        assert list(notes(facts, [], [])) == [
            f"corpus: no item has both query and passage in {languages}: X-Y batches only; set sampling=x_y, make "
            "it a part of a mixture, or for X-X batches leave them out of the languages"
        ]


def test_the_command(enough, tmp_path, capsys):
    typed = ["corpus=table", f"corpus.path={enough}", f"json={tmp_path}/out/a.json", f"markdown={tmp_path}/out/a.md"]
    assert main(typed) == 0
    out = capsys.readouterr().out
    assert out.startswith("corpus table\n┏")
    assert out.endswith("No problems.\n")
    facts = json.loads((tmp_path / "out" / "a.json").read_text(encoding="utf-8"))
    assert (facts["corpus"]["items"], facts["benchmarks"], facts["overlap"], facts["problems"]) == (150, {}, [], [])
    assert (tmp_path / "out" / "a.md").read_text(encoding="utf-8").startswith("## corpus table\n")


def problems_told(capsys) -> list[str]:
    lines = capsys.readouterr().out.partition("Problems:\n")[2].partition("Notes:\n")[0].splitlines()
    return [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]


def small(code: str, needed: int, count: int) -> str:
    return (
        f"corpus: an X-X batch in '{code}' needs {needed} items, there are {count} to train on; lower "
        "sampling.batch_size or leave the language out of sampling.languages"
    )


def test_a_batch_larger_than_a_languages_items_is_a_problem(pairs, enough, capsys):
    """As a run would refuse it: the items that are held out for validation do not count."""
    assert main(["corpus=table", f"corpus.path={enough}", "sampling.batch_size=145"]) == 2
    left = int(re.search(r"there are (\d+)", problems_told(capsys)[0])[1])
    assert 135 <= left < 145
    assert main(["corpus=table", f"corpus.path={enough}", f"sampling.batch_size={left}"]) == 0
    assert main(["corpus=table", f"corpus.path={enough}", f"sampling.batch_size={left + 1}"]) == 2
    capsys.readouterr()
    assert main(["corpus=table", f"corpus.path={pairs}", "sampling.batch_size=4"]) == 2
    assert problems_told(capsys) == [
        *(small(code, 4, 1) for code in ("de", "fr")),
        "corpus: an X-Y batch needs 4 items, there are 1 to train on; lower sampling.batch_size or leave the language "
        "out of sampling.languages",
    ]


def csv(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(["id,language,question,passage", *rows]), encoding="utf-8")
    return path


def part(name: str, path: Path) -> list[str]:
    return [f"+corpus@corpus.parts.{name}=table", f"corpus.parts.{name}.path={path}"]


def test_a_part_of_a_mixture_need_not_have_every_language(enough, tmp_path, capsys):
    """For every language on its own, a part without it was called a problem, which no run refuses."""
    english = csv(tmp_path / "english.csv", [f"{n},en,Who is {n}?,Person {n}." for n in range(150)])
    typed = ["corpus=mixture", *part("a", english), *part("b", enough), "sampling.batch_size=16"]
    assert main(["experiment=demo", *typed]) == 0
    assert "No problems." in capsys.readouterr().out
    assert main(["experiment=demo", *typed, "sampling.batch_size=200"]) == 2
    assert len(problems_told(capsys)) == 1
    assert main(typed) == 0
    assert "was not checked: that depends on the strategy; name it with sampling=" in capsys.readouterr().out


def test_the_validation_corpus_of_a_run_is_looked_at(enough, tmp_path, capsys):
    """It was never read, and "No problems." was printed of data that a run refuses."""
    typed = ["experiment=demo", "corpus=table", f"corpus.path={enough}", "sampling.batch_size=32"]
    same = csv(
        tmp_path / "same.csv", [f"v{n},{code},Why {n} {code},It is." for n in range(60) for code in ("en", "de")]
    )
    typed += ["corpus@validation=table", f"validation.path={same}"]
    assert main(typed) == 2
    (problem,) = problems_told(capsys)
    assert problem.startswith(
        "validation: 120 of the 120 queries of the validation corpus table are in the corpus table"
    )
    assert main([*typed, "train_on_test=true"]) == 0
    capsys.readouterr()
    alone = csv(tmp_path / "alone.csv", ["v1,en,Alpha?,Beta."])
    assert main([*typed, f"validation.path={alone}"]) == 2
    (problem,) = problems_told(capsys)
    assert "validation" in problem
    assert main([*typed, "validation.path=nowhere.csv"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err


def test_what_is_not_trained_on_is_not_in_the_way(enough, tmp_path, capsys):
    """German evaluation queries in a corpus of which only the English half, or hardly any German, is trained on."""
    asked = [f"q{n},de,{f'Why {n} de' if n < 10 else f'Where is {n}'}?,There {n}." for n in range(100)]
    typed = ["experiment=demo", "corpus=table", f"corpus.path={enough}", "sampling.batch_size=16", "near=false"]
    typed += ["benchmarks=table", "benchmarks.table.layout=pairs"]
    typed += [f"benchmarks.table.path={csv(tmp_path / 'asked.csv', asked)}"]
    assert main(typed) == 2
    assert problems_told(capsys)[0].startswith("table: 10 of its 100 queries are in the corpus, apart from")
    assert main([*typed, "train_on_test=true"]) == 0
    assert "train_on_test=true accepts that" in capsys.readouterr().out
    assert main([*typed, "sampling=english", "sampling.languages=[EN]"]) == 0
    assert main([*typed[1:], "sampling.languages=[EN]", "sampling.alpha=1"]) == 0
    few = [*typed, "language_fraction={de: 0.2}", "sampling=english", "sampling.name=german"]
    assert main([*few, "sampling.languages=[de]", "sampling.batch_size=8"]) == 2
    told = capsys.readouterr().out
    assert "queries are in the corpus" in told
    assert "table: 10 of its" not in told  # of the 30 German items that are left


def test_rows_that_were_left_out_are_told(tmp_path, capsys):
    rows = [f"{n},en,{f'Why {n}?' if n < 140 else ''},Because {n}." for n in range(150)]
    typed = ["corpus=table", f"corpus.path={csv(tmp_path / 'bad.csv', rows)}", "corpus.on_bad_row=skip"]
    typed.append("sampling.batch_size=100")
    assert main([*typed, f"json={tmp_path}/a.json"]) == 0
    note = "corpus: 10 rows are left out, because of on_bad_row=skip"
    assert note in capsys.readouterr().out
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert found["corpus"]["skipped_rows"] == 10
    assert note in found["notes"]


def test_copies_of_items_may_fill_a_batch(enough, tmp_path, capsys):
    """Of a run that trains on four copies of each item it was said that they are too few."""
    (tmp_path / "en-de.txt").write_text("why warum\n", encoding="utf-8")
    typed = ["experiment=demo", "corpus=table", f"corpus.path={enough}", "sampling.batch_size=256"]
    assert main(typed) == 2
    capsys.readouterr()
    assert main([*typed, "transform=code_switching", f"transform.dictionaries={tmp_path}", "transform.copies=4"]) == 0
    assert "was not checked: transform.copies=4 adds items" in capsys.readouterr().out


def test_the_batches_of_a_chosen_strategy(pairs, capsys):
    typed = ["corpus=table", f"corpus.path={pairs}", "sampling.batch_size=2"]
    assert main([*typed, "sampling=x_x"]) == 2
    assert problems_told(capsys) == [small(code, 2, 1) for code in ("de", "fr")]
    assert main([*typed, "sampling=x_x", "sampling.languages=[EN]"]) == 0
    assert main([*typed, "sampling=x_y"]) == 2
    assert len(problems_told(capsys)) == 1
    assert main([*typed, "sampling=x_x", "sampling.languages=[en,xx]"]) == 2
    assert "sampling.languages: the corpus 'table' has no xx; it has: en, de, fr" in problems_told(capsys)
    assert main([*typed, "sampling.alpha=2"]) == 2
    assert capsys.readouterr().err.endswith("  - sampling.alpha: 2 is not between 0 and 1\n")


def test_options_of_a_folder_of_the_users(enough, tmp_path, capsys):
    (tmp_path / "mine" / "corpus").mkdir(parents=True)
    (tmp_path / "mine" / "corpus" / "own.yaml").write_text(f"defaults: [table]\npath: {enough}\n")
    assert main(["--config-dir", str(tmp_path / "mine"), "corpus=own"]) == 0
    assert capsys.readouterr().out.startswith("corpus table\n┏")
    assert main(["--config-dir", str(tmp_path / "nowhere"), "corpus=own"]) == 2
    assert f"--config-dir: there is no folder '{tmp_path}/nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "corpus: nothing to describe; set corpus=, benchmarks=, experiment=, or several"),
        (["corpus=tabel"], "corpus: no option 'tabel', did you mean 'table'? (there are: "),
        (
            ["encoder=tiny", "benchmarks=world_facts"],
            "encoder: a new encoder takes its tokenizer from a corpus; choose",
        ),
        (["corpus=world_facts", "encoder=bm25"], "encoder: BM25 truncates no texts; choose another"),
        (["corpus=world_facts", "sample=0"], "sample: 0 is not at least 1"),
        (["corpus=world_facts", "jsn=x"], "jsn: no such key, did you mean 'json'?"),
        (
            ["corpus=world_facts", "corpus.languages=[xx]"],
            "\n  - corpus.languages: world_facts has no xx; its languages are ar, de",
        ),
        (["corpus=table", "corpus.path=."], "babelbatch: .: no table in this folder; the names of tables end in "),
    ],
)
def test_what_is_refused(typed, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(typed) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_remedies_name_keys_that_can_be_typed(pairs, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    typed = ["corpus=mixture", "+corpus@corpus.parts.mine=table", f"corpus.parts.mine.path={pairs}"]
    assert main([*typed, "+corpus.parts.mine.columns.question=gone"]) == 2
    assert "; name the right one in corpus.parts.mine.columns, such as " in capsys.readouterr().err
    assert main(["benchmarks=[xquad_r]", f"benchmarks.xquad_r.data_dir={empty}"]) == 2
    assert capsys.readouterr().err == (
        f"babelbatch: {empty}: no <language>.json file there; set benchmarks.xquad_r.data_dir to a folder of LAReQA "
        "files\n"
    )
    assert main(["corpus=world_facts", "corpus.languages=[en,en]"]) == 2
    assert capsys.readouterr().err == (
        "babelbatch: the configuration cannot be run:\n"
        "  - corpus.languages must name at least one of ar, de, el, en, es, hi, ru, th, tr, vi, zh, each once, "
        "not ['en', 'en']\n"
    )


def test_a_cache_that_cannot_be_written(pairs, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BABELBATCH_CACHE", str(pairs))
    assert main(["corpus=table", f"corpus.path={pairs}"]) == 2
    assert capsys.readouterr().err.startswith(f"babelbatch: {pairs}/corpora: cannot be written (Not a directory); ")


@pytest.mark.parametrize("key", ["json", "markdown"])
@pytest.mark.parametrize(("place", "reason"), [("file/found", "File exists"), ("folder", "Is a directory")])
def test_what_cannot_be_written_is_told_before_the_work(tmp_path, capsys, key, place, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert main(["corpus=world_facts", f"{key}={tmp_path / place}"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"  - {key}: {tmp_path / place} cannot be written ({reason}); name another file\n")


def test_a_disk_that_fills_up_meanwhile(pairs, tmp_path, monkeypatch, capsys):
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("babelbatch.describe.command.write_atomically", full)
    assert main(["corpus=table", f"corpus.path={pairs}", f"json={tmp_path}/a.json"]) == 2
    assert "a.json cannot be written (No space left on device); " in capsys.readouterr().err


def test_help_names_what_there_is(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert re.search(r"corpus=<[\w|]*\btable\b[\w|]*>, corpus\.<key>=", out)
    assert re.search(r"benchmarks=\[<[\w|]*\bxquad_r\b[\w|]*>\]", out)


def test_nothing_heavy_is_imported(tmp_path, enough):
    code = (
        "import sys; from babelbatch.describe import main; assert main(sys.argv[1:]) == 0; "
        "print({'torch', 'transformers', 'datasets', 'pytorch_lightning'} & set(sys.modules))"
    )
    assert python(code, "corpus=table", f"corpus.path={enough}").stdout.splitlines()[-1] == "set()"


@pytest.mark.slow
def test_as_typed(tmp_path, shared_data):
    """A corpus against the benchmark that it was made of: tables, the reason, and exit code 2."""
    done = run_forked(
        "babelbatch-data", "corpus=lareqa", f"corpus.data_dir={shared_data}/mlqa-r", "corpus.languages=[en,de]",
        "benchmarks=mlqa_r", f"benchmarks.mlqa_r.data_dir={shared_data}/mlqa-r", "encoder=static",
        "encoder.passage_length=24", "sample=200", "near=false", cwd=tmp_path, code=2,
    )  # fmt: skip
    assert "\n│ mlqa_r    │   4,199 │     1,660 │               - │\n" in done.stdout
    assert "\nProblems:\n  - mlqa_r: 1,660 of its 4,199 queries are in the corpus, apart from" in done.stdout
    assert re.search(r"encoder truncates passages: \d\d\xa0% in en, \d\d\xa0% in de; raise enc", done.stdout)
    lines = done.stderr.splitlines()
    assert lines[0] == "babelbatch: checking the configuration"
    assert all(line.startswith("babelbatch: ") for line in lines)  # no warning; and on a slow machine how far it is
    assert list(tmp_path.iterdir()) == []  # no folder of a run is left behind


def test_the_data_of_an_experiment(tmp_path):
    typed = ["corpus.languages=[en,de]", "benchmarks.world_facts.languages=[de]", "sampling=x_x", "seed=3"]
    into = f"json={tmp_path / 'data.json'}"
    run_forked("babelbatch-data", "experiment=demo", *typed, "near=false", into, cwd=tmp_path)
    found = json.loads((tmp_path / "data.json").read_text(encoding="utf-8"))
    assert list(found["corpus"]["languages"]) == ["en", "de"]
    assert list(found["benchmarks"]) == ["world_facts"]
    assert list(found["benchmarks"]["world_facts"]["languages"]) == ["de"]


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (["experiment=dmo"], "experiment: no option 'dmo', did you mean 'demo'? (there are: demo, "),
        (["experiment=demo", "near=maybe"], "near: Value 'maybe' is not a valid bool"),
        (["experiment=demo", "corpus.langages=[en]"], "corpus.langages: load_corpus takes no such argument, did you"),
    ],
)
def test_problems_of_an_experiment(tmp_path, typed, problem):
    done = run_forked("babelbatch-data", *typed, cwd=tmp_path, code=2)
    assert f"\n  - {problem}" in done.stderr
    assert "Traceback" not in done.stderr
