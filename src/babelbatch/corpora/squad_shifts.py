"""SQuADShifts: English questions about four other kinds of text than SQuAD's (Miller et al. 2020, arXiv 2004.14444).

The paper (arXiv 2408.10536) stops training at the lowest loss on it: `corpus@validation=squad_shifts`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.hub import Published, check_count, located
from babelbatch.sources.omissions import Omissions
from babelbatch.sources.squad import examples
from babelbatch.storage import file_signatures

SOURCE = Published("ludwigschmidt/squadshifts", "refs/convert/parquet", "CC BY 4.0")
"""The hub's own conversion; the main branch has a script only."""

QUESTIONS = {"new_wiki": 7_938, "nyt": 10_065, "reddit": 9_803, "amazon": 9_885}
"""Articles of Wikipedia and of the New York Times, Reddit's comments, Amazon's reviews: 37,691 questions in all."""


def load_corpus(
    data_dir: str | None = None, parts: list[Literal["new_wiki", "nyt", "reddit", "amazon"]] | None = None
) -> Corpus:
    """One item a question, in English, answered by its paragraph. Questions about one paragraph have one passage key.

    data_dir: a folder with the hub's files, `<part>/test/*.parquet`. parts: default all four.
    ValueError: a part twice, a file that is damaged or not what was published.
    """
    known = tuple(QUESTIONS) if parts is None else tuple(parts)
    if not known or len(set(known)) < len(known):
        raise ValueError(f"parts must name at least one of {', '.join(QUESTIONS)}, each once, not {list(known)}")
    files = dict(zip(known, located(SOURCE, [f"{part}/test/*.parquet" for part in known], data_dir), strict=True))

    def build(folder: Path) -> tuple[str, ...]:
        with Assembly(folder, ["en"]) as assembly:
            for part, paths in files.items():
                omissions, read = Omissions(f"squad_shifts, {part}"), 0
                for example in (example for path in paths for example in examples(path, blank=True)):
                    read += 1
                    if not (example.question.strip() and example.context.strip()):
                        omissions.fault("'question' or 'context' is empty", example.place)
                        continue
                    omissions.kept()
                    id_, place = f"{part}/{example.id}", example.place
                    assembly.question(id_, "en", example.question, place.path, place.line)
                    assembly.passage(id_, "en", example.context, place.path, place.line)
                check_count(f"squad_shifts, {part}: questions", read, QUESTIONS[part], data_dir)
                omissions.finish()
            assembly.finish()
        return ("en",)

    inputs = {"parts": known, "files": [file_signatures(paths) for paths in files.values()]}
    return stored_corpus("squad_shifts", inputs, build)
