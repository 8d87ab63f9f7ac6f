"""Training: the Lightning module, what is trained, callbacks and checkpoints.

Start at `learner.Learner`, whose training step encodes a batch and calls the loss. `checkpoints` and `callbacks` are
what Lightning calls at its hooks. A new callback is one more file and an entry in `conf/callbacks/`.
"""

from babelbatch.training.allocator import keep_freed_memory
from babelbatch.training.callbacks import log_final
from babelbatch.training.checkpoints import (
    AtomicIO,
    Checkpoint,
    ResumedTogether,
    checkpoint_step,
    disable_lightning_signal_handlers,
    newest_checkpoint,
    remove_leftovers,
)
from babelbatch.training.cost import cost_facts
from babelbatch.training.divergence import FiniteLoss
from babelbatch.training.learner import Learner
from babelbatch.training.rank_waits import bounded_strategy, long_waits_reported
from babelbatch.training.telemetry import BatchTelemetry

__all__ = [
    "AtomicIO",
    "BatchTelemetry",
    "Checkpoint",
    "FiniteLoss",
    "Learner",
    "ResumedTogether",
    "bounded_strategy",
    "checkpoint_step",
    "cost_facts",
    "disable_lightning_signal_handlers",
    "keep_freed_memory",
    "log_final",
    "long_waits_reported",
    "newest_checkpoint",
    "remove_leftovers",
]
