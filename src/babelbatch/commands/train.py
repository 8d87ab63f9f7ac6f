"""The composition root of babelbatch-train: from a configuration to a trained, evaluated and logged run."""

from __future__ import annotations

import logging
import time
import warnings
from functools import partial
from itertools import chain
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint

from babelbatch.batches import Mined, PairData, read_negatives
from babelbatch.benchmarks.leakage import refuse_leakage, refuse_leaking_validation
from babelbatch.commands.build import build, start_loggers
from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.configuration.identity import config_hash, group_of, identity
from babelbatch.configuration.inputs import input_versions
from babelbatch.configuration.schema import sha256_of
from babelbatch.distributed.collectives import leave_group
from babelbatch.encoder import Encoder, save, save_architecture
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.loggers.wandb_run import finish_wandb
from babelbatch.loss import Objective
from babelbatch.records import Benchmark, Corpus
from babelbatch.runs.files import CHECKPOINT_FOLDER, ENCODER_FOLDER
from babelbatch.runs.provenance import provenance
from babelbatch.runs.results import benchmark_facts, write_results
from babelbatch.sampling import Sampling, describe_alpha
from babelbatch.training import (
    AtomicIO,
    FiniteLoss,
    Learner,
    checkpoint_step,
    disable_lightning_signal_handlers,
    keep_freed_memory,
    log_final,
    newest_checkpoint,
    remove_leftovers,
)

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's


def train(cfg: DictConfig, folder: Path) -> None:
    """Trains, evaluates the last weights (or the best, if a callback keeps them), and leaves all of it in `folder`.

    What an earlier attempt left in the folder's checkpoints is gone on from. Of several ranks, all train and encode,
    and the first one writes.
    """
    _hush()
    refuse_missing_gpu(cfg)
    sources = provenance() | input_versions(cfg)  # now: the checkout and the data may change while the run lasts
    torch.set_num_threads(cfg.threads or _THREADS)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)

    corpus = build_corpus(cfg.corpus)
    validation = None if cfg.validation is None else build_corpus(cfg.validation)
    mined = mined_negatives(cfg, corpus)
    benchmarks = build_benchmarks(cfg.benchmarks)
    if not cfg.train_on_test:
        refuse_leakage(corpus, benchmarks)
        refuse_leaking_validation(corpus, validation, benchmarks)
    sampling: Sampling = build(cfg.sampling)
    encoder = build_encoder(cfg.encoder, corpus)
    loss = build_loss(cfg.loss, encoder)
    data = build_data(cfg, corpus, sampling, encoder, mined, loss, validation)
    refuse_unlogged_monitor(cfg.monitor, data)
    build(cfg.tuning)(encoder)
    learner = Learner(
        encoder,
        loss,
        build(cfg.optimizer),
        build(cfg.scheduler),
        total_steps=cfg.trainer.max_steps,
        seed=cfg.seed,
        grad_cache=cfg.grad_cache,
    )
    evaluation: Evaluation = build(cfg.evaluation)
    origin = identity(cfg) | {"the corpus": corpus.fingerprint}
    if validation is not None:
        origin["the validation corpus"] = validation.fingerprint
    if data.transform is not None:
        origin["the dictionaries"] = data.transform.fingerprint
    checkpoints = folder / CHECKPOINT_FOLDER
    callbacks = build_callbacks(cfg, benchmarks, evaluation, checkpoints, origin)
    resumed = newest_checkpoint(checkpoints, origin)
    facts: dict[str, object] = {"strategy": sampling.name, "alpha": data.sampler.alpha.mean}
    loggers = start_loggers(cfg, folder, "train", group_of(cfg, folder), facts, checkpoint_step(resumed))
    try:
        trainer: pl.Trainer = build(cfg.trainer)(
            callbacks=[*callbacks.values(), FiniteLoss()],
            plugins=AtomicIO(),
            logger=loggers or False,
            default_root_dir=str(folder),
            # Said, or Lightning adds a ModelCheckpoint of its own, which writes the whole state at every validation.
            enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks.values()),
            val_check_interval=cfg.trainer.val_check_interval * accumulated(cfg),  # Lightning counts batches
        )
        disable_lightning_signal_handlers(trainer)
        first = trainer.is_global_zero
        log.info(
            "training %s (alpha %s) on %s: %s items, %d languages; %d in-batch negatives per query%s",
            sampling.name, describe_alpha(sampling, data.sampler.alpha), corpus.name, f"{len(corpus):,}",
            len(corpus.languages), sampling.batch_size - 1,
            " (accumulating gradients adds none)" if accumulated(cfg) > 1 else "",
        )  # fmt: skip
        if resumed is not None:
            log.info("going on from %s", resumed)
        if first:
            remove_leftovers(checkpoints, resumed)
            save_architecture(encoder, folder / ENCODER_FOLDER)
        started = time.perf_counter()
        with keep_freed_memory():
            trainer.fit(learner, data, ckpt_path=resumed, weights_only=True)
        trained = time.perf_counter()
        evaluated_step = load_best(learner, trainer, callbacks.get("best"))
        learner.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
        if first:
            save(encoder, folder / ENCODER_FOLDER)
        log.info("evaluating the weights of step %d on %s", evaluated_step, ", ".join(benchmarks))
        results = [evaluation(encoder, benchmark, folder) for benchmark in benchmarks.values()]
        evaluated = time.perf_counter()
        if first:
            log_final(loggers, results, trainer.global_step)
    finally:
        finish_wandb(loggers)
    leave_group()
    if not first:
        return
    if "checkpoint" in callbacks:
        callbacks["checkpoint"].tidy()
    telemetry = callbacks.get("telemetry")
    facts |= {
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        "alpha_realised": telemetry.alpha if telemetry else None,
        **(telemetry.drawn if telemetry else {}),
        "seed": cfg.seed,
        "steps": trainer.global_step,
        "evaluated_step": evaluated_step,
        "ranks": trainer.world_size,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "parameters_trained": sum(part.numel() for part in encoder.parameters() if part.requires_grad),
        "fingerprint/corpus": corpus.fingerprint,
        "fingerprint/validation": None if validation is None else validation.fingerprint,
        "fingerprint/negatives": cfg.negatives_sha256,
        "fingerprint/dictionaries": data.transform.fingerprint if data.transform else None,
        "languages/corpus": list(corpus.languages),
        **benchmark_facts(benchmarks),
        # Of all attempts, validation not counted; without telemetry, of the last attempt.
        "seconds/train": telemetry.seconds if telemetry else trained - started,
        "seconds/evaluate": evaluated - trained,
        **sources,
    }
    write_results(folder, results, facts)


