"""The files of mteb's retrieval tasks on the hub: Parquet with BEIR's columns, a folder for each language and role.

The folders are `<language>-queries/`, `<language>-corpus/` and `<language>-qrels/`, with files such as
`<split>-00000-of-00001.parquet`. The only split of the corpus may have another name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelbatch.sources.hub import Published, locate_files


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one language, or of all."""

    queries: tuple[Path, ...]
    candidates: tuple[Path, ...]
    judgements: tuple[Path, ...]

    def all(self) -> list[Path]:
        return [*self.queries, *self.candidates, *self.judgements]


def files(published: Published, codes: Sequence[str], split: str, data_dir: str | None) -> list[Files]:
    """The files of each language. codes: the publisher's. Raises ValueError as `locate_files`."""
    roles = ("queries", "corpus", "qrels")
    found = locate_files(published, [f"{code}-{role}/*.parquet" for code in codes for role in roles], data_dir)
    of_split_ = [tuple(of_split(paths, split)) for paths in found]
    return [Files(*of_split_[place : place + 3]) for place in range(0, len(of_split_), 3)]


def of_split(paths: Sequence[Path], split: str) -> list[Path]:
    """The files of a split; all of them if there is only one split, of any name.

    Raises ValueError if there are several others and not this one.
    """
    splits = {path.name.partition(".")[0].partition("-")[0] for path in paths}
    if split in splits:
        return [path for path in paths if path.name.partition(".")[0].partition("-")[0] == split]
    if len(splits) > 1:
        raise ValueError(f"{paths[0].parent}: no split '{split}'; there are: {', '.join(sorted(splits))}")
    return list(paths)
