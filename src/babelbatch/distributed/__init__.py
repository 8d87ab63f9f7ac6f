"""Several processes as one run: their ranks, and the collective operations between them.

`ranks` and `gpus` need no torch; `collectives` does. Start at `collectives.gather_rows`. With one process every
function returns its input.
"""

__all__ = ["collectives", "gpus", "ranks"]
