"""From the command line to finished jobs.

Start at `launch.launch`: it checks all jobs before the first one starts, then Hydra runs them through `sweep` and
`job`, in this process or in worker processes (`worker`, `supervisor`).
"""

__all__ = ["launch"]
