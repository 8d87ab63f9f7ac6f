"""What the composition roots share: instantiate a configuration, find the device, start the loggers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

build = partial(instantiate, _convert_="all")
"""Builds what a node's `_target_` names; with `_partial_`, what is still missing is given later."""


def device_of(name: str) -> torch.device:
    """The device of that name; of `auto` the GPU, where there is one. Raises ValueError for what is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter from a torch that was built without CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: '{name}' cannot be used ({reason}); set device=auto, cpu or cuda") from error
    return torch.device(name)


def start_loggers(
    cfg: DictConfig, folder: Path, job_type: str, group: str, facts: dict[str, object], resumed_step: int = 0
) -> list[Logger]:
    """The configured loggers, told what this run is.

    group: what one command started, so that the dashboard can put its runs together. facts: columns beside the
    configuration. resumed_step: optimiser steps done by the checkpoint that the run goes on from, 0 for a new run.
    """
    loggers: list[Logger] = []
    for name, node in cfg.logger.items():
        if name == "wandb":
            logger = build(node)(save_dir=str(folder), name=folder.name, group=group, job_type=job_type)
            logger.define_summaries(list(cfg.benchmarks))
        elif name == "csv":
            logger = build(node)(save_dir=str(folder), resumed_step=resumed_step)
        else:
            logger = build(node)(save_dir=str(folder))
        logger.log_hyperparams({**facts, **OmegaConf.to_container(cfg, resolve=True)})
        loggers.append(logger)
    return loggers
