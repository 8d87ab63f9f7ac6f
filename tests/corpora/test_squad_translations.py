"""SQuAD and its translations as training corpora."""

from __future__ import annotations

import json
import logging
import re

import pytest

from babelbatch.corpora import squad
from babelbatch.corpora.squad import LANGUAGES, load_corpus
from babelbatch.records import ABSENT, Corpus
from babelbatch.sources.sentences import sentences
from corruptions import cut_bytes, emptied
from small_files import question, squad_row, write_parquet, write_squad, write_xtreme


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BABELBATCH_CACHE", str(tmp_path / "cache"))


def text(corpus: Corpus, kind: str, item: str, language: str) -> str | None:
    rows = {"question": corpus.queries, "passage": corpus.passages}[kind]
    row = rows[list(corpus.ids).index(item), corpus.languages.index(language)]
    return None if row == ABSENT else {"question": corpus.query_texts, "passage": corpus.passage_texts}[kind][row]


def test_translations_of_mlqa(tmp_path, caplog):
    write_squad(tmp_path, 4)
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus("mlqa", str(tmp_path))
    assert (corpus.name, corpus.languages) == ("mlqa_translate_train", LANGUAGES["mlqa"])
    assert list(corpus.ids) == ["q0", "q1", "q2", "q3"]
    assert len(caplog.messages) == 7
    assert caplog.messages[2] == "mlqa_translate_train, 'de': questions: 3 instead of 80,069, as published"
    for item in range(4):
        for language in corpus.languages:
            there = (item, language) != (1, "de")
            expected = (question(item, language), squad_row(item, language)["context"]) if there else (None, None)
            assert tuple(text(corpus, kind, f"q{item}", language) for kind in ("question", "passage")) == expected
    assert (
        corpus.passage_keys[0] == corpus.passage_keys[1] != corpus.passage_keys[2] == corpus.passage_keys[3]
    )  # two questions a paragraph


def test_translations_of_xtreme_by_sentence(tmp_path):
    write_squad(tmp_path, 4, [])
    write_xtreme(tmp_path, 4, ["de", "ru", "zh"])
    corpus = load_corpus("xtreme", str(tmp_path), ["zh", "en", "de"], passage="sentence")
    assert corpus.languages == ("zh", "en", "de")
    assert text(corpus, "passage", "q1", "de") == "De says two of paragraph 0."
    assert text(corpus, "passage", "q2", "zh") == "Zh says one of paragraph 1。"
    assert len(set(corpus.passage_keys.tolist())) == 4  # each sentence answers one question


def test_sentences_of_another_version_are_not_taken(tmp_path, monkeypatch):
    built = []
    write_squad(tmp_path, 3, [])
    assembly = squad.Assembly
    monkeypatch.setattr(squad, "Assembly", lambda *given: built.append(given) or assembly(*given))
    for passage, times in (("context", 1), ("sentence", 2)):
        for version in ("sentencex 1", "sentencex 2"):
            monkeypatch.setattr(squad, "VERSION", version)
            load_corpus("none", str(tmp_path), passage=passage)
        assert len(built) == times
        built.clear()


def test_english_alone(tmp_path):
    corpus = load_corpus("none", str(write_squad(tmp_path, 3, [])))
    assert (corpus.name, corpus.languages, len(corpus)) == ("squad", ("en",), 3)


def test_answers_that_are_not_where_they_should_be(tmp_path, caplog):
    rows = [squad_row(item, "en") for item in range(5)]
    rows[1]["answers"] = {"text": ["two"], "answer_start": [0]}  # said once, elsewhere
    rows[2]["answers"] = {"text": ["says"], "answer_start": [0]}  # said twice
    rows[3]["answers"] = {"text": ["three"], "answer_start": [3]}  # not said
    rows[4]["answers"] = {"text": [], "answer_start": []}
    write_parquet(tmp_path / "plain_text" / "train-00000-of-00001.parquet", rows)
    with caplog.at_level(logging.INFO):
        corpus = load_corpus("none", str(tmp_path), passage="sentence")
    assert list(corpus.passage_texts) == ["En says one of paragraph 0.", "En says two of paragraph 0."]
    message = (
        "squad, 'en': 3 of 5 rows are skipped: 2 whose answer is in no sentence, or in several, 1 without an answer"
    )
    assert message in caplog.messages
    assert len(load_corpus("none", str(tmp_path))) == 4  # a paragraph does not ask where


@pytest.mark.parametrize("translations", ["mlqa", "xtreme"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "there is no such file; put "),
        ("empty", "(Parquet file size is 0 bytes|: the file is empty; copy or download it again)"),
        ("cut", "(damaged Parquet file|after element 0: not valid JSON|after element 1: not valid JSON)"),
        ("no context", "(row 2: 'context' is null|element 1: a paragraph has no 'context')"),
        ("blank question", r"(row 2|entry 2): 'question' is empty; 1 of 4 rows have this fault, too many"),
        ("no id", r"(row 2: 'id' is null|entry 2: no 'id')"),
        ("twice", r"(row 2|entry 2): a second query in 'de' under its id; .*de.*(row|entry) 1 has the first"),
        ("start", r"(row 2|entry 2): 'answer_start' is null, not a whole number"),
    ],
)
def test_corruptions(tmp_path, translations, fault, message):
    write_squad(tmp_path, 4, [])
    rows = [squad_row(item, "de") for item in range(4)]
    if fault == "no context":
        rows[1]["context"] = None
    elif fault == "blank question":
        rows[1]["question"] = " "
    elif fault == "no id":
        rows[1]["id"] = None
    elif fault == "twice":
        rows[1]["id"] = "q0"
    elif fault == "start":
        rows[1]["answers"]["answer_start"] = [None]
    if translations == "mlqa":
        path = write_parquet(tmp_path / "mlqa-translate-train.de" / "train-00000-of-00001.parquet", rows)
    else:
        path = tmp_path / "squad.translate.train.en-de.json"
        path.write_text(json.dumps({"data": [{"paragraphs": [_paragraph(row) for row in rows]}]}))
    if fault == "missing":
        path.unlink()
    elif fault == "empty":
        emptied(path)
    elif fault == "cut":
        cut_bytes(path)
    with pytest.raises(ValueError, match=re.escape(str(path.parent)) + ".*" + message):
        load_corpus(translations, str(tmp_path), ["en", "de"])


