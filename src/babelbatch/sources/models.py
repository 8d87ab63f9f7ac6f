"""Models in the hub's cache, without importing torch."""

from __future__ import annotations

import json
from pathlib import Path

from babelbatch.sources.hub import cached_files

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def cached_model(name: str) -> list[Path] | None:
    """The files of a model in the hub's cache, with those of the model that an adapter belongs to; None if the
    configuration or the weights of either are missing."""
    found = cached_files(name, "model", "main", ["config.json", "adapter_config.json", "**/*"])
    if found is None:
        return None
    config, adapter, every = found
    weights = [path for path in every if any(path.match(pattern) for pattern in _WEIGHTS)]
    if not weights or not (config or adapter):
        return None
    base = base_of_adapter(adapter[0]) if adapter and not config else None
    if base is None:
        return every
    below = cached_model(base)
    return None if below is None else [*every, *below]


def base_of_adapter(file: Path) -> str | None:
    """The name on the hub of the model that an adapter belongs to; None if it is a folder or not stated."""
    content = json.loads(file.read_text(encoding="utf-8"))
    base = content.get("base_model_name_or_path") if isinstance(content, dict) else None
    return base if isinstance(base, str) and not Path(base).is_dir() else None
