"""From the command line to finished jobs.

Start at `launch.launch`: `plan` composes and checks all jobs before the first one starts, then Hydra runs them through
`sweep` and `job`, in this process or in worker processes (`workers`, `worker`, `supervisor`). `outcome` has the exit
codes, `failures` reports what goes wrong, `overrides` explains what was mistyped.
"""

__all__ = ["direct", "fetching", "launch", "overrides", "plan", "plugins", "uncollected"]
