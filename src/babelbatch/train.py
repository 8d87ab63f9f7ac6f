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
from pytorch_lightning.callbacks import ModelCheckpoint

from babelbatch.build import build, build_benchmarks, start_loggers
from babelbatch.callbacks import BatchTelemetry, log_final
from babelbatch.data import PairData
from babelbatch.encoder import Encoder, save, save_architecture
from babelbatch.identity import config_hash, group_of
from babelbatch.learner import Learner
from babelbatch.loggers import finish
from babelbatch.records import Benchmark, Corpus
from babelbatch.run_files import ENCODER_FOLDER
from babelbatch.run_folder import provenance, write_results
from babelbatch.sampling import Sampling

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's


def train(cfg: DictConfig, folder: Path) -> None:
    """Trains, evaluates the last weights (or the best, if a callback keeps them), and leaves all of it in `folder`."""
    _hush()
    if cfg.trainer.accelerator in {"gpu", "cuda"} and not torch.cuda.is_available():
        raise ValueError(f"trainer.accelerator: {cfg.trainer.accelerator}, but torch finds no GPU; set trainer=default")
    origin = provenance()  # now: the checkout may change while the run lasts
    torch.set_num_threads(cfg.threads or _THREADS)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)

    corpus: Corpus = build(cfg.corpus)
    benchmarks = build_benchmarks(cfg)
    if not cfg.train_on_test:
        refuse_leakage(corpus, benchmarks)
    sampling: Sampling = build(cfg.sampling)
    encoder = build_encoder(cfg.encoder, corpus)
    data = build_data(cfg, corpus, sampling, encoder)
    learner = Learner(encoder, build(cfg.loss), build(cfg.optimizer), build(cfg.scheduler), cfg.trainer.max_steps)
    evaluation = build(cfg.evaluation)
    callbacks = build(cfg.callbacks)
    if "evaluate" in callbacks:
        callbacks["evaluate"] = callbacks["evaluate"](benchmarks=benchmarks, evaluation=evaluation)
    facts: dict[str, object] = {"strategy": sampling.name, "alpha": sampling.alpha}
    loggers = start_loggers(cfg, folder, "train", group_of(cfg, folder), facts)
    try:
        trainer: pl.Trainer = build(cfg.trainer)(
            callbacks=list(callbacks.values()),
            logger=loggers or False,
            default_root_dir=str(folder),
            val_check_interval=cfg.trainer.val_check_interval * accumulated(cfg),  # Lightning counts batches
        )
        log.info(
            "training %s (alpha %g) on %s: %s items, %d languages",
            sampling.name, sampling.alpha, corpus.name, f"{len(corpus):,}", len(corpus.languages),
        )  # fmt: skip
        save_architecture(encoder, folder / ENCODER_FOLDER)
        started = time.perf_counter()
        trainer.fit(learner, data)
        trained = time.perf_counter()
        evaluated_step = load_best(learner, trainer, callbacks.get("best"))
        learner.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
        save(encoder, folder / ENCODER_FOLDER)
        log.info("evaluating the weights of step %d on %s", evaluated_step, ", ".join(benchmarks))
        results = [evaluation(encoder, benchmark) for benchmark in benchmarks.values()]
        evaluated = time.perf_counter()
        log_final(loggers, results, trainer.global_step)
    finally:
        finish(loggers)

    telemetry = next((callback for callback in trainer.callbacks if isinstance(callback, BatchTelemetry)), None)
    facts |= {
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        "alpha_realised": telemetry.alpha if telemetry else None,
        "seed": cfg.seed,
        "steps": trainer.global_step,
        "evaluated_step": evaluated_step,
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
    batches = cfg.trainer.max_steps * accumulated(cfg)
    return build(cfg.data)(corpus=corpus, sampling=sampling, encoder=encoder, seed=cfg.seed, steps=batches)


def accumulated(cfg: DictConfig) -> int:
    """Batches an optimiser step."""
    return cfg.trainer.get("accumulate_grad_batches", 1)


def refuse_leakage(corpus: Corpus, benchmarks: dict[str, Benchmark]) -> None:
    """Raises ValueError if a benchmark asks, to the letter, more than one in a hundred of the corpus's questions."""
    trained = set(corpus.question_texts)
    for name, benchmark in benchmarks.items():
        seen = sum(text in trained for text in benchmark.query_texts)
        if seen > len(benchmark.query_texts) / 100:
            raise ValueError(
                f"{seen:,} of the {len(benchmark.query_texts):,} questions of benchmark {name} are in the corpus "
                f"{corpus.name}: its scores would mean nothing; choose another, or set train_on_test=true"
            )


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
