"""Training itself: the Lightning module, what is trained, when it is evaluated, what is saved.

Start at `learner.Learner`, whose training step encodes a batch and calls the loss. `checkpoints` and `callbacks` are
what Lightning calls at its hooks. A new callback is one more file and an entry in `conf/callbacks/`.
"""

from babelbatch.training.allocator import freed_memory_kept
from babelbatch.training.callbacks import log_final
from babelbatch.training.checkpoints import AtomicIO, newest, own_signals, remove_leftovers, step_of
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.learner import Learner

__all__ = [
    "AtomicIO",
    "FiniteLoss",
    "Learner",
    "freed_memory_kept",
    "log_final",
    "newest",
    "own_signals",
    "remove_leftovers",
    "step_of",
]
