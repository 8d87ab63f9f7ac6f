"""Loads a folder that has a LoRA adapter instead of a model: the model that it is for, with the adapter merged."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import PreTrainedModel

from babelbatch.encoder.huggingface import quiet
from babelbatch.encoder.json_files import read_json_object
from babelbatch.encoder.merging import merged_state_dict

log = logging.getLogger(__name__)

ADAPTER_FILE = "adapter_config.json"


def base_of(folder: Path) -> str | None:
    """The folder or hub name of the model that an adapter is for; None if the folder has a model of its own.

    Raises ValueError if the adapter cannot be merged, or does not name its model.
    """
    if not (folder / ADAPTER_FILE).exists() or (folder / "config.json").exists():
        return None
    config = read_json_object(folder / ADAPTER_FILE)
    kind, base = config.get("peft_type"), config.get("base_model_name_or_path")
    if not base:
        raise _refused(folder, "an adapter that does not name its model")
    special = [key for key in ("use_dora", "modules_to_save", "lora_bias") if config.get(key)]
    if kind != "LORA" or special or config.get("bias", "none") != "none":
        what = f"LORA with {special[0] if special else 'bias'}" if kind == "LORA" else kind
        raise _refused(folder, f"an adapter of the kind {what}; plain LoRA alone is merged here")
    if importlib.util.find_spec("peft") is None:
        raise ValueError(f"encoder.name_or_path: {folder} has an adapter, which needs peft; pip install peft")
    return str(base)


def with_adapter(load_base: Callable[[], PreTrainedModel], folder: Path) -> PreTrainedModel:
    """The model that `load_base` loads, with the adapter in the folder merged: W + s B A. Takes its memory twice.

    Raises ValueError if the adapter does not fit the model.
    """
    adapted, merged = load_base(), load_base()
    try:
        with quiet():
            report = adapted.load_adapter(str(folder))
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        raise _refused(folder, f"an adapter that does not fit its model ({str(error).splitlines()[0]})") from error
    if lost := sorted([*report.missing_keys, *report.unexpected_keys]):
        raise _refused(folder, f"an adapter that does not fit its model ({len(lost)} tensors, such as {lost[0]})")
    before = {name: weight.clone() for name, weight in merged.state_dict().items()}
    merged.load_state_dict(merged_state_dict(adapted))
    changed = [name for name, weight in merged.state_dict().items() if not torch.equal(weight, before[name])]
    if not changed:
        raise _refused(folder, "an adapter that changes no weight of its model (it may be for another class of model)")
    log.info("merged the adapter in %s, which changes %d weights", folder, len(changed))
    return merged


def _refused(folder: Path, what: str) -> ValueError:
    return ValueError(
        f"encoder.name_or_path: {folder} has {what}; merge it yourself (peft: merge_and_unload) and save the result"
    )