def _paragraph(row: dict) -> dict:
    """A nested paragraph of one question; what is None is left out."""
    starts = row["answers"]["answer_start"]
    answers = [
        {"text": text, "answer_start": start} for text, start in zip(row["answers"]["text"], starts, strict=True)
    ]
    asked = {"id": row["id"], "question": row["question"], "answers": answers}
    paragraph = {"context": row["context"], "qas": [{key: value for key, value in asked.items() if value is not None}]}
    return {key: value for key, value in paragraph.items() if value is not None}


def test_a_language_that_was_not_translated_into(tmp_path):
    with pytest.raises(ValueError, match="mlqa_translate_train has no th; its languages are en, ar, de, es, hi, vi"):
        load_corpus("mlqa", str(tmp_path), ["en", "th"])


def test_sentences_have_no_space_around_them():
    text = "  Dr. Smith left.  He was 3.5 km away! \n\nNobody 😀 asked. "
    assert [text[start:end] for start, end in sentences(text, "en")] == [
        "Dr. Smith left.",
        "He was 3.5 km away!",
        "Nobody 😀 asked.",
    ]
    assert sentences(" \n", "en") == []


@pytest.mark.parametrize(("language", "same"), [("en", 0.95), ("ar", 0.95), ("zh", 0.94), ("hi", 0.94), ("de", 0.93)])
def test_sentences_are_those_of_lareqa(shared_data, language, same):
    """The sentence in which an answer starts, against the sentences that LAReQA published for XQuAD-R."""
    equal = total = 0
    for article in json.loads((shared_data / "xquad-r" / f"{language}.json").read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            spans = sentences(context, language)
            for asked in paragraph["qas"]:
                start = asked["answers"][0]["answer_start"]
                published = next(
                    sentence
                    for sentence, (begin, end) in zip(paragraph["sentences"], paragraph["sentence_breaks"], strict=True)
                    if begin <= start < end
                )
                ours = next(context[begin:end] for begin, end in spans if start < end)
                equal += ours == published.strip()
                total += 1
    assert total == 1190
    assert equal / total > same, equal / total


@pytest.mark.parametrize("translations", ["mlqa", "xtreme"])
def test_bad_questions_are_listed_or_left_out(tmp_path, translations):
    """Of files that are whole. Blank ones, too, where rows are to be left out, however many they are."""
    write_squad(tmp_path, 6, [])
    rows = [squad_row(item, "de") for item in range(6)]
    rows[0]["id"] = None
    rows[1]["answers"]["answer_start"] = [None]
    rows[4]["id"] = "q3"
    if translations == "mlqa":
        unit, reason = "row", "'id' is null, not a text"
        path = write_parquet(tmp_path / "mlqa-translate-train.de" / "train-00000-of-00001.parquet", rows)
        of_file = []
    else:
        unit, reason = "entry", "no 'id'; there are: question, answers"
        path = tmp_path / "squad.translate.train.en-de.json"
        articles = [{"paragraphs": [_paragraph(row) for row in rows]}, "no article", {"paragraphs": [{"qas": []}]}]
        path.write_text(json.dumps({"data": articles}))
        of_file = [
            f"{path}, element 2: no article is not an object",
            f"{path}, element 3: a paragraph has no 'context'; there are: qas",
        ]
    noted = [f"{path}, {unit} 1: {reason}", f"{path}, {unit} 2: 'answer_start' is null, not a whole number", *of_file]
    with pytest.raises(ValueError, match=rf"^{len(noted)} rows cannot be used") as error:
        load_corpus(translations, str(tmp_path), ["en", "de"])
    assert str(error.value).splitlines()[1:] == [f"  {line}" for line in noted]
    twice = (
        f"{path}, {unit} 5: a second query in 'de' under its id; {path}, {unit} 4 has the first; give each its own id"
    )
    corpus = load_corpus(translations, str(tmp_path), ["en", "de"], on_bad_row="skip")
    assert list(corpus.skipped_rows.first) == [*noted, twice]
    assert [text(corpus, "question", f"q{item}", "de") for item in range(6)] == [
        None, None, question(2, "de"), question(3, "de"), None, question(5, "de"),
    ]  # fmt: skip


def test_blank_questions_are_left_out_and_listed(tmp_path, caplog):
    write_squad(tmp_path, 4, [])
    rows = [squad_row(item, "en") for item in range(4)]
    rows[1]["question"] = rows[2]["context"] = " "
    path = write_parquet(tmp_path / "plain_text" / "train-00000-of-00001.parquet", rows)
    corpus = load_corpus("none", str(tmp_path), on_bad_row="skip")
    noted = (f"{path}, row 2: 'question' is empty", f"{path}, row 3: 'context' is empty")
    assert (list(corpus.ids), corpus.skipped_rows.first) == (["q0", "q3"], noted)
    assert "\n  ".join(["corpus squad: 2 rows are left out (on_bad_row=skip):", *noted]) in caplog.messages
