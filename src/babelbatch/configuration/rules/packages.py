"""Checks that the packages of an extra are installed where a setting needs them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any


def problems_of_packages(cfg: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` if `tuning` needs a package that is not installed. Nothing is imported."""
    tuning = cfg["tuning"]
    if str(tuning.get("_target_")).rpartition(".")[2] != "lora":
        return
    if tuning.get("four_bit") and find_spec("bitsandbytes") is None:
        yield (
            "tuning.four_bit: needs bitsandbytes, which is not installed; pip install 'babelbatch[qlora]', "
            "or set tuning=lora"
        )
    elif find_spec("peft") is None:
        yield "tuning: lora needs peft, which is not installed; pip install 'babelbatch[lora]', or set tuning=full"
