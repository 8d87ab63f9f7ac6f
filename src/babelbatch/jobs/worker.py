"""A process that runs one job, or is one of its ranks: `python -m babelbatch.jobs.worker train <folder>`.

`supervisor.py` starts it. It reads the folder's config.yaml, which is checked and resolved: what was checked runs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from hydra.core.utils import configure_log
from omegaconf import OmegaConf

from babelbatch.configuration.saved import allow_own_targets, load_config
from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.job import run_in_process
from babelbatch.runs.files import CONFIG_FILE
from babelbatch.runs.stopping import raise_on_sigterm


def main() -> None:
    """Ends with the exit code of the job."""
    raise_on_sigterm()
    root, folder = sys.argv[1], Path(sys.argv[2])
    settings = json.loads(_first_line())
    allow_own_targets(settings.pop("config_dir", None))
    _configure_logging(**settings)
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    sys.exit(run_in_process(root, load_config(folder / CONFIG_FILE), folder).code)


def _configure_logging(job_logging: dict[str, Any] | None, verbose: bool | str | list[str]) -> None:
    """As in the process of the command line, except that the output of a rank above 0 is a file already."""
    if job_logging and job_logging.get("root") and global_rank() > 0:
        job_logging["handlers"].pop("file", None)
        job_logging["root"]["handlers"] = [name for name in job_logging["root"]["handlers"] if name != "file"]
    # Hydra accepts None, for its logging=none; its annotation does not say so.
    configure_log(OmegaConf.create(job_logging) if job_logging else None, verbose)  # type: ignore[arg-type]


def _first_line() -> bytes:
    """Of standard input, read unbuffered: a buffered reader's lock, held by the thread below, would block the end of
    the interpreter."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit("the supervisor has ended")
        line += byte
    return line


def _end_with_supervisor() -> None:
    """Waits for the end of standard input, which is the end of the supervisor; then kills this process and all that it
    started. The next command resumes from the last checkpoint."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
