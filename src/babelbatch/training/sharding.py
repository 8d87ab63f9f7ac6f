"""An encoder whose weights are divided among the ranks (FSDP2): each layer is gathered while it computes."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from babelbatch.distributed.collectives import rank
from babelbatch.encoder import Encoder, Role
from babelbatch.records import Padded
from babelbatch.training.layers import layers_of


def mesh_of(ranks: int, shards: int | None, device: str) -> DeviceMesh:
    """All ranks share one copy of the weights; or, with `shards`, each `shards` consecutive ranks have one between
    them (HSDP). Gradients are averaged over all ranks in either layout. shards: a divisor of `ranks`."""
    if shards is None or shards == ranks:
        return init_device_mesh(device, (ranks,), mesh_dim_names=("shard",))
    return init_device_mesh(device, (ranks // shards, shards), mesh_dim_names=("replicate", "shard"))


def shard(encoder: Encoder, mesh: DeviceMesh) -> ShardedEncoder:
    """Divides the encoder's parameters among the ranks, in place, and moves them to the device of the mesh.

    A layer is gathered for its forward pass, released, and gathered again for its backward pass. The rest of a tower
    (embeddings, pooler, projection) is one more unit, which stays gathered from its first use to the end of a step, as
    does a backbone without a list of layers. All ranks must use the encoder alike: see `as_many_on_each_rank`.
    """
    weightless = _without_weights(encoder)
    sharded = ShardedEncoder(encoder, weightless)
    for tower in dict.fromkeys(encoder.towers.values()):
        backbone = tower.get_submodule("backbone")
        for layer in layers_of(backbone) or () if isinstance(backbone, PreTrainedModel) else ():
            fully_shard(layer, mesh=mesh)
            layer.register_forward_hook(sharded.release)
        fully_shard(tower, mesh=mesh)
    return sharded


class ShardedEncoder:
    """What else an encoder needs once it is sharded: its layers released, and its weights gathered."""

    def __init__(self, encoder: Encoder, weightless: Encoder) -> None:
        self._encoder = encoder
        self._weightless = weightless
        self._in_forward = False

    def encode(self, texts: Padded, role: Role) -> Tensor:
        """The encoder's vectors. In a backward pass, where GradCache encodes again, FSDP would keep every layer until
        its gradient is known: all of them at once."""
        self._in_forward = True
        try:
            vectors: Tensor = self._encoder(texts, role)
        finally:
            self._in_forward = False
        return vectors

    def release(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        """A forward hook of each layer. Does nothing where activation checkpointing computes a layer again."""
        if self._in_forward and isinstance(layer, FSDPModule):
            layer.reshard()

    def gathered(self, norm: Tensor) -> Tensor:
        """A norm over all ranks, of which each has a part."""
        return gathered(norm)

    def whole(self) -> Encoder:
        """A plain copy with all weights, the same on each rank. All ranks must call it together."""
        for module in self._encoder.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
        whole = _copy(self._weightless, {})
        found: dict[nn.Parameter, nn.Parameter] = {}
        for name, parameter in self._encoder.named_parameters(remove_duplicate=False):
            if parameter not in found:
                found[parameter] = nn.Parameter(gathered(parameter.detach()), parameter.requires_grad)
            owner, _, own_name = name.rpartition(".")
            whole.get_submodule(owner).register_parameter(own_name, found[parameter])
        buffers = dict(self._encoder.named_buffers())
        whole.to(next(iter(found)).device)
        for name, buffer in whole.named_buffers():
            buffer.copy_(buffers[name])
        return whole.train(self._encoder.training)


def whole_on_first_rank(state: Any) -> Any:
    """A state dictionary with its divided tensors gathered, one after the other, in the main memory of rank 0. Other
    ranks get empty tensors in their place. All ranks must call it together."""
    match state:
        case DTensor():
            whole = gathered(state.detach())
            return whole.cpu() if rank() == 0 else whole.new_empty(0)
        case dict():
            return {key: whole_on_first_rank(value) for key, value in state.items()}
        case list() | tuple():
            return type(state)(whole_on_first_rank(value) for value in state)
        case _:
            return state


def divided_like(parameter: Tensor, state: Any) -> Any:
    """This rank's part of a whole tensor of an optimiser's state. Numbers, such as that of the steps, stay whole."""
    if not (isinstance(parameter, DTensor) and isinstance(state, Tensor) and state.shape == parameter.shape):
        assert not isinstance(state, Tensor) or state.numel() == 1, "states of sharded optimisers are element-wise"
        return state
    own = state.to(parameter.device)
    return distribute_tensor(own, parameter.device_mesh, parameter.placements, src_data_rank=None)


def gathered(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be divided among the ranks. All ranks must call it together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _without_weights(encoder: Encoder) -> Encoder:
    meta = {id(each): nn.Parameter(each.to("meta"), each.requires_grad) for each in encoder.parameters()}
    return _copy(encoder, meta)


def _copy(encoder: Encoder, replaced: dict[int, Any]) -> Encoder:
    return copy.deepcopy(encoder, replaced | {id(encoder.tokenizer): encoder.tokenizer})
