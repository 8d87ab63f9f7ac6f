"""What each command does, once its configuration is checked: one file a command.

Start at `train.py`. These are the composition roots: they build what the configuration names (`build.py`) and hand it
from one wing to the next, so nothing below knows the configuration as a whole. A new command is one more file here, a
root in `conf/` and a line in `cli.py`.
"""

__all__ = [
    "build",
    "checkpoint",
    "data",
    "encode",
    "evaluate",
    "export",
    "fetch",
    "merge_command",
    "mine",
    "needs",
    "own_records",
    "search",
    "train",
]
