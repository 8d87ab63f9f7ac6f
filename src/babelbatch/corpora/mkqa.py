"""MKQA: ten thousand questions of Natural Questions in 26 languages, with short answers (Longpre et al. 2021, arXiv
2007.15207). CC BY-SA 3.0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.download import web_file
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import Place, Record, list_in, object_in, text_in, text_of
from babelbatch.sources.records import records
from babelbatch.sources.row_tally import RowTally
from babelbatch.storage import cache_folder, file_signatures

REVISION = "651b8cc85c407270b024157aff06ee6ab8c4fc6d"
URL = f"https://raw.githubusercontent.com/apple/ml-mkqa/{REVISION}/dataset/mkqa.jsonl.gz"
COUNT = 10_000
"""Published number of questions. According to the published numbers of answer types, 6,620 have a short answer;
BGE-M3's authors count 6,619 (arXiv 2402.03216)."""

_ALIKE = [
    "ar", "da", "de", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "km", "ko", "ms", "nl", "no", "pl", "pt", "ru",
    "sv", "th", "tr", "vi",
]  # fmt: skip
LANGUAGES = {code: code for code in _ALIKE} | {"zh": "zh_cn", "zh-HK": "zh_hk", "zh-TW": "zh_tw"}
"""Our codes to MKQA's. Of the three kinds of Chinese, `zh` is simplified."""

_DEFAULT = [language for language in LANGUAGES if not language.startswith("zh-")]

Answer = Literal["entity", "date", "number", "number_with_unit", "short_phrase"]


def load_corpus(
    data_dir: str | None = None,
    languages: list[str] | None = None,
    answers: list[Answer] | None = None,
) -> Corpus:
    """One item per question with a short answer, in every language: the question, and the answer as the passage.

    Unanswerable questions and those with a yes/no or long answer are skipped, as in the evaluation of BGE-M3 (Chen et
    al. 2024, arXiv 2402.03216). The first of several correct answers is used. Short answers have no context, and
    numbers and dates are similar in all languages, so this corpus is more useful in a mixture than alone.

    data_dir: a folder with `mkqa.jsonl.gz`; None fetches it.
    languages: default all but `zh-HK` and `zh-TW`, which are Chinese like `zh`.
    answers: kinds of answers to use; default all short ones.
    Raises ValueError for an unknown language and a file that is damaged or not the published one.
    """
    selected = select_languages("mkqa", [*LANGUAGES], _DEFAULT if languages is None else languages)
    kinds: set[str] = (
        {"entity", "date", "number", "number_with_unit", "short_phrase"} if answers is None else {*answers}
    )
    path = web_file(URL, data_dir, cache_folder("mkqa") / REVISION)

    def build(folder: Path) -> Sequence[str]:
        tally, read = RowTally("mkqa"), 0
        with Assembly(folder, selected) as assembly:
            for place, row in records(path):
                read += 1
                _add(assembly, row, place, selected, kinds, tally)
            check_count("mkqa: questions", read, COUNT, data_dir)
            tally.report()
            assembly.finish()
        return selected

    inputs = {"languages": selected, "answers": sorted(kinds), "files": file_signatures([path])}
    return stored_corpus("mkqa", inputs, build)


def _add(
    assembly: Assembly, row: Record, place: Place, languages: Sequence[str], kinds: set[str], tally: RowTally
) -> None:
    questions, answers = object_in(row, "queries", place), object_in(row, "answers", place)
    english = list_in(answers, "en", place)
    if not english:
        raise ValueError(f"{place}: 'answers' has an empty list for 'en'")
    of_other_kinds = {text_in(_object(answer, place), "type", place) for answer in english} - kinds
    if of_other_kinds:
        tally.skipped(f"with an answer that is {min(of_other_kinds)}")
        return
    tally.used()
    id_ = row.get("example_id")
    if not isinstance(id_, int):
        raise ValueError(f"{place}: 'example_id' is {json.dumps(id_, default=str)[:40]}, not a whole number")
    for language in languages:
        code = LANGUAGES[language]
        question = text_in(questions, code, place, blank=True)
        if not question.strip():
            tally.faulty(f"the question in '{code}' is empty", place)
            continue
        assembly.query(str(id_), language, question, place.path, place.line)
        texts = [_object(answer, place).get("text") for answer in list_in(answers, code, place)]
        if (first := next((text for text in texts if text is not None), None)) is None:
            continue
        answer = text_of(first, f"the answer in '{code}'", place, blank=True)
        if answer.strip():
            assembly.passage(str(id_), language, answer, place.path, place.line)
        else:
            tally.faulty(f"the answer in '{code}' is empty", place)


def _object(answer: object, place: Place) -> Record:
    if not isinstance(answer, dict):
        raise ValueError(f"{place}: an answer is {json.dumps(answer, default=str)[:40]}, not an object")
    return answer
