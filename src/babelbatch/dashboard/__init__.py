"""A saved W&B workspace that shows the runs of a project in the terms of this research: `babelbatch-dashboard`.

Needs the extra `dashboard` (wandb-workspaces), and no torch.
"""

from babelbatch.dashboard.command import main as main
