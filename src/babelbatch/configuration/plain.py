"""A configuration as plain Python values."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain(cfg: Any, *, resolve: bool = True) -> dict[str, Any]:
    """The mapping `cfg` as dictionaries, lists and scalars. Raises OmegaConfBaseException if it cannot be resolved."""
    found = OmegaConf.to_container(cfg, resolve=resolve)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def without_hydra(cfg: DictConfig) -> DictConfig:
    """A copy without Hydra's own settings."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
