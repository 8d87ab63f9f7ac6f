"""XQuAD-R and MLQA-R: answer sentences from a pool of all languages (LAReQA, arXiv 2004.05484)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.records import Benchmark
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.lareqa import Paragraph, read


def load_benchmark(
    dataset: str,
    data_dir: str | None = None,
    languages: list[str] | None = None,
    candidate: Literal["sentence", "sentence_with_context"] = "sentence",
    metric: Literal["map", "map@20"] = "map",
    on_bad_row: OnBadRow = "error",
) -> Benchmark:
    """Candidates: all sentences of all paragraphs. The sentence in which a question's answer starts is relevant, in
    every language that has the question.

    dataset: `xquad_r` or `mlqa_r`: the name in metric keys, and the data set to fetch if `data_dir` is None.
    data_dir: a folder of `<language>.json` files.
    languages: some of them; default all. They also form the pool of the multilingual setting.
    candidate: the text that is encoded. `sentence_with_context` joins the sentence and its paragraph without a
        separator and without line breaks, as in XTREME-R (google-research/xtreme, utils_lareqa.py).
    metric: the primary one. In XTREME-R it is mAP@20 over the pool.
    on_bad_row: `error` refuses the files with a list of the questions and paragraphs that cannot be used: a missing
        value, a question without answer, an answer outside the sentences, an empty text, a second question of one id.
        `skip` leaves them out, and lists them in the log and in metrics.json.
    """
    bad = BadRows(on_bad_row)
    files = read(dataset, data_dir, languages, bad)
    row_of: dict[tuple[str, int, int], int] = {}
    candidate_texts: list[str] = []
    candidate_languages: list[int] = []
    answers: dict[str, list[int]] = {}
    for column, file in enumerate(files):
        for number, paragraph in enumerate(file.paragraphs):
            for index in range(len(paragraph.sentences)):
                row_of[file.language, number, index] = len(candidate_texts)
                candidate_texts.append(_candidate_text(paragraph, index, candidate))
                candidate_languages.append(column)
        for question in file.questions:
            answers.setdefault(question.id, []).append(row_of[file.language, question.paragraph, question.sentence])
    queries = [(column, question) for column, file in enumerate(files) for question in file.questions]
    relevant = [answers[question.id] for _, question in queries]
    return Benchmark(
        name=dataset,
        languages=tuple(file.language for file in files),
        query_ids=tuple(question.id for _, question in queries),
        query_texts=tuple(question.text for _, question in queries),
        query_languages=np.array([column for column, _ in queries], np.int16),
        candidate_ids=tuple(f"{language}_{paragraph}_{index}" for language, paragraph, index in row_of),
        candidate_texts=tuple(candidate_texts),
        candidate_languages=np.array(candidate_languages, np.int16),
        relevant_offsets=np.cumsum([0, *map(len, relevant)]),
        relevant=np.concatenate([np.array(rows, np.int64) for rows in relevant]),
        protocol=f"LAReQA: candidate = {candidate}, relevant = where the answer starts, in every language",
        metric=metric,
        clusters=joined_clusters(
            [question.id for _, question in queries],
            [(column, files[column].paragraphs[question.paragraph].article) for column, question in queries],
        ),
        cluster_unit="article",
        skipped_rows=bad.report(f"benchmark {dataset}"),
    )


def _candidate_text(paragraph: Paragraph, index: int, candidate: str) -> str:
    sentence = paragraph.sentences[index]
    if candidate == "sentence":
        return sentence
    return (sentence + paragraph.context).replace("\n", "")
