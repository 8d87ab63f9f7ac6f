"""The device that a user names."""

from __future__ import annotations

import torch

from babelbatch.distributed.ranks import local_rank, ranks_of_step


def device_of(name: str) -> torch.device:
    """The device with that name; for `auto` the GPU if there is one. Of several ranks of a machine each gets another
    GPU for `auto` and `cuda`, as far as there are. Raises ValueError if it cannot be used."""
    if name in ("auto", "cuda") and ranks_of_step() > 1 and torch.cuda.is_available():
        name = f"cuda:{local_rank() % torch.cuda.device_count()}"
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter from a torch that was built without CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: '{name}' cannot be used ({reason}); set device=auto, cpu or cuda") from error
    return torch.device(name)
