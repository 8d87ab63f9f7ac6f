"""Question answering data in the LAReQA format as a training corpus (MLQA-R, XQuAD-R, or your own files)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from babelbatch.records import ABSENT, Corpus
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.lareqa import LanguageFile, Question, answer_keys, read


def load_corpus(
    dataset: str = "mlqa_r",
    data_dir: str | None = None,
    languages: list[str] | None = None,
    passage: Literal["sentence", "context"] = "sentence",
    negatives: int = 0,
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """One item per question id, in every language that has it.

    dataset: the published data set to fetch if `data_dir` is None.
    data_dir: a folder of `<language>.json` files.
    languages: some of them; default all.
    passage: the sentence in which the answer starts, or the whole paragraph.
    negatives: hard negatives per question: the nearest other sentences of the paragraph. Needs `passage=sentence`.
    on_bad_row: `error` refuses the files with a list of the questions and paragraphs that cannot be used: a missing
        value, a question without answer, an answer outside the sentences, an empty text, a second question of one id.
        `skip` leaves them out, and lists them in the log and in metrics.json.
    """
    bad = BadRows(on_bad_row)
    if negatives and passage == "context":
        raise ValueError("negatives are other sentences of the paragraph: with passage=context set negatives=0")
    files = read(dataset, data_dir, languages, bad)
    key_of = answer_keys(files, whole_paragraph=passage == "context")
    ids = tuple(key_of)
    row_of = {id_: row for row, id_ in enumerate(ids)}
    query_texts: dict[str, int] = {}
    passage_texts: dict[str, int] = {}
    shape = (len(ids), len(files))
    queries = np.full(shape, ABSENT, np.int32)
    passages = np.full(shape, ABSENT, np.int32)
    hard = np.full((*shape, negatives), ABSENT, np.int32)
    hard_keys = np.full((*shape, negatives), ABSENT, np.int64)
    key_of_sentence = {
        file.paragraphs[question.paragraph].sentences[question.sentence]: key_of[question.id]
        for file in files
        for question in file.questions
    }
    for column, file in enumerate(files):
        for question in file.questions:
            row = row_of[question.id]
            paragraph = file.paragraphs[question.paragraph]
            text = paragraph.context if passage == "context" else paragraph.sentences[question.sentence]
            queries[row, column] = query_texts.setdefault(question.text, len(query_texts))
            passages[row, column] = passage_texts.setdefault(text, len(passage_texts))
            for slot, sentence in enumerate(_nearest_sentences(file, question)[:negatives]):
                text = paragraph.sentences[sentence]
                hard[row, column, slot] = passage_texts.setdefault(text, len(passage_texts))
                hard_keys[row, column, slot] = key_of_sentence.get(text, ABSENT)
    return Corpus(
        name=dataset if data_dir is None else "lareqa",
        languages=tuple(file.language for file in files),
        ids=ids,
        query_texts=tuple(query_texts),
        passage_texts=tuple(passage_texts),
        queries=queries,
        passages=passages,
        passage_keys=np.array([key_of[id_] for id_ in ids], np.int64),
        negatives=hard,
        negative_keys=hard_keys,
        skipped_rows=bad.report("corpus lareqa"),
    )


def _nearest_sentences(file: LanguageFile, question: Question) -> list[int]:
    """The other sentences of the question's paragraph, nearest to the answer first, earlier first among equals."""
    count = len(file.paragraphs[question.paragraph].sentences)
    others = (sentence for sentence in range(count) if sentence != question.sentence)
    return sorted(others, key=lambda sentence: (abs(sentence - question.sentence), sentence))
