"""Where mteb keeps a retrieval task on the hub: Parquet files of BEIR's columns, a folder for each language and role.

`<language>-queries/`, `<language>-corpus/`, `<language>-qrels/`, in each `<split>-00000-of-00001.parquet` and so on.
The corpus may have a split of another name, its only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelbatch.sources.hub import Published, located


@dataclass(frozen=True, slots=True)
class Files:
    """Of one language, or of all."""

    queries: tuple[Path, ...]
    candidates: tuple[Path, ...]
    judgements: tuple[Path, ...]

    def all(self) -> list[Path]:
        return [*self.queries, *self.candidates, *self.judgements]


def files(published: Published, codes: Sequence[str], split: str, data_dir: str | None) -> list[Files]:
    """For each language, by the publisher's code, its files. ValueError: one is not there, or is not to be had."""
    roles = ("queries", "corpus", "qrels")
    found = located(published, [f"{code}-{role}/*.parquet" for code in codes for role in roles], data_dir)
    of_split_ = [tuple(of_split(paths, split)) for paths in found]
    return [Files(*of_split_[place : place + 3]) for place in range(0, len(of_split_), 3)]


def of_split(paths: Sequence[Path], split: str) -> list[Path]:
    """Those whose name starts with that of the split; all of them, if there is one split, whatever its name.

    ValueError: there are others, and not this one.
    """
    splits = {path.name.partition(".")[0].partition("-")[0] for path in paths}
    if split in splits:
        return [path for path in paths if path.name.partition(".")[0].partition("-")[0] == split]
    if len(splits) > 1:
        raise ValueError(f"{paths[0].parent}: no split '{split}'; there are: {', '.join(sorted(splits))}")
    return list(paths)
