"""MLQA: which paragraph answers the question, in each of the 49 pairs of a question's and a paragraph's language?

Lewis et al. 2020, arXiv 1910.07475. Questions asked in English of Wikipedia paragraphs, translated by people into the
languages that have a paragraph with a parallel sentence: four languages a question on average. MLQA-R (`lareqa.py`)
asks for the sentence instead, in the development set.
"""

from __future__ import annotations

from typing import Literal

from babelbatch.benchmarks.passages import own_paragraphs, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.hub import check_count, located
from babelbatch.sources.languages import chosen
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
) -> Benchmark:
    """The candidates of a language are all its paragraphs. A question is answered by its own paragraph, in every
    language that it is asked in.

    MLQA's files `mlqa.<paragraphs>.<questions>` pair each language's questions with each language's paragraphs. The
    seven in which both are of one language hold them all: a question is in a pair's file if both languages have it.

    data_dir: a folder with the hub's files, `mlqa.<language>.<language>/{validation,test}-*.parquet`.
    languages: which of the seven; default all. split: `dev` or `test`.
    """
    known = chosen("MLQA", tuple(QUESTIONS[split]), languages)
    patterns = [f"mlqa.{language}.{language}/{_FILES[split]}-*.parquet" for language in known]
    files = dict(zip(known, located(MLQA, patterns, data_dir), strict=True))
    benchmark = passage_benchmark(
        "mlqa",
        known,
        (row for language, paths in files.items() for path in paths for row in own_paragraphs(path, language)),
        f"MLQA {split}: candidate = paragraph, relevant = the question's own, in every language that has it",
    )
    for column, language in enumerate(known):
        found = int((benchmark.query_languages == column).sum())
        check_count(f"MLQA {split}, '{language}': questions", found, QUESTIONS[split][language], data_dir)
    return benchmark
