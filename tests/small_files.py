"""Small files of the exact form in which data sets are published, for the tests of what reads them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

STOPS = {"zh": "。", "hi": "।", "th": " "}


def write_parquet(path: Path, rows: Sequence[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def json_lines(*rows: Mapping) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def question(item: int, language: str) -> str:
    return f"{language}: question {item}?"


def squad_row(item: int, language: str) -> dict:
    """Two questions a paragraph; the first is answered in its first sentence, the second in the second."""
    stop = STOPS.get(language, ".")
    sentences = [f"{language.title()} says {number} of paragraph {item // 2}{stop}" for number in ("one", "two")]
    answer = ("one", "two")[item % 2]
    context = " ".join(sentences)
    return {
        "id": f"q{item}",
        "title": "a title",
        "context": context,
        "question": question(item, language),
        "answers": {"text": [answer], "answer_start": [context.index(answer)]},
    }


def write_squad(folder: Path, items: int, languages: Sequence[str] = ("ar", "de", "es", "hi", "vi", "zh")) -> Path:
    """SQuAD and MLQA's translations as on the hub; item 1 was not translated into German."""
    rows = [squad_row(item, "en") for item in range(items)]
    write_parquet(folder / "plain_text" / "train-00000-of-00001.parquet", rows)
    for language in languages:
        rows = [squad_row(item, language) for item in range(items) if (item, language) != (1, "de")]
        rows = [{key: row[key] for key in ("context", "question", "answers", "id")} for row in rows]
        write_parquet(folder / f"mlqa-translate-train.{language}" / "train-00000-of-00001.parquet", rows)
    return folder


def write_xtreme(folder: Path, items: int, languages: Sequence[str]) -> Path:
    """XTREME's translations of SQuAD: nested JSON, without line ends."""
    for language in languages:
        paragraphs = []
        for first in range(0, items, 2):
            rows = [squad_row(item, language) for item in range(first, min(first + 2, items))]
            qas = [
                {
                    "id": row["id"],
                    "question": row["question"],
                    "answers": [{"text": row["answers"]["text"][0], "answer_start": row["answers"]["answer_start"][0]}],
                }
                for row in rows
            ]
            paragraphs.append({"context": rows[0]["context"], "qas": qas})
        data = {"version": "1.1", "data": [{"title": "a title", "paragraphs": paragraphs}]}
        path = folder / f"squad.translate.train.en-{language}.json"
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return folder


MKQA_LANGUAGES = ["ar", "da", "de", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "km", "ko", "ms", "nl", "no", "pl"]
MKQA_LANGUAGES += ["pt", "ru", "sv", "th", "tr", "vi", "zh_cn", "zh_hk", "zh_tw"]


def mkqa_row(item: int, kind: str = "entity", text: str | None = "answer {} {}") -> dict:
    """Of an entity there are a name and aliases; what is not short has no text."""
    answers = {}
    for language in MKQA_LANGUAGES:
        answer = {"type": kind, "text": text and text.format(item, language)}
        if kind == "entity":
            answer |= {"entity": f"Q{item}", "aliases": [f"alias {item} {language}"]}
        answers[language] = [answer]
    return {
        "query": question(item, "en"),
        "queries": {language: question(item, language) for language in MKQA_LANGUAGES},
        "answers": answers,
        "example_id": 563260143484355911 - item,
    }


def write_mkqa(folder: Path, rows: Sequence[dict]) -> Path:
    path = folder / "mkqa.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()))
    return path


MINTAKA_LANGUAGES = ["ar", "de", "es", "fr", "hi", "it", "ja", "pt"]


def mintaka_row(item: int, names: Sequence[str] = ("Mount {}",), without: Sequence[str] = ()) -> dict:
    """names: of the answer's entities. without: languages in which Wikidata has no name of them."""
    labels = [
        {language: None if language in without else f"{name.format(item)} {language}" for language in MINTAKA_LANGUAGES}
        | {"en": f"{name.format(item)} en"}
        for name in names
    ]
    return {
        "id": f"{item:08x}",
        "question": question(item, "en"),
        "translations": {language: question(item, language) for language in MINTAKA_LANGUAGES},
        "questionEntity": [],
        "answer": {
            "answerType": "entity",
            "answer": [{"name": f"Q{place}", "label": label} for place, label in enumerate(labels)],
            "mention": "a mention",
        },
        "category": "geography",
        "complexityType": "ordinal",
    }


