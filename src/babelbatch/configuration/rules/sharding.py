"""Checks of `trainer=fsdp`: what cannot be combined with weights that are divided among the ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from babelbatch.distributed.ranks import SHARDED_STRATEGY

_PRECISIONS = ("32", "32-true", "bf16-mixed")
_ELEMENTWISE = ("torch.optim.AdamW", "torch.optim.Adam", "torch.optim.SGD")
"""Optimisers whose step for one number needs no other number of the same weight, tried with divided weights."""


def problems_of_sharding(cfg: dict[str, Any], ranks: int) -> Iterator[str]:
    """Yields `path: problem; remedy`. ranks: devices of all machines."""
    trainer, shards = cfg["trainer"], cfg["trainer"].get("shards")
    if trainer.get("strategy") != SHARDED_STRATEGY:
        if shards is not None:
            yield "trainer.shards: only fsdp divides weights; set trainer=fsdp, or leave it out"
        return
    if ranks == 1:
        yield (
            "trainer.strategy: fsdp divides weights among several devices, and there is one; raise trainer.devices, "
            "or set trainer=default"
        )
    elif isinstance(shards, int) and shards > 1 and ranks % shards:
        yield f"trainer.shards: {shards} does not divide {ranks} devices; set a divisor, or leave it out"
    if (precision := str(trainer.get("precision", "32-true"))) not in _PRECISIONS:
        yield f"trainer.precision: fsdp trains in 32-true or bf16-mixed, not in {precision}; set one of them"
    if (optimizer := cfg["optimizer"].get("_target_")) not in _ELEMENTWISE:
        allowed = ", ".join(name.rpartition(".")[2] for name in _ELEMENTWISE)
        yield (
            f"optimizer._target_: {optimizer} may need whole weights, and fsdp divides them; "
            f"use one of {allowed}, or set trainer=ddp"
        )
    tuning, loss = cfg["tuning"], cfg["loss"]
    if tuning.get("four_bit"):
        yield "tuning.four_bit: fsdp does not divide weights in four bits; leave it out, or set trainer=ddp"
    if tuning.get("compile"):
        yield "tuning.compile: fsdp gathers a layer between its operations; set tuning.compile=false, or trainer=ddp"
    if (dtype := cfg["encoder"].get("dtype", "float32")) != "float32":
        yield f"encoder.dtype: fsdp divides weights in float32, not in {dtype}; leave it out, or set trainer=ddp"
    if loss.get("learn_temperature"):
        yield "loss.learn_temperature: fsdp trains weights of the encoder only; leave it out, or set trainer=ddp"
    if loss["_target_"].rpartition(".")[2] == "Mimo":
        yield "loss: mimo trains a projection of its own, and fsdp weights of the encoder only; set trainer=ddp"
