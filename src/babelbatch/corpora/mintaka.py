"""Mintaka: questions in nine languages with entities of Wikidata as answers (Sen et al. 2022). CC BY 4.0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.documents import elements
from babelbatch.sources.download import web_file
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import Place, Record, list_in, object_in, text_in, text_of
from babelbatch.sources.row_tally import RowTally
from babelbatch.storage import cache_folder, file_signatures

REVISION = "b6146ffb41562803c45df3c028b4cdad8c09dd4d"
"""Version 1.1. Version 1.0 has the answers' names in English only."""

URL = f"https://raw.githubusercontent.com/amazon-science/mintaka/{REVISION}/data/mintaka_train.json"
COUNT = 14_000
LANGUAGES = ("en", "ar", "de", "es", "fr", "hi", "it", "ja", "pt")


def load_corpus(data_dir: str | None = None, languages: list[str] | None = None) -> Corpus:
    """One item per training question with entities as its answer: the question, and their names as the passage.

    Questions with other answers (numbers, dates, other texts, yes or no) are skipped: these answers are the same in all
    languages, or English in all. Commas separate several names. If Wikidata lacks a name in a language, the item has no
    passage in that language.

    data_dir: a folder with `mintaka_train.json`; None fetches it.
    languages: default all nine.
    Raises ValueError for an unknown language and a file that is damaged or not the published one.
    """
    selected = select_languages("mintaka", LANGUAGES, languages)
    path = web_file(URL, data_dir, cache_folder("mintaka") / REVISION)

    def build(folder: Path) -> Sequence[str]:
        tally, read = RowTally("mintaka"), 0
        with Assembly(folder, selected) as assembly:
            for read, _, row in elements(path, "item"):
                _add(assembly, row, Place(path, read), selected, tally)
            check_count("mintaka: questions", read, COUNT, data_dir)
            tally.report()
            assembly.finish()
        return selected

    return stored_corpus("mintaka", {"languages": selected, "files": file_signatures([path])}, build)


def _add(assembly: Assembly, row: Record, place: Place, languages: Sequence[str], tally: RowTally) -> None:
    answer = object_in(row, "answer", place)
    kind = text_in(answer, "answerType", place)
    entities = answer.get("answer")
    if kind != "entity" or not entities:
        tally.skipped(f"with an answer that is {kind}" if kind != "entity" else "whose answer is not linked")
        return
    tally.used()
    id_ = text_in(row, "id", place)
    names = [_names(entity, place) for entity in list_in(answer, "answer", place)]
    for language in languages:
        texts, key = (row, "question") if language == "en" else (object_in(row, "translations", place), language)
        question = text_in(texts, key, place, blank=True)
        if not question.strip():
            tally.faulty(f"the question in '{language}' is empty", place)
            continue
        assembly.query(id_, language, question, place.path, place.line)
        own = [name.get(language) for name in names]
        if all(own):
            text = ", ".join(text_of(name, f"a name in '{language}'", place) for name in own)
            assembly.passage(id_, language, text, place.path, place.line)


def _names(entity: object, place: Place) -> Record:
    if not isinstance(entity, dict):
        raise ValueError(f"{place}: an entity is {json.dumps(entity, default=str)[:40]}, not an object")
    if isinstance(entity.get("label"), str):
        raise ValueError(f"{place}: 'label' is one text: this is Mintaka 1.0; take version 1.1, with names by language")
    return object_in(entity, "label", place)
