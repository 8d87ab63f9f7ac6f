"""What a training run refuses before it reads or builds anything large, and what its data make impossible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from babelbatch.batches import PairData
from babelbatch.configuration.schema import sha256_of
from babelbatch.configuration.signatures import parameters
from babelbatch.distributed.ranks import SHARDED_STRATEGY
from babelbatch.encoder import Encoder
from babelbatch.loss import Objective
from babelbatch.progress import waiting
from babelbatch.records import Corpus
from babelbatch.sampling import Availability, Sampling, refuse_unfit_corpus, refuse_unfit_validation


def refuse_missing_gpu(cfg: DictConfig) -> None:
    """Raises ValueError for settings that require a GPU, on a machine without one."""
    if torch.cuda.is_available():
        return
    if cfg.trainer.accelerator in {"gpu", "cuda"}:
        raise ValueError(f"trainer.accelerator: {cfg.trainer.accelerator}, but torch finds no GPU; set trainer=default")
    precision = str(cfg.trainer.get("precision", ""))
    if precision.startswith("16"):
        raise ValueError(f"trainer.precision: {precision} needs a GPU; set trainer.precision=bf16-mixed")


def refuse_altered_negatives(cfg: DictConfig) -> None:
    """Raises ValueError if the table of hard negatives is not the one that the run began with."""
    if cfg.negatives is not None and (content := sha256_of(cfg.negatives)) != cfg.negatives_sha256:
        raise ValueError(
            f"negatives: {cfg.negatives} has the content {content}, not {cfg.negatives_sha256}, which this run began "
            "with; put that table back, or remove the run's folder"
        )


def refuse_unfit_data(
    cfg: DictConfig, corpus: Corpus, validation: Corpus | None, sampling: Sampling, steps: int
) -> Availability | None:
    """Raises ValueError, before an encoder is loaded, if the corpus or the validation items are too few for a batch.

    Returns the availability of the corpus, which takes most of the time; None for a mixture: its parts have their own.
    """
    default = parameters(cfg.data["_target_"]).get("validation_fraction")
    fraction = 0.0 if default is None else cfg.data.get("validation_fraction", default.value)
    if validation is not None:
        fraction = 0.0
    with waiting("counting the items of each language"):
        availability = Availability(corpus) if corpus.mixture is None else None
        refuse_unfit_corpus(
            corpus, sampling, cfg.seed, validation_fraction=fraction, steps=steps, availability=availability
        )
        if fraction or validation is not None:
            refuse_unfit_validation(corpus, validation, sampling, fraction, availability)
    return availability


def refuse_unlogged_monitor(monitor: str, data: PairData, callbacks: Mapping[str, Any]) -> None:
    """Raises ValueError if a callback acts at validations and there are none, or if the monitored loss is of a kind of
    batch that the validation set does not have."""
    if data.validation is None:
        acting = [f"callbacks.{name}" for name in ("best", "early_stopping") if name in callbacks]
        if (callbacks.get("evaluate") or {}).get("during_training"):
            acting.append("callbacks.evaluate.during_training")
        if acting:
            verb = "acts" if len(acting) == 1 else "act"
            raise ValueError(
                f"data.validation_fraction: it holds no item out of this corpus, so nothing is validated, and "
                f"{', '.join(acting)} never {verb}; raise it, or set callbacks=default without during_training"
            )
        return
    missing = {1.0: "x_y", 0.0: "x_x"}.get(data.validation.sampler.sampling.alpha)
    if missing is not None and monitor == f"validation/loss/{missing}":
        raise ValueError(f"monitor: the validation set has no {missing} batches; set monitor=validation/loss")


def refuse_trained_objective(cfg: DictConfig, loss: Objective) -> None:
    """Raises ValueError if the objective has weights to train that trainer=fsdp would not divide, nor keep equal."""
    if cfg.trainer.get("strategy") == SHARDED_STRATEGY and any(each.requires_grad for each in loss.parameters()):
        raise ValueError(
            f"loss: {type(loss).__name__} trains weights of its own, and fsdp only those of the encoder; "
            "set trainer=ddp"
        )


def refuse_other_sizes(loss: Objective, encoder: Encoder) -> None:
    """Raises ValueError if `loss.matryoshka` does not fit the encoder's vectors."""
    sizes, whole = loss.matryoshka, encoder.dimensions
    if not sizes:
        return
    if not encoder.settings.normalise:
        raise ValueError(
            "loss.matryoshka: cut vectors are scaled to unit length, but the encoder's are not; set "
            "encoder.normalise=true, or leave it out"
        )
    if sizes[0] > whole:
        raise ValueError(
            f"loss.matryoshka: {sizes[0]} dimensions, but the encoder's vectors have {whole}; leave it out"
        )
    if sizes[0] < whole:
        shown = ", ".join(map(str, sizes))
        raise ValueError(
            f"loss.matryoshka: {shown}, but not the encoder's own {whole} dimensions; add {whole}, or set "
            f"encoder.dimensions={sizes[0]}"
        )
