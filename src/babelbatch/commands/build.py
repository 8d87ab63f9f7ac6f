"""What the composition roots share: build what the configuration names, start the loggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from babelbatch.configuration.identity import group_of
from babelbatch.encoder import Encoder
from babelbatch.loggers.wandb_run import finish_wandb
from babelbatch.loss import Objective
from babelbatch.records import Corpus

build = partial(instantiate, _convert_="all")
"""Builds what a node's `_target_` names. A node with `_partial_` gives a partial, which the run completes."""


def build_encoder(node: DictConfig, corpus: Corpus | None) -> Encoder:
    """A pretrained encoder, or a new one with a tokenizer trained on the corpus."""
    built: Encoder | partial[Encoder] = build(node)
    if isinstance(built, partial):
        assert corpus is not None, "the configuration's rules require a corpus for a new encoder"
        return built(texts=chain(corpus.query_texts, corpus.passage_texts))
    return built


def build_loss(node: DictConfig, encoder: Encoder) -> Objective:
    """An objective; one with a projection is given the size of the encoder's vectors."""
    built: Objective | partial[Objective] = build(node)
    return built(dimensions=encoder.dimensions) if isinstance(built, partial) else built


@contextmanager
def running_loggers(
    cfg: DictConfig, folder: Path, job_type: str, facts: Mapping[str, object], resumed_step: int = 0
) -> Iterator[list[Logger]]:
    """Starts the configured loggers, and finishes them at the end, also after an exception.

    job_type: `train` or `evaluate`, for the dashboard. facts: columns beside the configuration.
    resumed_step: optimiser steps of the checkpoint that the run resumes from, 0 for a new run.
    """
    loggers: list[Logger] = []
    try:
        for name, node in cfg.logger.items():
            logger = _start_logger(cfg, str(name), node, folder, job_type, resumed_step)
            settings: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]  # a mapping
            logger.log_hyperparams({**facts, **settings})
            loggers.append(logger)
        yield loggers
    finally:
        finish_wandb(loggers)


def _start_logger(
    cfg: DictConfig, name: str, node: DictConfig, folder: Path, job_type: str, resumed_step: int
) -> Logger:
    options: dict[str, object] = {"save_dir": str(folder)}
    if name == "wandb":
        options |= {"name": folder.name, "group": group_of(cfg, folder), "job_type": job_type}
    elif name == "csv":
        options |= {"resumed_step": resumed_step}
    logger: Logger = build(node)(**options)
    if name == "wandb":
        logger.define_summaries(list(cfg.benchmarks))  # type: ignore[attr-defined]  # of `WandbRun`
    return logger
