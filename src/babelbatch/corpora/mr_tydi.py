"""Mr. TyDi's training questions as a corpus: eleven languages, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources import mr_tydi
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import chosen
from babelbatch.sources.lines import text_of
from babelbatch.sources.wikipedia import Passage
from babelbatch.storage import file_signatures


def load_corpus(languages: list[str] | None = None, negatives: int = 0, data_dir: str | None = None) -> Corpus:
    """One item a question and passage that answers it. Questions of different languages have nothing to do with each
    other: there are X-X pairs only.

    languages: which of the eleven; default all.
    negatives: hard negatives a question: at most so many of those published, which are from the 30 passages that BM25
        ranks first, in their order.
    data_dir: a folder with the files of the hub's data set, in the same places; None fetches them, 1.1 GB in all.
    All passages that answer one question share a key, and so do those with one text.
    ValueError: an unknown language; a file that is missing, damaged, or, if it was fetched, not as long as published.
    """
    read = chosen("mr_tydi", tuple(mr_tydi.NAMES), languages)
    if negatives < 0:
        raise ValueError(f"negatives must be 0 or more, not {negatives}")
    source: object = mr_tydi.QUESTIONS.revision
    if data_dir is not None:
        source = file_signatures(mr_tydi.question_files(read, "train", data_dir))

    def build(folder: Path) -> Sequence[str]:
        with Assembly(folder, read) as assembly:
            for language, path in zip(read, mr_tydi.question_files(read, "train", data_dir), strict=True):
                count = _add(assembly, language, path, negatives)
                check_count(f"{path}: questions", count, mr_tydi.COUNTS[language][0], data_dir)
            assembly.finish(negatives)
        return read

    return stored_corpus("mr_tydi", {"languages": read, "negatives": negatives, "source": source}, build)


def _add(assembly: Assembly, language: str, path: Path, negatives: int) -> int:
    """Adds the questions of a language and returns their number."""
    count = 0
    for question in mr_tydi.questions(path):
        count += 1
        key = f"{language}/{question.id}"
        for positive in question.positives:
            item, line = f"{key}/{positive.id}", question.place.line
            assembly.question(item, language, question.text, path, line)
            assembly.passage(item, language, _text(positive), path, line, key)
            for negative in question.negatives[:negatives]:
                assembly.negative(item, language, _text(negative), path, line)
    return count


def _text(passage: Passage) -> str:
    return text_of(passage.text, f"the text of passage '{passage.id}'", passage.place)
