"""Saves a W&B workspace that compares the runs of a project: `babelbatch-dashboard`.

Start at `command.py`. `panels` defines what the workspace shows, and a new panel goes there; `saving` talks to the
server. Needs the extra `dashboard` (wandb-workspaces) and does not import torch.
"""

from babelbatch.dashboard.command import main

__all__ = ["main"]
