"""Restores what transformers 5 leaves uninitialised in models with code of their own.

It builds a model without memory and fills in the stored weights. Buffers that the model's code computes in its
constructor and does not store are then uninitialised memory: another model in every process, without an error
(huggingface/sentence-transformers issue 3717). transformers restores those of its own models only.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, PreTrainedModel

from babelbatch.encoder.json_files import read_json

log = logging.getLogger(__name__)

_Place = tuple[str, str]
"""Name of a module and of a tensor in it."""


@contextmanager
def uninitialised_as_nan() -> Iterator[None]:
    """torch fills uninitialised memory with NaN, or the largest integer, so that it cannot pass for numbers."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def needs_own_code(folder: Path) -> bool:
    """Whether the model in a folder is of a class that transformers does not have, but code in the folder."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    return "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING


def restore_unstored_tensors(model: PreTrainedModel, name: str) -> None:
    """Replaces the tensors that no file stores by those of a model built from the same configuration.

    These are buffers that are not persistent, and tensors that are plain attributes. Models of transformers itself are
    left alone. The model is built twice, one after the other, so loading takes the memory of its weights once more.
    name: of the model, for messages. Raises ValueError if the tensors are random, for no file has the right ones.
    """
    if type(model).__module__.startswith(("transformers.", "babelbatch.")) or not _unstored_tensors(model):
        return
    built, again = (_unstored_tensors(_build(model, seed)) for seed in (0, 1))
    random = sorted(place for place in built if place not in again or not _equal(built[place], again[place]))
    if random:
        raise ValueError(
            f"encoder.name_or_path: the code of {name} draws {_names(random)} at random and does not store it, so each "
            "process would have another model; register it as a persistent buffer and save the model again, or use "
            "another model"
        )
    wrong = sorted(place for place, tensor in _unstored_tensors(model).items() if not _equal(tensor, built[place]))
    for module, tensor in wrong:
        setattr(model.get_submodule(module), tensor, built[module, tensor])
    if wrong:
        log.warning(
            "%s: transformers leaves what its code computes and does not store uninitialised (%s); it is computed "
            "again here, but sentence-transformers and AutoModel do not do so, and would give other vectors",
            name, _names(wrong),
        )  # fmt: skip


def _build(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built: PreTrainedModel = type(model)._from_config(copy.deepcopy(model.config))
    return built


def _unstored_tensors(model: nn.Module) -> dict[_Place, Tensor]:
    found: dict[_Place, Tensor] = {}
    for name, module in model.named_modules():
        for key in module._non_persistent_buffers_set:
            if (buffer := module._buffers.get(key)) is not None:
                found[name, key] = buffer
        found |= {(name, key): value for key, value in vars(module).items() if isinstance(value, Tensor)}
    return found


def _equal(tensor: Tensor, other: Tensor) -> bool:
    return not tensor.is_meta and torch.equal(tensor, other)


def _names(places: list[_Place]) -> str:
    names = [f"{module}.{tensor}" if module else tensor for module, tensor in places]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
