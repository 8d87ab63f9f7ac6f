"""Code-switched texts: by hand, as a pure function of seed and text, and trained on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babelbatch.batches.code_switching import CodeSwitching, read_dictionary
from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.batches.negatives import Mined, with_negatives
from babelbatch.corpora.mixture import load_corpus as load_mixture
from babelbatch.corpora.world_facts import load_corpus
from babelbatch.encoder import tiny
from babelbatch.records import ABSENT, Corpus
from babelbatch.sampling import Sampling
from babelbatch.tokens import tokenizing
from commands import SMALL, metrics, run_forked
from configurations import problems


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """As MUSE publishes them: some with a tab, some with a space, and with parts of them beside."""
    place = tmp_path / "muse"
    place.mkdir()
    (place / "en-de.txt").write_text("the\tder\nthe\tdie\nriver\tfluss\nflows\tfließt\ndon't\tnicht\nof\tvon\n")
    (place / "en-es.txt").write_text("river río\nriver río\nflows fluye\npassage pasaje\n")
    (place / "en-de.0-5000.txt").write_text("the\tfalsch\n")
    (place / "de-en.txt").write_text("fluss river\n")
    return place


def all_of(transform: CodeSwitching) -> list[dict]:
    return [read_dictionary(path) for path in transform.files.values()]


def test_words_are_replaced_and_all_else_stays(folder):
    transform = CodeSwitching(str(folder), targets=["es"], probability=1.0)
    text = 'The River’s name?\n"River" flows, flowsx o\'river river-flows 3river.'
    expected = 'The río’s name?\n"río" fluye, flowsx o\'river río-fluye 3río.'
    assert transform.switched(text, all_of(transform)) == (expected, 6, 10)


def test_every_translation_comes(folder):
    transform = CodeSwitching(str(folder), targets=["de"], probability=1.0)
    assert read_dictionary(folder / "en-de.txt")["the"] == ("der", "die")
    assert read_dictionary(folder / "en-es.txt")["river"] == ("río",)
    found = {transform.switched(f"{number} The don't", all_of(transform))[0].split(" ", 1)[1] for number in range(50)}
    assert found == {"der nicht", "die nicht"}


def test_nothing_and_everything(folder):
    text = "the river flows"
    never, always = (CodeSwitching(str(folder), probability=p, targets=["de"]) for p in (0.0, 1.0))
    assert never.switched(text, all_of(never)) == (text, 0, 3)
    assert always.switched(text, all_of(always))[1] == 3


def test_how_often(folder):
    """p times the chance that the drawn language has the word: ML-CS draws a language for each word."""
    for mix in ("words", "texts"):
        transform = CodeSwitching(str(folder), probability=0.25, mix=mix)
        counts = np.zeros(3)
        for number in range(4_000):
            words = transform.switched(f"{number} the river unknown", all_of(transform))[0].split()
            counts += [words[1] != "the", words[2] != "river", words[3] != "unknown"]
        assert counts / 4_000 == pytest.approx([0.125, 0.25, 0], abs=0.025)


def test_one_language_a_text_or_one_a_word(folder):
    languages = {"words": set(), "texts": set()}
    for mix, found in languages.items():
        transform = CodeSwitching(str(folder), probability=1.0, mix=mix)
        for number in range(60):
            found.add(transform.switched(f"{number} river flows", all_of(transform))[0].split(" ", 1)[1])
    assert languages["texts"] == {"fluss fließt", "río fluye"}
    assert languages["words"] == {"fluss fließt", "río fluye", "fluss fluye", "río fließt"}


def test_a_pure_function_that_grows_with_the_probability(folder):
    text = " ".join(["the river flows of don't"] * 40)
    before: list[str] = text.split()
    for probability in (0.1, 0.3, 0.5, 0.9, 1.0):
        transform = CodeSwitching(str(folder), probability=probability, seed=5)
        switched = transform.switched(text, all_of(transform))[0]
        assert switched == transform.switched(text, all_of(transform))[0]
        for start, old, new in zip(text.split(), before, switched.split(), strict=True):
            assert old in (start, new)
        before = switched.split()
    versions = {transform.switched(text, all_of(transform), copy)[0] for copy in range(3)}
    other = replace(transform, seed=6)
    assert len(versions | {other.switched(text, all_of(other))[0]}) == 4


def texts(corpus: Corpus, table: str, of: str, language: str) -> list:
    rows = getattr(corpus, table)[:, corpus.languages.index(language)]
    return [None if row == ABSENT else getattr(corpus, of)[row] for row in rows.ravel()]


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("chosen", ["both", "queries", "passages"])
def test_a_corpus(make_corpus, folder, copies, chosen):
    """Against the same texts switched one by one; other languages, ids, keys and what is absent stay."""
    (folder / "en-zh.txt").write_text("question 问题\npassage 段落\nwrong 错\n")
    corpus = make_corpus(
        5, no_query=[(1, "en")], no_passage=[(2, "en"), (3, "de")], passage_keys=[7, 7, 8, 9, 9], negatives=2
    )
    transform = CodeSwitching(str(folder), probability=0.8, copies=copies, texts=chosen, targets=["zh", "es"])
    found = transform(corpus)
    assert (found.name, found.languages, len(found)) == (corpus.name, corpus.languages, 5 * copies)
    assert list(found.ids) == [id_ for id_ in corpus.ids for _ in range(copies)]
    assert found.passage_keys.tolist() == np.repeat(corpus.passage_keys, copies).tolist()
    assert found.negative_keys.tolist() == np.repeat(corpus.negative_keys, copies, axis=0).tolist()
    changed = 0
    for table, of, role in (
        ("queries", "query_texts", "queries"),
        ("passages", "passage_texts", "passages"),
        ("negatives", "passage_texts", "passages"),
    ):
        slots = 2 if table == "negatives" else 1
        for language in corpus.languages:
            expected = []
            before = texts(corpus, table, of, language)
            for item in range(5):
                for copy in range(copies):
                    for text in before[item * slots : (item + 1) * slots]:
                        switch = language == "en" and chosen in ("both", role) and text is not None
                        expected.append(transform.switched(text, all_of(transform), copy)[0] if switch else text)
            assert texts(found, table, of, language) == expected
            changed += sum(bool(text and re.search("[一-龥]|pasaje", text)) for text in expected)
    assert changed
    assert len(set(found.query_texts)) <= len(found.query_texts) <= 15 * copies


@pytest.mark.parametrize("copies", [1, 2])
def test_a_hard_negative_of_another_language_is_not_switched(make_corpus, folder, copies, caplog):
    """As `mining.languages=any` finds them: item 0 has the German, the English and the Chinese passage of item 1. A
    text that is a passage in both languages is English where it stands for English."""
    (folder / "en-zh.txt").write_text("question 问题\npassage 段落\nwrong 错\n")
    corpus = make_corpus(3, negatives=1)
    corpus.passages[2, 0] = corpus.passages[2, 1]
    rows = np.array([*corpus.passages[1], corpus.passages[2, 1]], np.int32)
    found = np.zeros(4, np.float32)
    mined = Mined(np.zeros(4, np.int64), np.ones(4, np.int64), rows, np.arange(1, 5, dtype=np.int32), found, found)
    joined = with_negatives(corpus, mined, np.zeros(3, bool))
    with caplog.at_level("INFO"):
        switched = CodeSwitching(str(folder), probability=1.0, targets=["zh"], copies=copies)(joined)
    expected = [None, "passage 1 de", "段落 1 en", "passage 1 zh", "段落 2 en"]
    before = texts(joined, "negatives", "passage_texts", "en")[:5]
    assert before == [None, "passage 1 de", "passage 1 en", "passage 1 zh", "passage 2 en"]
    assert texts(switched, "negatives", "passage_texts", "en")[: 5 * copies] == expected * copies
    assert texts(switched, "passages", "passage_texts", "de")[2 * copies] == "passage 2 en"
    words = 2 * 3 * copies + 2 * 3 * copies + 3 * copies  # of queries, passages and the own negative of item 1
    assert f"of the {words} words of the 'en' texts are now in zh" in caplog.text


def test_the_parts_of_a_mixture_stay_parts(make_corpus, folder):
    """The versions of an item are in its part."""
    first, second = make_corpus(4), replace(make_corpus(6), name="other")
    mixed = load_mixture({"one": first, "two": second})
    switched = CodeSwitching(str(folder), copies=3)(mixed)
    assert switched.mixture.spans(len(switched)) == [("one", 0, 12), ("two", 12, 30)]
    assert list(switched.ids) == [id_ for id_ in mixed.ids for _ in range(3)]


def test_it_is_made_once_and_again_if_anything_changes(make_corpus, folder, caplog):
    corpus = make_corpus(6)
    with caplog.at_level("INFO"):
        first = CodeSwitching(str(folder))(corpus)
        again = CodeSwitching(str(folder))(corpus)
        assert caplog.text.count("of the 24 words of the 'en' texts are now in de, es") == 1
        assert first.fingerprint == again.fingerprint
        (folder / "en-es.txt").write_text("passage trozo\n")
        other = CodeSwitching(str(folder), probability=1.0)(corpus)
        assert caplog.text.count(" words of the 'en' texts") == 2
    assert any("trozo" in text for text in other.passage_texts)


def test_tokens_are_made_once(make_corpus, folder, monkeypatch):
    corpus = make_corpus(40)
    encoder = tiny(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)
    calls = []
    real = tokenizing._encode_chunks
    monkeypatch.setattr(tokenizing, "_encode_chunks", lambda *args: calls.append(1) or real(*args))
    english = Sampling("x_x", 1.0, 8, languages=["en"])
    for _ in range(2):
        data = PairData(TrainingInputs(corpus, english, encoder, 0, 4, transform=CodeSwitching(str(folder))))
        batches = [batch.chunks[0].input_ids.tolist() for batch in data.train_dataloader()]
    assert len(calls) == 4  # queries and passages, as they are for the validation loss, and switched
    assert len(batches) == 4


def test_what_is_trained_on_and_what_is_validated_on(make_corpus, folder):
    """Training sees the switched texts of items that are not held out, each `copies` times an epoch; the validation
    batches are those without a transform."""
    (folder / "en-de.txt").write_text("question frage\n")
    corpus = make_corpus(60)
    encoder = tiny(corpus.query_texts + corpus.passage_texts, vocab_size=300, hidden_size=8)
    sampling = Sampling("english", 1.0, 8, languages=["en"])
    transform = CodeSwitching(str(folder), targets=["de"], probability=1.0, texts="queries", copies=2)
    plain = PairData(TrainingInputs(corpus, sampling, encoder, 0, 30), validation_fraction=0.3)
    data = PairData(TrainingInputs(corpus, sampling, encoder, 0, 30, transform=transform), validation_fraction=0.3)
    for ours, theirs in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert ours.plan.items.tolist() == theirs.plan.items.tolist()
        assert all((a.input_ids == b.input_ids).all() for a, b in zip(ours.chunks, theirs.chunks, strict=True))
    held_out = {key for batch in plain.val_dataloader() for key in batch.positive_keys.tolist()}
    switched = transform(corpus)
    seen = []
    for batch in data.train_dataloader():
        asked = [switched.query_texts[row] for row in switched.queries[batch.plan.items, 1]]
        assert all(text.startswith("frage ") for text in asked)
        seen += batch.plan.items.tolist()
    assert not {int(switched.passage_keys[item]) for item in seen} & held_out
    epoch = 2 * (60 - len(set(corpus.passage_keys.tolist()) & held_out)) // 8 * 8
    assert len(set(seen[:epoch])) == epoch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dictionaries": "nowhere"}, "transform.dictionaries: there is no folder 'nowhere'"),
        ({"targets": ["fr"]}, "en-fr.txt; there are: de, es"),
        ({"source": "fr"}, "transform.dictionaries: no fr-<language>.txt in "),
    ],
)
def test_dictionaries_that_are_not_there(folder, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CodeSwitching(**{"dictionaries": str(folder), **options}).files  # noqa: B018


def test_a_corpus_without_the_source_language(make_corpus, folder):
    with pytest.raises(
        ValueError, match=re.escape("transform.source: the corpus hand-made has no 'en'; it has: de, zh")
    ):
        CodeSwitching(str(folder))(make_corpus(3, ("de", "zh")))


@pytest.mark.parametrize("line", ["alone", "a b c", "\tb", "a\tb\tc"])
def test_a_bad_line_of_a_dictionary(tmp_path, line):
    path = tmp_path / "en-de.txt"
    path.write_text(f"the\tder\n{line}\n")
    with pytest.raises(
        ValueError, match=re.escape(f"{path}, line 2: '{line}' is not a word and its translation, with")
    ):
        read_dictionary(path)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            [],
            "transform.dictionaries: missing; set it to a folder of dictionaries, en-de.txt and so on "
            "(docs/data/code_switching.md)",
        ),
        (["transform.dictionaries=nowhere"], "transform.dictionaries: there is no folder 'nowhere'"),
        (["transform.dictionaries=.", "transform.probability=2"], "transform.probability: 2 is not between 0 and 1"),
        (["transform.dictionaries=.", "transform.copies=0"], "transform.copies: 0 is not at least 1"),
        (["transform.dictionaries=.", "transform.mix=word"], "transform.mix: 'word' is not one of 'words', 'texts'"),
    ],
)
def test_what_is_wrong_is_known_before_anything_is_read(overrides, problem):
    assert problem in problems("transform=code_switching", *overrides)


@pytest.mark.parametrize(("texts", "of"), [("both", "texts"), ("queries", "queries"), ("passages", "passages")])
def test_the_log_names_the_texts_whose_words_it_counts(make_corpus, folder, caplog, texts, of):
    with caplog.at_level("INFO"):
        CodeSwitching(str(folder), texts=texts)(make_corpus(6))
    words = 24 if texts == "both" else 12
    assert f"of the {words} words of the 'en' {of} are now in de, es" in caplog.text


@pytest.mark.slow
def test_the_rival_of_x_y(tmp_path):
    """English batches with code-switching, as typed."""
    (tmp_path / "muse").mkdir()
    for target, words in (("de", "what was\nof von\ncountry land\n"), ("zh", "what 什么\ncapital 首都\n")):
        (tmp_path / "muse" / f"en-{target}.txt").write_text(words)
    typed = [*SMALL, "logger=none", "trainer.max_steps=2", "trainer.val_check_interval=2", "output_dir=out"]
    typed += ["sampling=english", "transform=code_switching", "transform.dictionaries=muse"]
    done = run_forked("babelbatch-train", *typed, cwd=tmp_path)
    share = r"code-switching: [1-9][\d.]*% of the [\d,]+ words of the 'en' texts are now in de, zh"
    assert re.search(share, done.stdout + done.stderr)
    found = metrics(tmp_path / "out")
    assert found["fingerprint/corpus"] == load_corpus(["en", "de", "zh"]).fingerprint
    assert re.fullmatch("[0-9a-f]{16}", found["fingerprint/dictionaries"])
