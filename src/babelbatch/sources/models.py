"""Models in the hub's cache: their files and licences, without importing torch."""

from __future__ import annotations

import re
from pathlib import Path

from babelbatch.sources.hub import cached_files, has_all_shards
from babelbatch.storage.documents import UnreadableDocument, parse_yaml_object, read_json_object

ADAPTER_FILE = "adapter_config.json"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def cached_model(name: str) -> list[Path] | None:
    """The files of a model in the hub's cache, with those of the model that an adapter belongs to; None if the
    configuration or the weights of either are missing."""
    found = cached_files(name, "model", "main", ["config.json", ADAPTER_FILE, "**/*"])
    if found is None:
        return None
    config, adapter, every = found
    weights = [path for path in every if any(path.match(pattern) for pattern in _WEIGHTS)]
    if not weights or not has_all_shards(weights) or not (config or adapter):
        return None
    base = base_of_adapter(adapter[0]) if adapter and not config else None
    if base is None:
        return every
    below = cached_model(base)
    return None if below is None else [*every, *below]


def base_of_adapter(file: Path) -> str | None:
    """The name on the hub of the model that an adapter belongs to; None if it is a folder or not stated, or if the file
    is damaged, which is reported when the adapter is loaded."""
    try:
        base = read_json_object(file).get("base_model_name_or_path")
    except (OSError, UnreadableDocument):
        return None
    return base if isinstance(base, str) and not Path(base).is_dir() else None


def model_licence(name: str) -> str:
    """The licence on a model's card in the hub's cache; where to find it if there is none."""
    found = cached_files(name, "model", "main", ["README.md"])
    cards = found[0] if found is not None else []
    text = cards[0].read_text(encoding="utf-8", errors="replace") if cards else ""
    head = re.match(r"---\n(.*?)\n---\s", text, re.DOTALL)
    try:
        content = parse_yaml_object(head[1]) if head else {}
    except UnreadableDocument:
        content = {}
    stated = content.get("license_name", content.get("license"))
    return stated[:40] if isinstance(stated, str) and stated.strip() else "see its page"