def build_callbacks(
    cfg: DictConfig,
    benchmarks: dict[str, Benchmark],
    evaluation: Evaluation,
    checkpoints: Path,
    origin: dict[str, object],
) -> dict[str, pl.Callback]:
    """The configured callbacks by name, told what only the run knows."""
    callbacks = build(cfg.callbacks)
    if "evaluate" in callbacks:
        callbacks["evaluate"] = callbacks["evaluate"](benchmarks=benchmarks, evaluation=evaluation)
    if "checkpoint" in callbacks:
        callbacks["checkpoint"] = callbacks["checkpoint"](folder=checkpoints, origin=origin)
    return callbacks


def refuse_missing_gpu(cfg: DictConfig) -> None:
    """Raises ValueError for what only a GPU can do, where there is none."""
    if torch.cuda.is_available():
        return
    if cfg.trainer.accelerator in {"gpu", "cuda"}:
        raise ValueError(f"trainer.accelerator: {cfg.trainer.accelerator}, but torch finds no GPU; set trainer=default")
    precision = str(cfg.trainer.get("precision", ""))
    if precision.startswith("16"):
        raise ValueError(f"trainer.precision: {precision} needs a GPU; set trainer.precision=bf16-mixed")


def build_encoder(node: DictConfig, corpus: Corpus | None) -> Encoder:
    """A pretrained encoder, or a new one with a tokenizer trained on the corpus."""
    encoder = build(node)
    if isinstance(encoder, partial):
        assert corpus is not None, "the configuration's rules require a corpus for a new encoder"
        encoder = encoder(texts=chain(corpus.query_texts, corpus.passage_texts))
    return encoder


def build_loss(node: DictConfig, encoder: Encoder) -> Objective:
    """An objective, told the size of the encoder's vectors where it has to know."""
    loss = build(node)
    return loss(dimensions=encoder.dimensions) if isinstance(loss, partial) else loss


def mined_negatives(cfg: DictConfig, corpus: Corpus) -> Mined | None:
    """The configured table of hard negatives. Raises ValueError if it is another one than the configuration says."""
    if cfg.negatives is None:
        return None
    if (content := sha256_of(cfg.negatives)) != cfg.negatives_sha256:
        raise ValueError(
            f"negatives: {cfg.negatives} has the content {content}, not {cfg.negatives_sha256}, which this run began "
            "with; put that table back, or remove the run's folder"
        )
    mined = read_negatives(Path(cfg.negatives), corpus)
    log.info("%s mined hard negatives in %s", f"{len(mined):,}", cfg.negatives)
    return mined


def build_data(
    cfg: DictConfig,
    corpus: Corpus,
    sampling: Sampling,
    encoder: Encoder,
    mined: Mined | None,
    loss: Objective,
    validation: Corpus | None = None,
) -> PairData:
    """Batches for the whole run: an optimiser step may accumulate several."""
    transform = build(cfg.transform) if cfg.transform else None
    return build(cfg.data)(
        corpus=corpus,
        sampling=sampling,
        encoder=encoder,
        seed=cfg.seed,
        steps=cfg.trainer.max_steps * accumulated(cfg),
        mined=mined,
        validation=validation,
        requirements=loss.requirements,
        teacher=None if loss.teacher is None else loss.teacher.encoder,
        transform=transform,
    )


def accumulated(cfg: DictConfig) -> int:
    """Batches an optimiser step."""
    return cfg.trainer.get("accumulate_grad_batches", 1)


def refuse_unlogged_monitor(monitor: str, data: PairData) -> None:
    """Raises ValueError if the validation set has no batches of the kind whose loss is monitored."""
    sampler = data.validation_sampler
    silent = None if sampler is None else {1.0: "x_y", 0.0: "x_x"}.get(sampler.sampling.alpha)
    if silent is not None and monitor == f"validation/loss/{silent}":
        raise ValueError(f"monitor: the validation set has no {silent} batches; set monitor=validation/loss")


def load_best(learner: Learner, trainer: pl.Trainer, best: ModelCheckpoint | None) -> int:
    """Puts the best checkpoint's weights into the learner, if there is such a callback; else leaves the last ones.

    Returns the step that the weights come from.
    """
    if best is None:
        return trainer.global_step
    checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    learner.load_state_dict(checkpoint["state_dict"])
    return checkpoint["global_step"]


def _hush() -> None:
    """Lightning's adverts, device tables, and advice that does not apply."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own affair with torch
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are cheap to prepare
    warnings.filterwarnings("ignore", message=".*Total length of `list` across ranks is zero.*")  # no validation
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # it begins at the right step
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* is not empty.*")  # that is how to go on
