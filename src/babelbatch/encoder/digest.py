"""A digest of an encoder's weights, by which runs of one initialisation are recognised."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


def weights_digest(module: nn.Module) -> str:
    """SHA-256, in hexadecimal, of the names, types, shapes and values of all weights and stored buffers."""
    state = module.state_dict()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:  # hashing leaves the interpreter free
        digests = list(threads.map(_digest, state.values()))
    whole = hashlib.sha256()
    for (name, tensor), digest in zip(state.items(), digests, strict=True):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} {digest}\n".encode())
    return whole.hexdigest()


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(values.numpy().data).hexdigest()
