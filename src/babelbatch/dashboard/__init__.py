"""A saved W&B workspace that shows the runs of a project: `babelbatch-dashboard`.

Start at `command.py`; `panels` says what the workspace shows. It needs the extra `dashboard` (wandb-workspaces) and
does not import torch.
"""

from babelbatch.dashboard.command import main

__all__ = ["main"]
