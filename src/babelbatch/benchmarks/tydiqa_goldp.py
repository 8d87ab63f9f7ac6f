"""TyDi QA's gold passage task as retrieval: find the passage of the question's language that answers it.

Clark et al. 2020 (arXiv 2003.05002). The task gives each question its passage; there is no standard retrieval version,
so ours is defined below. Questions are written in each language, not translated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from babelbatch.benchmarks.passages import QueryPassage, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.languages import select_languages
from babelbatch.sources.squad import examples

SOURCE = Published("google-research-datasets/tydiqa", "da78f23f9119363459acbaf46bf89426ff26c259", "Apache-2.0")
NAMES = {
    "arabic": "ar", "bengali": "bn", "english": "en", "finnish": "fi", "indonesian": "id", "korean": "ko",
    "russian": "ru", "swahili": "sw", "telugu": "te",
}  # fmt: skip
"""Prefix of a question's id -> language."""
QUESTIONS = {"ar": 921, "bn": 113, "en": 440, "fi": 782, "id": 565, "ko": 276, "ru": 812, "sw": 499, "te": 669}
"""Of the validation split, 5,077 in all."""
NON_ENGLISH = tuple(language for language in QUESTIONS if language != "en")


def load_benchmark(
    data_dir: str | None = None,
    languages: list[str] | None = None,
    candidates: Literal["validation", "train+validation"] = "validation",
    pooled: bool = False,
    on_bad_row: OnBadRow = "error",
) -> Benchmark:
    """Queries: the questions of the validation split. Candidates: the distinct passages of each language. Only a
    question's own passage is relevant.

    data_dir: a folder with the hub's files, `secondary_task/{train,validation}-*.parquet`.
    languages: default the eight other than English, so that the macro score is the mean over them, as in TyDi QA;
        `en` may be added.
    candidates: splits with the passages. Those of the training split are never relevant and make the task harder.
    pooled: rank over the pool of all languages too, in which relevant passages of other languages count as irrelevant.
    on_bad_row: `error` refuses the files with a list of the questions that cannot be used: a missing value, an empty
        text, a second question of one id and language. `skip` leaves them out, and lists them in the log and in
        metrics.json.
    Raises ValueError for the questions of `on_bad_row`, and for an id without a language.
    """
    bad = BadRows(on_bad_row)
    selected = select_languages("TyDi QA", tuple(QUESTIONS), NON_ENGLISH if languages is None else languages)
    splits = candidates.split("+")
    found = locate_files(SOURCE, [f"secondary_task/{split}-*.parquet" for split in splits], data_dir)
    files = dict(zip(splits, found, strict=True))
    benchmark = passage_benchmark(
        "tydiqa_goldp",
        selected,
        (
            row
            for split in reversed(splits)  # so that the passages of the validation split come first in either case
            for path in files[split]
            for row in _rows(path, bad, is_query=split == "validation")
            if row.language in selected
        ),
        f"TyDi QA GoldP as retrieval: candidate = distinct passage of {candidates}, relevant = the question's own",
        pooled=pooled,
        bad=bad,
    )
    for column, language in enumerate(selected):
        count = int((benchmark.query_languages == column).sum())
        check_count(f"TyDi QA, '{language}': questions", count, QUESTIONS[language], data_dir)
    return benchmark


def _rows(path: Path, bad: BadRows, *, is_query: bool) -> Iterator[QueryPassage]:
    for example in examples(path, bad=bad):
        name = example.id.partition("-")[0]
        if name not in NAMES:
            raise ValueError(f"{example.place}: the id '{example.id}' begins with none of {', '.join(NAMES)}")
        id_ = example.id if is_query else None
        yield QueryPassage(example.place, NAMES[name], id_, example.question, example.context, example.context)
