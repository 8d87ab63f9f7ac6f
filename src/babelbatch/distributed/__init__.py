"""Several processes as one: the ranks that the environment sets, and the collectives between them.

`ranks` needs no torch; `collectives` does. With one process every function here is the identity.
"""

__all__ = ["collectives", "ranks"]