def write_mintaka(folder: Path, rows: Sequence[dict]) -> Path:
    path = folder / "mintaka_train.json"
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=4), encoding="utf-8")
    return path


def write_pairs(folder: Path, rows: Sequence[tuple[str, str]], columns: tuple[str, str], subset: str) -> Path:
    """Two files, the second with the last row."""
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    write_parquet(folder / subset / "train-00000-of-00002.parquet", named[:-1])
    write_parquet(folder / subset / "train-00001-of-00002.parquet", named[-1:])
    return folder


HELSINKI = "Strike in Helsinki\n\nIn  Helsinki, a union\nhas gone on strike. It is a Monday."
ARTICLE = {
    "context": {
        "document_title": "Strike", "document_url": "https://en.wikinews.org/wiki?curid=1", "document_id": "en-1",
        "language": "en", "text": HELSINKI,
        "sentence_spans": [{"start": 0, "end": 18}, {"start": 20, "end": 61}, {"start": 62, "end": 77}],
    },
    "mentions": [
        {"example_id": "m1", "mention_span": {"start": 24, "end": 32, "text": "Helsinki"}, "entity_id": "Q1757",
         "metadata": {"bin_name": "bin04_1000-inf"}},
        {"example_id": "m2", "mention_span": {"start": 70, "end": 76, "text": "Monday"}, "entity_id": "Q105"},
    ],
}  # fmt: skip
GERMAN = {
    "context": {"language": "de", "text": "Ein Montag.", "sentence_spans": [{"start": 0, "end": 11}]},
    "mentions": [
        {"example_id": "m3", "mention_span": {"start": 4, "end": 10, "text": "Montag"}, "entity_id": "Q105"},
    ],
}  # fmt: skip


def entity(id_: str, language: str, description: str, *spans: tuple[int, int]) -> dict:
    return {
        "entity_id": id_, "title": "title", "description": description, "description_url": "https://",
        "description_language": language, "sentence_spans": [{"start": start, "end": end} for start, end in spans],
    }  # fmt: skip


def mewsli_folder(folder: Path) -> Path:
    write(folder / "wikinews_mentions-test.jsonl", json_lines(ARTICLE, GERMAN))
    entities = (
        entity("Q105", "de", "Montag ist ein Tag. Er folgt auf Sonntag. Mehr.", (0, 19), (20, 41)),
        entity("Q1757", "id", "Helsinki  ialah\nibu kota.", (0, 25)),
        entity("Q2", "en", "Earth.", (0, 6)),
    )
    write(folder / "candidate_set_entities.jsonl", json_lines(*entities))
    return folder


OF_XTREME = ["ar", "de", "el", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def neuclir_folder(folder: Path) -> Path:
    """Two topics; one was judged in two languages. mteb's files have judgements of documents that it left out."""
    for code, topics, documents, judged in (
        (
            "fas",
            {"1": "یک", "7": "هفت"},
            {"a": "alef", "b": "be"},
            [("1", "a", 3), ("1", "b", 0), ("1", "gone", 0)],
        ),
        ("rus", {"1": "раз", "2": "два"}, {"a": "аз", "c": ""}, [("1", "a", 1), ("2", "a", 3)]),
        ("zho", {"2": "二"}, {"z": "字"}, [("2", "z", 1)]),
    ):
        write_parquet(
            folder / f"{code}-queries" / "test-00000-of-00001.parquet",
            [{"_id": id_, "text": text} for id_, text in topics.items()],
        )
        write_parquet(
            folder / f"{code}-corpus" / "test-00000-of-00001.parquet",
            [{"_id": id_, "title": text, "text": ""} for id_, text in documents.items()],
        )
        columns = ("query-id", "corpus-id", "score")
        write_parquet(
            folder / f"{code}-qrels" / "test-00000-of-00001.parquet",
            [dict(zip(columns, row, strict=True)) for row in judged],
        )
    return folder
