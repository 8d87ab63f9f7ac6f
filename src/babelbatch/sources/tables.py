"""The rows of a table, one at a time, each with its place: from a file, the files of a folder, or a data set that the
`datasets` library loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelbatch.progress import bar, log_once
from babelbatch.sources.bad_rows import BadRows
from babelbatch.sources.lines import Place, Record
from babelbatch.sources.listing import is_listing, record
from babelbatch.sources.records import FORMATS, is_table, records

_COMMIT = re.compile("[0-9a-f]{40}")


def files_of(path: str) -> list[Path]:
    """The file at `path`, or the readable files of the folder, sorted. Raises ValueError if there are none."""
    place = Path(path)
    if place.is_dir():
        found = sorted(file for file in place.iterdir() if is_table(file) and file.is_file())
        if not found:
            raise ValueError(f"{path}: no table in this folder; the names of tables end in {', '.join(FORMATS)}")
        return found
    if not place.is_file():
        raise ValueError(f"{path}: there is no such file or folder; a data set of the hub is named by hub=, not path=")
    return [place]


def rows_of_files(files: Sequence[Path], bad: BadRows | None = None) -> Iterator[tuple[Place, Record]]:
    """All rows, one file after the other. bad: collects what is no row, as in `records`."""
    with bar(f"reading {len(files):,} files", len(files), "files") if len(files) > 1 else nullcontext() as progress:
        for file in files:
            yield from records(file, bad)
            if progress is not None:
                progress.advance(1)


@dataclass(frozen=True)
class HubTable:
    """A split of a data set on the Hugging Face hub, or of a folder that `datasets.load_dataset` understands.

    name: the hub's id, or the folder. config: of a data set that has several. revision: a commit or branch.
    """

    name: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None

    def version(self) -> list[str]:
        """Changes with the content: the commit of each file of the hub, the modification time of each local file.

        Empty, without asking the hub, if `revision` is a commit: rows that were read before need no connection.
        """
        if is_listing():
            record(self)
            raise ValueError(f"hub: the rows of {self.name} are listed, not read")
        if self.is_pinned:
            return []
        files = (self._builder().config.data_files or {}).get(self.split)
        return sorted(map(str, files.origin_metadata)) if files is not None else []

    @property
    def is_pinned(self) -> bool:
        """Whether `revision` is a commit."""
        return _COMMIT.fullmatch(self.revision or "") is not None

    @property
    def place(self) -> str:
        return f"https://huggingface.co/datasets/{self.name}"

    def cached(self) -> list[Path] | None:
        """None: rows are streamed, and only the corpus made of them is stored."""
        return None

    def damaged(self) -> list[Path]:
        return []

    def fetch(self) -> list[Path]:
        commit = "" if self.is_pinned else " and the commit as revision="
        raise ValueError(
            f"hub: the rows of {self.name} are streamed; read them into the cache with babelbatch-data{commit}"
        )

    def rows(self) -> Iterator[tuple[Place, Record]]:
        """The rows, streamed instead of downloaded first. The place of a row is its number in the split."""
        place, number = Path(f"{self.name} ({self.split})"), 0
        stream = iter(self._checked(lambda: self._builder().as_streaming_dataset(split=self.split)))
        with bar(f"reading {self.name}", None, "rows", lambda: number):
            while True:
                row = self._checked(lambda: next(stream, None), f"{Place(place, number + 1)}: ")
                if row is None:
                    break
                number += 1
                yield Place(place, number), row
        if number == 0:
            raise ValueError(f"hub: {place} has no rows")

    def _builder(self) -> Any:
        import datasets  # a second to import, and only for the hub

        log_once("datasets")
        log_once("huggingface_hub")
        datasets.disable_progress_bars()
        return self._checked(lambda: datasets.load_dataset_builder(self.name, self.config, revision=self.revision))

    def _checked(self, work: Any, where: str = "") -> Any:
        """The result of `work`. Any exception of the library becomes a ValueError that names the data set."""
        try:
            return work()
        except Exception as error:  # its errors have no common class
            if isinstance(error, ValueError) and str(error).startswith("hub: "):
                raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ValueError(
                f"hub: {where}the data set '{self.name}' cannot be read ({reason}); where there is a connection type "
                f"`hf download --repo-type dataset {self.name}`, then set path to a folder with its files"
            ) from error
