"""Lightning's strategy for `trainer=fsdp`: data-parallel training of an encoder that is divided among the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from torch.optim import Optimizer

from babelbatch.training.learner import Learner
from babelbatch.training.sharding import divided_like, mesh_of, shard, whole_on_first_rank


class ShardedStrategy(DDPStrategy):
    """As DDP, but each rank holds a part of the encoder's weights, gradients and states of the optimiser.

    Checkpoints are those of DDP: whole tensors, gathered on rank 0. So they can be loaded by any number of ranks, with
    this strategy or without. Lightning's own `ModelParallelStrategy` writes and reads files past our `CheckpointIO`,
    which digests and verifies them, and moves the whole encoder to the device before anything is divided.

    timeout: of a wait for the other ranks. shards: see `mesh_of`.
    """

    def __init__(self, timeout: timedelta, shards: int | None = None) -> None:
        super().__init__(timeout=timeout)
        self._shards = shards

    def model_to_device(self) -> None:
        """Divides the encoder, layer by layer, and moves the rest: the device never holds it whole."""
        learner = self.lightning_module
        assert isinstance(learner, Learner)
        if learner.trainer.state.fn == TrainerFn.FITTING:
            learner.sharded = shard(learner.encoder, mesh_of(self.world_size, self._shards, self.root_device.type))
        super().model_to_device()

    def configure_ddp(self) -> None:
        """Nothing: FSDP's hooks are within the encoder, and the objective has no trained parameters."""

    def lightning_module_state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = whole_on_first_rank({**super().lightning_module_state_dict()})
        return state

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state: dict[str, Any] = whole_on_first_rank(super().optimizer_state(optimizer))
        return state

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Each rank takes its part of the whole states. (Weights are loaded before they are divided.)"""
        divided = []
        for optimizer, saved in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [each for group in optimizer.param_groups for each in group["params"]]
            numbers = [number for group in saved["param_groups"] for number in group["params"]]
            state = {
                number: {name: divided_like(parameter, value) for name, value in saved["state"][number].items()}
                for number, parameter in zip(numbers, parameters, strict=True)
                if number in saved["state"]
            }
            divided.append({**saved, "state": state})
        super().load_optimizer_state_dict({"optimizer_states": divided})

    def teardown(self) -> None:
        """Without moving the parts to the main memory, as DDP does: from there NCCL cannot gather them."""
        self.optimizers = []
        model, self._lightning_module = self._lightning_module, None
        super().teardown()
        self._lightning_module = model
