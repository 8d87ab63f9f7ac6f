"""A digest of weights: it names cached vectors, and tells which runs began alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from babelbatch.progress import bar


def weights_digest(module: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the names, types, shapes and values of all weights and stored buffers."""
    return _digest_of(module.state_dict())


def unstored_buffers_digest(module: nn.Module) -> str:
    """The same of the buffers that are not stored, on which vectors depend, too."""
    stored = module.state_dict().keys()
    return _digest_of({name: buffer for name, buffer in module.named_buffers() if name not in stored})


def _digest_of(state: Mapping[str, Tensor]) -> str:
    threads = min(8, os.cpu_count() or 1)  # hashing leaves the interpreter free
    whole = hashlib.sha256()
    with (
        ThreadPoolExecutor(threads) as pool,
        bar("reading the encoder's weights for a fingerprint", len(state), "tensors") as progress,
    ):
        for (name, tensor), digest in zip(state.items(), pool.map(_digest, state.values()), strict=True):
            whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {digest}\n".encode())
            progress.advance(1)
    return whole.hexdigest()


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(values.numpy().data).hexdigest()
