"""Checks of checkpoint selection: the validation set and the monitored quantity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from babelbatch.configuration.schema import DEFAULT_MONITOR
from babelbatch.configuration.signatures import closest

# The names are those of `metrics.py`, which is not imported here: this file is read before numpy is.
METRIC = (
    r"(monolingual|crosslingual|multilingual)/(map|map@20|mrr@100|ndcg@10|ndcg@20|recall@1|recall@10|recall@100)"
    r"|multilingual/(rank_distance|rank_distance_normalised|mrc@10|peer@100)"  # what has a better end
)
"""Setting and metric of a macro score that can be selected by."""
_WATCHED = rf"({METRIC})(/[\w-]+)?"
_NOT_SEARCHED = {"map", "rank_distance", "rank_distance_normalised", "mrc@10"}


def problems_of_validation(cfg: dict[str, Any]) -> Iterator[str]:
    """Problems of the validation set: there must be one, and it must differ from the corpus."""
    validation = cfg["validation"]
    if "validation" in cfg["benchmarks"]:
        yield (
            "benchmarks.validation: validation/... are the scores on validation items; give the benchmark another name"
        )
    if validation is None:
        if _nothing_is_held_out(cfg):
            if cfg["data"].get("validation_queries"):
                yield (
                    "data.validation_queries: nothing is held out, because data.validation_fraction is 0; raise it, or "
                    "leave out validation_queries"
                )
            if (cfg["callbacks"].get("evaluate") or {}).get("during_training"):
                yield (
                    "callbacks.evaluate.during_training: benchmarks are evaluated after each validation, and there is "
                    "none, because data.validation_fraction is 0; raise it, or leave out during_training"
                )
        return
    if not isinstance(validation, dict) or "_target_" not in validation:
        yield "validation: nothing to build; choose a corpus for it, such as corpus@validation=squad_shifts"
    elif validation == cfg["corpus"]:
        yield "validation: it is the corpus itself; leave it out, and some of the corpus is held out"
    if cfg["data"].get("validation_fraction"):
        yield (
            "data.validation_fraction: nothing is held out where there is a validation corpus; leave out either "
            "this or corpus@validation"
        )


def problems_of_monitor(cfg: dict[str, Any]) -> Iterator[str]:
    """Problems of the monitored quantity: it must be logged at each validation."""
    monitor, steps, interval = cfg["monitor"], cfg["trainer"].get("max_steps"), cfg["trainer"].get("val_check_interval")
    if cfg["trainer"].get("max_tokens") is not None:
        yield (
            "trainer.max_tokens: callbacks=early_stopping ends runs at unequal numbers of tokens and would never judge "
            "the last steps; set callbacks=default"
        )
    elif isinstance(steps, int) and isinstance(interval, int) and interval > 0 and steps % interval:
        yield (
            f"trainer.val_check_interval: {interval} does not divide trainer.max_steps={steps}: the last steps would "
            "never be judged; set it to a divisor, or set callbacks=default"
        )
    first, *rest = monitor.split("/")
    if first == "validation":
        if rest not in (["loss"], ["loss", "x_x"], ["loss", "x_y"]):
            yield f"monitor: no '{monitor}'; there are validation/loss, validation/loss/x_x and validation/loss/x_y"
        elif _nothing_is_held_out(cfg):
            yield (
                f"monitor: '{monitor}' needs a validation split, but data.validation_fraction is 0; "
                "raise it, or set callbacks=default"
            )
    elif first not in cfg["benchmarks"]:
        known = [DEFAULT_MONITOR, *(f"{name}/multilingual/map" for name in cfg["benchmarks"])]
        hint = closest(monitor, known) or f"; there are, for example: {', '.join(known)}"
        yield f"monitor: nothing is logged as '{monitor}'{hint}"
    elif not cfg["callbacks"].get("evaluate", {}).get("during_training"):
        yield f"monitor: '{monitor}' is not evaluated during training; set callbacks.evaluate.during_training=true"
    elif _nothing_is_held_out(cfg):
        yield (
            f"monitor: '{monitor}' is evaluated after each validation, but data.validation_fraction is 0; "
            "raise it, or set callbacks=default"
        )
    elif not re.fullmatch(_WATCHED, "/".join(rest)):
        yield f"monitor: '{monitor}' is not <benchmark>/<setting>/<metric>, such as {first}/multilingual/map"
    elif cfg["evaluation"].get("index") is not None and rest[1] in _NOT_SEARCHED:
        yield (
            f"monitor: a search does not find {rest[1]}; set monitor={first}/{rest[0]}/ndcg@10, or evaluation=default"
        )


def _nothing_is_held_out(cfg: dict[str, Any]) -> bool:
    return cfg["validation"] is None and bool(cfg["data"].get("validation_fraction") == 0)
