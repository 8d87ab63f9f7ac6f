"""XQuAD: which paragraph answers the question? (Artetxe, Ruder and Yogatama 2020, arXiv 1910.11856.)

Questions and paragraphs of SQuAD's development set, translated by people into eleven languages, all of them parallel.
XQuAD-R (`lareqa.py`) asks for the sentence instead, of the same paragraphs.
"""

from __future__ import annotations

from babelbatch.benchmarks.passages import own_paragraphs, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.hub import Published, check_count, located
from babelbatch.sources.languages import chosen

SOURCE = Published("google/xquad", "51adfef1c1287aab1d2d91b5bead9bcfb9c68583", "CC BY-SA 4.0")
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
QUESTIONS, PARAGRAPHS = 1_190, 240
"""In each language."""


def load_benchmark(data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """The candidates are the 240 paragraphs of each language. A question is answered by its own paragraph, in every
    language.

    data_dir: a folder with the hub's files, `xquad.<language>/validation-*.parquet`.
    languages: which of the twelve; default all.
    """
    known = chosen("XQuAD", LANGUAGES, languages)
    files = located(SOURCE, [f"xquad.{language}/validation-*.parquet" for language in known], data_dir)
    benchmark = passage_benchmark(
        "xquad",
        known,
        (
            row
            for language, paths in zip(known, files, strict=True)
            for path in paths
            for row in own_paragraphs(path, language)
        ),
        "XQuAD: candidate = paragraph, relevant = the question's own, in every language",
    )
    check_count("XQuAD: questions", len(benchmark.query_ids), QUESTIONS * len(known), data_dir)
    check_count("XQuAD: paragraphs", len(benchmark.candidate_ids), PARAGRAPHS * len(known), data_dir)
    return benchmark
