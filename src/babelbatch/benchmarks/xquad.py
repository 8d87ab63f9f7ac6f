"""XQuAD: retrieve the paragraph that answers the question (Artetxe, Ruder and Yogatama 2020, arXiv 1910.11856).

Questions and paragraphs of SQuAD's development set, all translated by people into eleven languages. In XQuAD-R
(`lareqa.py`) the sentences of the same paragraphs are the candidates.
"""

from __future__ import annotations

from babelbatch.benchmarks.passages import own_paragraphs, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.languages import select_languages

SOURCE = Published("google/xquad", "51adfef1c1287aab1d2d91b5bead9bcfb9c68583", "CC BY-SA 4.0")
LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh")
QUESTIONS, PARAGRAPHS = 1_190, 240
"""In each language."""


def load_benchmark(
    data_dir: str | None = None, languages: list[str] | None = None, on_bad_row: OnBadRow = "error"
) -> Benchmark:
    """Candidates: the 240 paragraphs of each language. A question's own paragraph is relevant, in every language.

    data_dir: a folder with the hub's files, `xquad.<language>/validation-*.parquet`.
    languages: some of the twelve; default all.
    on_bad_row: `error` refuses the files with a list of the questions that cannot be used: a missing value, an empty
        text, a second question of one id and language. `skip` leaves them out, and lists them in the log and in
        metrics.json.
    """
    bad = BadRows(on_bad_row)
    selected = select_languages("XQuAD", LANGUAGES, languages)
    files = locate_files(SOURCE, [f"xquad.{language}/validation-*.parquet" for language in selected], data_dir)
    benchmark = passage_benchmark(
        "xquad",
        selected,
        (
            row
            for language, paths in zip(selected, files, strict=True)
            for path in paths
            for row in own_paragraphs(path, language, bad)
        ),
        "XQuAD: candidate = paragraph, relevant = the question's own, in every language",
        bad=bad,
    )
    check_count("XQuAD: questions", len(benchmark.query_ids), QUESTIONS * len(selected), data_dir)
    check_count("XQuAD: paragraphs", len(benchmark.candidate_ids), PARAGRAPHS * len(selected), data_dir)
    return benchmark
