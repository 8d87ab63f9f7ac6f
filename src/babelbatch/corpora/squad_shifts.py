"""SQuADShifts: SQuAD-like English questions about four other kinds of text (Miller et al. 2020, arXiv 2004.14444).

The paper (arXiv 2408.10536) stops training at the lowest loss on it: `corpus@validation=squad_shifts`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from babelbatch.corpora.assembly import Assembly
from babelbatch.corpora.stored import stored_corpus
from babelbatch.records import Corpus
from babelbatch.sources.bad_rows import BadRows, OnBadRow
from babelbatch.sources.hub import Published, check_count, locate_files
from babelbatch.sources.row_tally import RowTally
from babelbatch.sources.squad import examples
from babelbatch.storage import file_signatures

SOURCE = Published("ludwigschmidt/squadshifts", "refs/convert/parquet", "CC BY 4.0")
"""The hub's own conversion; the main branch has only a script."""

QUESTIONS = {"new_wiki": 7_938, "nyt": 10_065, "reddit": 9_803, "amazon": 9_885}
"""Articles of Wikipedia and of the New York Times, Reddit's comments, Amazon's reviews: 37,691 questions in all."""


def load_corpus(
    data_dir: str | None = None,
    parts: list[Literal["new_wiki", "nyt", "reddit", "amazon"]] | None = None,
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """One item per question, in English, with its paragraph. Questions about one paragraph share a passage key.

    data_dir: a folder with the hub's files, `<part>/test/*.parquet`. parts: default all four.
    on_bad_row: as in `corpus=squad`: `error` or `skip`.
    Raises ValueError for a repeated part, a file that is damaged or not the published one, and for the questions of
    `on_bad_row`.
    """
    bad = BadRows(on_bad_row)
    selected = tuple(QUESTIONS) if parts is None else tuple(parts)
    if not selected or len(set(selected)) < len(selected):
        raise ValueError(f"parts must name at least one of {', '.join(QUESTIONS)}, each once, not {list(selected)}")
    files = dict(
        zip(selected, locate_files(SOURCE, [f"{part}/test/*.parquet" for part in selected], data_dir), strict=True)
    )

    def build(folder: Path) -> tuple[str, ...]:
        with Assembly(folder, ["en"], bad) as assembly:
            read: Counter[str] = Counter()
            tallies = {part: RowTally(f"squad_shifts, {part}", bad) for part in files}
            for part, paths in files.items():
                tally = tallies[part]
                for example in (example for path in paths for example in examples(path, blank=True, bad=bad)):
                    read[part] += 1
                    if not (example.question.strip() and example.context.strip()):
                        tally.faulty("'question' or 'context' is empty", example.place)
                        continue
                    tally.used()
                    id_, place = f"{part}/{example.id}", example.place
                    assembly.query(id_, "en", example.question, place.path, place.line)
                    assembly.passage(id_, "en", example.context, place.path, place.line)
            bad.refuse()
            for part, tally in tallies.items():
                check_count(f"squad_shifts, {part}: questions", read[part], QUESTIONS[part], data_dir)
                tally.report()
            assembly.finish()
        return ("en",)

    inputs = {
        "parts": selected,
        "files": [file_signatures(paths) for paths in files.values()],
        "on_bad_row": on_bad_row,
    }
    return stored_corpus("squad_shifts", inputs, build)
