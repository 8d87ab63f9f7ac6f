"""The curves of a run as one CSV file, which a resumed run continues."""

from __future__ import annotations

import csv
import io
import logging
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from babelbatch.storage import write_atomically

log = logging.getLogger(__name__)

Row = dict[str, str]


def csv_logger(save_dir: str, resumed_step: int = 0) -> CsvCurves:
    """`<save_dir>/csv/metrics.csv`: a row a call, a column a metric, `step` among them.

    resumed_step: optimiser steps already done by the checkpoint that the run goes on from; 0 starts a new file. Rows
        of later steps are dropped, because the run will log them again: it ends with the rows of an uninterrupted one.
    """
    return CsvCurves(Path(save_dir) / "csv" / "metrics.csv", resumed_step)


class CsvCurves(Logger):
    """Every row is in the operating system's hands when the call returns: a kill loses none. A disk that is full, or
    any other error of the file, costs one warning; the rows are kept and written when it works again.
    """

    def __init__(self, path: Path, resumed_step: int = 0) -> None:
        super().__init__()
        self._path = path
        self._resumed_step = resumed_step
        self._columns: list[str] = []
        self._boundary: set[frozenset[str]] = set()
        self._unwritten: list[Row] = []
        self._size = 0
        self._opened = False
        self._warned = False

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self._path.parent)

    @property
    def log_dir(self) -> str:
        return str(self._path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, object] | Namespace, *_: object) -> None:
        """The configuration is kept in the run's config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds a row. Values are written with all their digits."""
        row = {name: str(value if isinstance(value, int) else float(value)) for name, value in metrics.items()}
        self._unwritten.append(row if step is None else row | {"step": str(step)})
        try:
            self._write()
        except OSError as error:
            if not self._warned:
                self._warned = True
                log.warning("%s cannot be written (%s): its rows are kept in memory until it can", self._path, error)

    def _write(self) -> None:
        if not self._opened:
            self._open()
        rows = [row for row in self._unwritten if _cells(row) not in self._boundary]
        columns = sorted(set(self._columns).union(*rows))
        if columns != self._columns:
            write_atomically(self._path, _text(columns, [*_read(self._path), *rows]))
            self._columns = columns
            self._size = self._path.stat().st_size
        else:
            self._append(_text(columns, rows, header=False).encode())
        self._unwritten = []

    def _open(self) -> None:
        """What is kept of an earlier file: the rows before the step resumed from.

        A checkpoint is saved before or after the validation of its step. If before, the validation comes again: which
        rows that last step has is remembered, and they are not written twice.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        earlier = [row for row in _read(self._path) if row.get("step", "").isdecimal()]
        rows = [row for row in earlier if int(row["step"]) < self._resumed_step]
        self._boundary = {_cells(row) for row in rows if int(row["step"]) == self._resumed_step - 1}
        self._columns = sorted(set().union(*rows))
        write_atomically(self._path, _text(self._columns, rows))
        self._size = self._path.stat().st_size
        self._opened = True

    def _append(self, data: bytes) -> None:
        """One write call, at the end of the last good row: half a row, left by a full disk, is written over."""
        with open(self._path, "r+b", buffering=0) as file:
            file.seek(self._size)
            written = file.write(data)
            if written < len(data):
                file.truncate(self._size)
                raise OSError(f"{written} of {len(data)} bytes written")
            self._size += written


def _read(path: Path) -> list[Row]:
    """The rows of a file, without empty cells; none if there is no file. A last row cut short is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(io.StringIO(whole))
    return [{name: cell for name, cell in row.items() if name and cell} for row in rows]


def _cells(row: Row) -> frozenset[str]:
    """What tells a row from the others of its step: which metrics it has. The step itself is part of it."""
    return frozenset(row) | {row.get("step", "")}


def _text(columns: list[str], rows: list[Row], header: bool = True) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    if header and columns:
        writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
