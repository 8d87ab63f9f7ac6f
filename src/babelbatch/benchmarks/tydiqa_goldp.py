"""TyDi QA's gold passages as retrieval: which passage of the question's language answers it?

Clark et al. 2020 (arXiv 2003.05002). Its gold passage task gives each question its passage, and there is no standard
way to make retrieval of it; ours is below. Questions are written in each language, not translated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from babelbatch.benchmarks.passages import Asked, passage_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources.hub import Published, check_count, located
from babelbatch.sources.languages import chosen
from babelbatch.sources.squad import examples

SOURCE = Published("google-research-datasets/tydiqa", "da78f23f9119363459acbaf46bf89426ff26c259", "Apache-2.0")
NAMES = {
    "arabic": "ar", "bengali": "bn", "english": "en", "finnish": "fi", "indonesian": "id", "korean": "ko",
    "russian": "ru", "swahili": "sw", "telugu": "te",
}  # fmt: skip
"""What a question's id begins with, and the language."""
QUESTIONS = {"ar": 921, "bn": 113, "en": 440, "fi": 782, "id": 565, "ko": 276, "ru": 812, "sw": 499, "te": 669}
"""Of the validation split, 5,077 in all."""
NON_ENGLISH = tuple(language for language in QUESTIONS if language != "en")


def load_benchmark(
    data_dir: str | None = None,
    languages: list[str] | None = None,
    candidates: Literal["validation", "train+validation"] = "validation",
    pooled: bool = False,
) -> Benchmark:
    """The questions are those of the validation split. The candidates of a language are its distinct passages. A
    question is answered by its own passage alone.

    data_dir: a folder with the hub's files, `secondary_task/{train,validation}-*.parquet`.
    languages: default the eight other than English, so that the macro score is the mean over them, which is how TyDi QA
        averages; `en` may be added.
    candidates: whose passages. Those of the training split make it harder, and are no answers.
    pooled: rank over the pool of all languages too, where what answers a question in another language counts as wrong.
    ValueError: an id that begins with no language.
    """
    known = chosen("TyDi QA", tuple(QUESTIONS), NON_ENGLISH if languages is None else languages)
    splits = candidates.split("+")
    files = dict(
        zip(splits, located(SOURCE, [f"secondary_task/{split}-*.parquet" for split in splits], data_dir), strict=True)
    )
    benchmark = passage_benchmark(
        "tydiqa_goldp",
        known,
        (
            row
            for split in reversed(splits)  # so that the passages of the validation split come first in either case
            for path in files[split]
            for row in _rows(path, asked=split == "validation")
            if row.language in known
        ),
        f"TyDi QA GoldP as retrieval: candidate = distinct passage of {candidates}, relevant = the question's own",
        pooled=pooled,
    )
    for column, language in enumerate(known):
        found = int((benchmark.query_languages == column).sum())
        check_count(f"TyDi QA, '{language}': questions", found, QUESTIONS[language], data_dir)
    return benchmark


def _rows(path: Path, *, asked: bool) -> Iterator[Asked]:
    for example in examples(path):
        name = example.id.partition("-")[0]
        if name not in NAMES:
            raise ValueError(f"{example.place}: the id '{example.id}' begins with none of {', '.join(NAMES)}")
        id_ = example.id if asked else None
        yield Asked(example.place, NAMES[name], id_, example.question, example.context, example.context)
