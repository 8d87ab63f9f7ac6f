"""A process that runs one job, or is one of its ranks: `python -m babelbatch.jobs.worker train <folder>`.

`supervisor.py` starts it. It reads the folder's config.yaml, which was checked and resolved: what was checked is what
runs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from hydra.core.utils import configure_log
from omegaconf import OmegaConf

from babelbatch.distributed.ranks import global_rank
from babelbatch.jobs.job import run_in_process
from babelbatch.runs.files import CONFIG_FILE
from babelbatch.runs.stopping import raise_on_sigterm


def main() -> None:
    """Ends with the exit code of the job."""
    raise_on_sigterm()
    root, folder = sys.argv[1], Path(sys.argv[2])
    _log_as(**json.loads(_first_line()))
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    sys.exit(run_in_process(root, OmegaConf.load(folder / CONFIG_FILE), folder).code)


def _log_as(job_logging: dict | None, verbose: bool | str | list[str]) -> None:
    """As the command line's process logs; but the output of a rank above 0 is a file already."""
    if job_logging and job_logging.get("root") and global_rank() > 0:
        job_logging["handlers"].pop("file", None)
        job_logging["root"]["handlers"] = [name for name in job_logging["root"]["handlers"] if name != "file"]
    configure_log(OmegaConf.create(job_logging) if job_logging else None, verbose)


def _first_line() -> bytes:
    line = b""
    # Unbuffered: a buffered reader's lock would be held by the thread below when the interpreter shuts down.
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit("the supervisor is gone")
        line += byte
    return line


def _end_with_supervisor() -> None:
    """Waits for the end of standard input, which is the end of the supervisor, and ends this process and what it has
    started: nobody is left to tell the result to, and the next command goes on from the last checkpoint."""
    while os.read(0, 4096):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
