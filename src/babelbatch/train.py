"""The composition root of babelbatch-train: from a configuration to a trained, evaluated and logged run."""

from __future__ import annotations

import logging
import time
import warnings
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from babelbatch.build import build, settle, start_loggers
from babelbatch.callbacks import BatchTelemetry, log_final
from babelbatch.data import PairData
from babelbatch.encoder import Encoder, save, save_architecture
from babelbatch.learner import Learner
from babelbatch.loggers import finish
from babelbatch.records import Benchmark, Corpus
from babelbatch.run_folder import ENCODER_FOLDER, provenance, write_results
from babelbatch.sampling import Sampling

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's


def train(cfg: DictConfig, folder: Path) -> None:
    """Trains, evaluates the best checkpoint on every benchmark, and leaves all of it in `folder`."""
    _hush()
    if cfg.trainer.accelerator in {"gpu", "cuda"} and not torch.cuda.is_available():
        raise ValueError(f"trainer.accelerator: {cfg.trainer.accelerator}, but torch finds no GPU; set trainer=default")
    group = cfg.output_dir
    cfg = settle(cfg, folder)
    origin = provenance()  # now: the checkout may change while the run lasts
    torch.set_num_threads(cfg.threads or _THREADS)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)

    corpus: Corpus = build(cfg.corpus)
    benchmarks: dict[str, Benchmark] = {name: build(node) for name, node in cfg.benchmarks.items()}
    sampling: Sampling = build(cfg.sampling)
    encoder = build_encoder(cfg.encoder, corpus)
    data = build_data(cfg, corpus, sampling, encoder)
    learner = Learner(encoder, build(cfg.loss), build(cfg.optimizer), build(cfg.scheduler), cfg.trainer.max_steps)
    evaluation = build(cfg.evaluation)
    callbacks = build(cfg.callbacks)
    if "evaluate" in callbacks:
        callbacks["evaluate"] = callbacks["evaluate"](benchmarks=benchmarks, evaluation=evaluation)
    facts: dict[str, object] = {"strategy": sampling.name, "alpha": sampling.alpha}
    loggers = start_loggers(cfg, folder, "train", group, facts)
    try:
        trainer: pl.Trainer = build(cfg.trainer)(
            callbacks=list(callbacks.values()), logger=loggers or False, default_root_dir=str(folder)
        )
        log.info(
            "training %s (alpha %g) on %s: %s items, %d languages",
            sampling.name, sampling.alpha, corpus.name, f"{len(corpus):,}", len(corpus.languages),
        )  # fmt: skip
        save_architecture(encoder, folder / ENCODER_FOLDER)
        started = time.perf_counter()
        trainer.fit(learner, data)
        trained = time.perf_counter()
        load_best(learner, trainer)
        learner.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
        save(encoder, folder / ENCODER_FOLDER)
        results = [evaluation(encoder, benchmark) for benchmark in benchmarks.values()]
        evaluated = time.perf_counter()
        log_final(loggers, results, trainer.global_step)
    finally:
        finish(loggers)

    telemetry = next((callback for callback in trainer.callbacks if isinstance(callback, BatchTelemetry)), None)
    facts |= {
        "name": cfg.name,
        "alpha_realised": telemetry.alpha if telemetry else None,
        "seed": cfg.seed,
        "steps": trainer.global_step,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "benchmarks": list(benchmarks),
        "fingerprint/corpus": corpus.fingerprint,
        **{f"fingerprint/{name}": benchmark.fingerprint for name, benchmark in benchmarks.items()},
        "seconds/train": trained - started,
        "seconds/evaluate": evaluated - trained,
        **origin,
    }
    write_results(folder, results, facts)


def build_encoder(node: DictConfig, corpus: Corpus) -> Encoder:
    """A pretrained encoder, or a new one with a tokenizer trained on the corpus."""
    encoder = build(node)
    if isinstance(encoder, partial):
        encoder = encoder(texts=corpus.question_texts + corpus.passage_texts)
    return encoder


def build_data(cfg: DictConfig, corpus: Corpus, sampling: Sampling, encoder: Encoder) -> PairData:
    """Batches for the whole run: an optimiser step may accumulate several."""
    batches = cfg.trainer.max_steps * cfg.trainer.get("accumulate_grad_batches", 1)
    return build(cfg.data)(corpus=corpus, sampling=sampling, encoder=encoder, seed=cfg.seed, steps=batches)


def load_best(learner: Learner, trainer: pl.Trainer) -> None:
    """Puts the best checkpoint's weights into the learner, if a quantity was monitored; else leaves the last ones."""
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if best:
        learner.load_state_dict(torch.load(best, weights_only=True, map_location="cpu")["state_dict"])
        log.info("evaluating the best checkpoint by %s: %s", trainer.checkpoint_callback.monitor, best)


def _hush() -> None:
    """Lightning's adverts, device tables, and advice that does not apply."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own affair with torch
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are cheap to prepare
