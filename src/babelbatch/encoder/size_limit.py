"""Refuses a configuration that describes a far larger model than the weights beside it, before memory is filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

_LEAST_BYTES = 1 << 30  # of memory, however small the file
_FACTOR = 8  # float32 in memory has twice the bytes of float16 in a file, and tied weights are counted twice
_LEAST_TENSORS, _MOST_TENSORS = 1_000, 100_000  # the largest mixtures of experts have some 40,000
_BYTES_A_TENSOR = 256  # fewer than the average tensor of a model has


class OversizedModel(ValueError):
    """The configuration of a model is out of proportion to its weights. Its text is a whole message."""


@contextmanager
def size_limited(folder: Path, weights: Iterable[Path]) -> Iterator[None]:
    """Raises OversizedModel as soon as the modules built meanwhile take more than 1 GiB and eight times the bytes of
    the files, or have more tensors than could be in them.

    A damaged number of layers would otherwise be built until the memory ends. folder: of the model, for the message.
    weights: its files; those that do not exist count nothing.
    """
    stored = sum(path.stat().st_size for path in weights if path.is_file())
    most = max(_LEAST_BYTES, _FACTOR * stored)
    most_tensors = min(_MOST_TENSORS, _LEAST_TENSORS + stored // _BYTES_A_TENSOR)
    tensors = size = 0

    def count(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal tensors, size
        if tensor is None:
            return
        tensors += 1
        size += tensor.numel() * tensor.element_size()
        if tensors > most_tensors:
            raise refused(f"{most_tensors:,} tensors")
        if size > most:
            raise refused(f"{most / 2**30:,.1f} GiB")

    def refused(bound: str) -> OversizedModel:
        return OversizedModel(
            f"encoder.name_or_path: the configuration in {folder} describes a model of more than {bound}, but its "
            f"weights have {stored / 2**20:,.1f} MiB; its JSON files are damaged: save the model there again"
        )

    with ExitStack() as stack:
        for register in (register_module_parameter_registration_hook, register_module_buffer_registration_hook):
            stack.callback(register(count).remove)
        try:
            yield
        except RuntimeError as error:
            if "allocate memory" in str(error):  # for one tensor, before it could be counted
                raise refused(f"{most / 2**30:,.1f} GiB") from error
            raise
