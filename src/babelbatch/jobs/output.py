"""Whether the folders of the jobs can be written, before anything is loaded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from babelbatch.configuration.schema import ConfigError

_NEEDED_BYTES = 1 << 16


def refuse_unwritable(folders: Iterable[Path], *, multirun: bool) -> None:
    """Creates the folder of a run, or that of a sweep, and writes to it. Raises ConfigError with the reason why that
    is impossible, such as a full disk or missing permission."""
    planned = list(folders)
    wanted = [*dict.fromkeys(folder.parent for folder in planned), *(each for each in planned if each.exists())]
    problems = {}
    for folder in wanted if multirun else planned:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_NEEDED_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            problems[f"output_dir: {folder} cannot be written ({error.strerror}); set output_dir to another folder"] = 1
    if problems:
        raise ConfigError(list(problems))
