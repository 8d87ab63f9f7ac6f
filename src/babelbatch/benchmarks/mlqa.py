"""MLQA: retrieve the paragraph that answers the question, in 49 pairs of a question's and a paragraph's language.

Lewis et al. 2020, arXiv 1910.07475. English questions about Wikipedia paragraphs, translated by people into the
languages that have a paragraph with a parallel sentence: on average four languages per question. In MLQA-R
(`lareqa.py`), from the development set, the candidates are sentences.
"""

from __future__ import annotations

from typing import Literal

from babelbatch.benchmarks.passages import own_paragraphs, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.hub import check_count, locate_files
from babelbatch.sources.languages import select_languages
from babelbatch.sources.squad import MLQA

QUESTIONS = {
    "dev": {"ar": 517, "de": 512, "en": 1_148, "es": 500, "hi": 507, "vi": 511, "zh": 504},
    "test": {"ar": 5_335, "de": 4_517, "en": 11_590, "es": 5_253, "hi": 4_918, "vi": 5_495, "zh": 5_137},
}
_FILES = {"dev": "validation", "test": "test"}


def load_benchmark(
    data_dir: str | None = None,
    languages: list[str] | None = None,
    split: Literal["dev", "test"] = "test",
    on_bad_row: OnBadRow = "error",
) -> Benchmark:
    """Candidates: all paragraphs. A question's own paragraph is relevant, in every language that has the question.

    MLQA's files `mlqa.<paragraphs>.<questions>` pair each language's questions with each language's paragraphs. The
    seven files with one language contain all of them: a question is in a pair's file if both languages have it.

    data_dir: a folder with the hub's files, `mlqa.<language>.<language>/{validation,test}-*.parquet`.
    languages: some of the seven; default all. split: `dev` or `test`.
    on_bad_row: `error` refuses the files with a list of the questions that cannot be used: a missing value, an empty
        text, a second question of one id and language. `skip` leaves them out, and lists them in the log and in
        metrics.json.
    """
    bad = BadRows(on_bad_row)
    selected = select_languages("MLQA", tuple(QUESTIONS[split]), languages)
    patterns = [f"mlqa.{language}.{language}/{_FILES[split]}-*.parquet" for language in selected]
    files = dict(zip(selected, locate_files(MLQA, patterns, data_dir), strict=True))
    benchmark = passage_benchmark(
        "mlqa",
        selected,
        (row for language, paths in files.items() for path in paths for row in own_paragraphs(path, language, bad)),
        f"MLQA {split}: candidate = paragraph, relevant = the question's own, in every language that has it",
        bad=bad,
    )
    for column, language in enumerate(selected):
        found = int((benchmark.query_languages == column).sum())
        check_count(f"MLQA {split}, '{language}': questions", found, QUESTIONS[split][language], data_dir)
    return benchmark
