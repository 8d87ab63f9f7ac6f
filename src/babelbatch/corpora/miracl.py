"""MIRACL's training questions as a corpus: 16 languages, each on its own, with passages that people judged."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.progress import bar
from babelbatch.records import Corpus
from babelbatch.sources import miracl
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import chosen
from babelbatch.sources.lines import text_of
from babelbatch.sources.miracl import Judgement, Question
from babelbatch.sources.wikipedia import passages
from babelbatch.storage import file_signatures

log = logging.getLogger(__name__)


def load_corpus(languages: list[str] | None = None, negatives: int = 0, data_dir: str | None = None) -> Corpus:
    """One item a question and passage that was judged to answer it. Questions of different languages have nothing to do
    with each other: there are X-X pairs only.

    languages: which of the 16 that have training questions; default all.
    negatives: hard negatives a question: at most so many of the passages that were judged not to answer it, in the
        order of the judgements.
    data_dir: a folder with the files of the hub's two data sets, in the same places; None fetches them, 13.5 GB in all.
    All passages that answer one question share a key, and so do those with one text. All passages of a language are
    read, those that were judged are kept.
    ValueError: an unknown language; a file that is missing, damaged, or, if it was fetched, not as long as published; a
    judgement of a question or of a passage that there is not.
    """
    read = chosen("miracl", tuple(miracl.COUNTS["train"]), languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    source: object = [miracl.QUESTIONS.revision, miracl.PASSAGES.revision]
    if data_dir is not None:
        files = [file for pair in miracl.question_files(read, "train", data_dir) for file in pair]
        files += [file for language in read for file in miracl.passage_files(language, data_dir)]
        source = file_signatures(files)

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, read) as assembly:
            for language, files in zip(read, miracl.question_files(read, "train", data_dir), strict=True):
                _add(assembly, language, *files, negatives, data_dir)
            assembly.finish(negatives)
        return read

    return stored_corpus("miracl", {"languages": read, "negatives": negatives, "source": source}, build)


def _add(assembly: Assembly, language: str, topics: Path, qrels: Path, negatives: int, data_dir: str | None) -> None:
    questions = {question.id: question for question in miracl.questions(topics)}
    judged = list(miracl.judgements(qrels))
    published = miracl.COUNTS["train"][language]
    check_count(f"{topics}: questions", len(questions), published[0], data_dir)
    check_count(f"{qrels}: judgements", len(judged), published[1], data_dir)
    pairs = _by_question(questions, judged, topics, negatives)
    texts = _texts(language, [judgement for pair in pairs.values() for part in pair for judgement in part], data_dir)
    for id_, (positives, wrong) in pairs.items():
        question, key = questions[id_], f"{language}/{id_}"
        for positive in positives:
            item = f"{key}/{positive.passage}"
            assembly.question(item, language, question.text, topics, question.place.line)
            assembly.passage(item, language, texts[positive.passage], qrels, positive.place.line, key)
            for negative in wrong:
                assembly.negative(item, language, texts[negative.passage], qrels, negative.place.line)
    unanswered = sum(not positives for positives, _ in pairs.values())
    if unanswered:
        log.info("miracl, %s: %s questions have no passage that answers them", language, f"{unanswered:,}")


def _by_question(
    questions: Mapping[str, Question], judged: Sequence[Judgement], topics: Path, negatives: int
) -> dict[str, tuple[list[Judgement], list[Judgement]]]:
    """For each question what was judged to answer it, and up to `negatives` of what was not."""
    pairs: dict[str, tuple[list[Judgement], list[Judgement]]] = {id_: ([], []) for id_ in questions}
    for judgement in judged:
        if judgement.question not in pairs:
            raise ValueError(f"{judgement.place}: there is no question '{judgement.question}' in {topics}")
        positives, wrong = pairs[judgement.question]
        if judgement.relevant:
            positives.append(judgement)
        elif len(wrong) < negatives:
            wrong.append(judgement)
    return pairs


def _texts(language: str, judged: Sequence[Judgement], data_dir: str | None) -> dict[str, str]:
    """The texts of the passages that were judged, by their ids: one pass over all passages of the language."""
    places = {judgement.passage: judgement.place for judgement in judged}
    texts: dict[str, str] = {}
    files, count = miracl.passage_files(language, data_dir), 0
    with bar(f"MIRACL, passages in {language}", len(files), unit="files") as progress:
        for file in files:
            for passage in passages(file):
                count += 1
                if passage.id not in places:
                    continue
                if passage.id in texts:
                    raise ValueError(f"{passage.place}: passage id '{passage.id}' again; ids must be unique")
                texts[passage.id] = text_of(passage.text, "title and text", passage.place)
            progress.advance(1)
    check_count(f"{files[0].parent}: passages", count, miracl.PASSAGE_COUNTS[language], data_dir)
    for id_, place in places.items():
        if id_ not in texts:
            raise ValueError(f"{place}: there is no passage '{id_}' in {files[0].parent}")
    return texts
