"""The composition root of babelbatch-train: from a configuration to a trained, evaluated and logged run.

`train` is five steps: refuse, assemble, fit, evaluate, record. The training step is `Learner.training_step`.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from babelbatch.batches import CodeSwitching, Mined, PairData, TrainingInputs, read_negatives
from babelbatch.benchmarks.leakage import refuse_leakage, refuse_leaking_validation
from babelbatch.commands.build import build, build_encoder, build_loss, running_loggers
from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.commands.refusals import (
    refuse_altered_negatives,
    refuse_missing_gpu,
    refuse_other_sizes,
    refuse_trained_objective,
    refuse_unfit_data,
    refuse_unlogged_monitor,
)
from babelbatch.configuration.identity import config_hash, identity
from babelbatch.configuration.inputs import input_versions
from babelbatch.configuration.schema import TrainerConfig
from babelbatch.corpora import with_language_fraction
from babelbatch.distributed.collectives import leave_group
from babelbatch.distributed.ranks import SHARDED_STRATEGY, global_rank
from babelbatch.encoder import (
    Encoder,
    check_saved,
    describe_four_bits,
    digest_in_four_bits,
    in_float32,
    parameter_count,
    save,
    save_architecture,
    weights_digest,
)
from babelbatch.evaluation.encoded_texts import encoded_texts, first_queries
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.scoring import Result
from babelbatch.progress import waiting
from babelbatch.records import Benchmark, Corpus
from babelbatch.runs.files import (
    CHECKPOINT_FOLDER,
    ENCODER_FOLDER,
    EVALUATED_STEP,
    INITIAL_WEIGHTS,
    TRAINED_LANGUAGES,
    UNTRAINED_FOLDER,
)
from babelbatch.runs.provenance import provenance
from babelbatch.runs.results import benchmark_facts, skipped_facts, write_results
from babelbatch.sampling import Sampling, describe_alpha
from babelbatch.storage import flush_tree
from babelbatch.storage.checkpoint_file import DamagedCheckpoint, read_checkpoint
from babelbatch.training import (
    AtomicIO,
    BatchTelemetry,
    Checkpoint,
    FiniteLoss,
    Learner,
    ResumedTogether,
    bounded_strategy,
    checkpoint_step,
    cost_facts,
    disable_lightning_signal_handlers,
    keep_freed_memory,
    log_final,
    long_waits_reported,
    newest_checkpoint,
    remove_leftovers,
)

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # one job of a sweep must not inherit another's
_Callback = TypeVar("_Callback", bound=pl.Callback)


@dataclass(frozen=True)
class Run:
    """The data and the place of one run, beside its configuration.

    sources: versions of the code and of the files it read. fingerprints: of its data, by the names of metrics.json.
    """

    cfg: DictConfig
    folder: Path
    sources: Mapping[str, object]
    corpus: Corpus
    validation: Corpus | None
    mined: Mined | None
    transform: CodeSwitching | None
    benchmarks: Mapping[str, Benchmark]
    fingerprints: Mapping[str, str | None]

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / CHECKPOINT_FOLDER

    @property
    def origin(self) -> dict[str, object]:
        """What a checkpoint must have been made with to be resumed from: settings and data."""
        names = {
            "fingerprint/corpus": "the corpus",
            "fingerprint/validation": "the validation corpus",
            "fingerprint/dictionaries": "the dictionaries",
        }
        used = {name: self.fingerprints[key] for key, name in names.items() if self.fingerprints[key] is not None}
        return identity(self.cfg) | used

    @property
    def batches_per_step(self) -> int:
        """Batches whose gradients an optimiser step accumulates."""
        return int(self.cfg.trainer.get("accumulate_grad_batches", 1))

    @property
    def stuck_minutes(self) -> float:
        """How long to wait for a process that does not go on."""
        return float(self.cfg.trainer.get("stuck_minutes", TrainerConfig.stuck_minutes))


@dataclass(frozen=True)
class Parts:
    """What a run is built from.

    initial_weights: digest of the encoder before training. encoded: facts about how it reads texts. resumed: the
        checkpoint to resume from, or None.
    """

    sampling: Sampling
    encoder: Encoder
    initial_weights: str
    encoded: Mapping[str, object]
    data: PairData
    learner: Learner
    evaluation: Evaluation
    callbacks: dict[str, pl.Callback]
    resumed: Path | None

    @property
    def strategy(self) -> dict[str, object]:
        """Name and mean alpha of the strategy, by which reports compare."""
        return {"strategy": self.sampling.name, "alpha": self.data.training.sampler.alpha.mean}

    def callback(self, name: str, kind: type[_Callback]) -> _Callback | None:
        """The configured callback of that name, if it is of that kind."""
        found = self.callbacks.get(name)
        return found if isinstance(found, kind) else None


@dataclass(frozen=True)
class Evaluated:
    """The final scores. step: of the evaluated weights. validation: `validation/<setting>/<metric>` and what they were
    measured on."""

    step: int
    results: list[Result]
    validation: dict[str, object]
    seconds: float


def train(cfg: DictConfig, folder: Path) -> None:
    """Trains, evaluates the last weights (or the best, if a callback saves them) and writes everything to `folder`.

    Resumes from the folder's newest checkpoint, if there is one. With several ranks, all train and encode, and the
    first one writes.
    """
    run = read_or_refuse(cfg, folder)
    parts = assemble(run)
    with running_loggers(cfg, folder, "train", parts.strategy, checkpoint_step(parts.resumed)) as loggers:
        trainer = build_trainer(run, parts, loggers)
        with long_waits_reported(run.stuck_minutes):
            seconds = fit(run, parts, trainer)
            parts = with_whole_encoder(parts)
            evaluated = evaluate(run, parts, trainer)
    with long_waits_reported(run.stuck_minutes):
        leave_group()
    if trainer.is_global_zero:
        record(run, parts, trainer, seconds, evaluated)


def read_or_refuse(cfg: DictConfig, folder: Path) -> Run:
    """Reads the data. Raises ValueError for what this machine or these data make impossible or meaningless."""
    _silence_lightning()
    refuse_missing_gpu(cfg)
    refuse_altered_negatives(cfg)
    sources = provenance() | input_versions(cfg)  # now: the checkout and the data may change during the run
    torch.set_num_threads(cfg.threads or _THREADS)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    corpus = build_corpus(cfg.corpus)
    validation = None if cfg.validation is None else build_corpus(cfg.validation, "validation")
    transform: CodeSwitching | None = build(cfg.transform) if cfg.transform else None
    mined = None
    if cfg.negatives is not None:
        with waiting("reading the hard negatives"):
            mined = read_negatives(Path(cfg.negatives), corpus)
        log.info("%s mined hard negatives in %s", f"{len(mined):,}", cfg.negatives)
    if cfg.language_fraction:
        corpus = with_language_fraction(corpus, cfg.language_fraction, cfg.seed)
    benchmarks = build_benchmarks(cfg.benchmarks)
    if not cfg.train_on_test:
        languages = cfg.sampling.get("languages")
        refuse_leakage(corpus, benchmarks, languages)
        refuse_leaking_validation(corpus, validation, benchmarks, languages)
    fingerprints = {
        "fingerprint/corpus": corpus.fingerprint,
        "fingerprint/validation": None if validation is None else validation.fingerprint,
        "fingerprint/negatives": cfg.negatives_sha256,
        "fingerprint/dictionaries": None if transform is None else transform.fingerprint,
    }
    return Run(cfg, folder, sources, corpus, validation, mined, transform, benchmarks, fingerprints)


def assemble(run: Run) -> Parts:
    """Builds what the configuration names. Raises ValueError for parts that do not fit together."""
    cfg = run.cfg
    sampling: Sampling = build(cfg.sampling)
    steps = None if cfg.trainer.max_steps == -1 else cfg.trainer.max_steps * run.batches_per_step
    availability = None
    if run.transform is None or run.transform.copies == 1:  # more copies may fill a batch that one does not
        availability = refuse_unfit_data(cfg, run.corpus, run.validation, sampling, steps or 1)
    encoder = build_encoder(cfg.encoder, run.corpus)
    if global_rank() == 0:
        check_saved(
            encoder,
            cfg.encoder.get("name_or_path", "the new encoder"),
            run.folder / UNTRAINED_FOLDER,
            trust_remote_code=cfg.encoder.get("trust_remote_code", False),
        )
    encoded = encoded_texts(
        encoder,
        run.corpus.query_texts[0],
        run.corpus.passage_texts[0],
        None if (tasks := run.corpus.query_tasks()) is None else tasks[0],
        first_queries(run.corpus, run.benchmarks),
    )
    initial_weights = weights_digest(encoder)
    loss = build_loss(cfg.loss, encoder)
    refuse_other_sizes(loss, encoder)
    refuse_trained_objective(cfg, loss)
    teacher = None if loss.teacher is None else loss.teacher.encoder
    assert teacher is None or isinstance(teacher, Encoder)
    inputs = TrainingInputs(
        corpus=run.corpus,
        sampling=sampling,
        encoder=encoder,
        seed=cfg.seed,
        steps=steps,
        mined=run.mined,
        validation=run.validation,
        requirements=loss.requirements,
        teacher=teacher,
        transform=run.transform,
        max_tokens=cfg.trainer.get("max_tokens"),
        batches_per_step=run.batches_per_step,
        availability=availability,
        stuck_minutes=run.stuck_minutes,
    )
    with waiting("preparing the training data"):
        data: PairData = build(cfg.data)(inputs)
    refuse_unlogged_monitor(cfg.monitor, data, cfg.callbacks)
    build(cfg.tuning)(encoder)
    if four_bits := describe_four_bits(encoder):
        log.info("tuning.four_bit: %s", four_bits)
        initial_weights = digest_in_four_bits(initial_weights)  # runs over rounded weights begin elsewhere
    learner = Learner(
        encoder,
        loss,
        build(cfg.optimizer),
        build(cfg.scheduler),
        total_steps=data.training.steps // run.batches_per_step,
        seed=cfg.seed,
        grad_cache=cfg.grad_cache,
    )
    evaluation: Evaluation = build(cfg.evaluation)
    if isinstance(evaluation, Evaluation):  # and not one of the user's
        for benchmark in run.benchmarks.values():
            evaluation.check(benchmark)
    origin = run.origin
    callbacks = build_callbacks(run, evaluation, origin)
    resumed = newest_checkpoint(run.checkpoints, origin)
    return Parts(sampling, encoder, initial_weights, encoded, data, learner, evaluation, callbacks, resumed)


def build_callbacks(run: Run, evaluation: Evaluation, origin: dict[str, object]) -> dict[str, pl.Callback]:
    """The configured callbacks by name, completed with what only the run knows."""
    callbacks = build(run.cfg.callbacks)
    if "evaluate" in callbacks:
        callbacks["evaluate"] = callbacks["evaluate"](benchmarks=run.benchmarks, evaluation=evaluation)
    if "checkpoint" in callbacks:
        callbacks["checkpoint"] = callbacks["checkpoint"](folder=run.checkpoints, origin=origin)
    return dict(callbacks)


def build_trainer(run: Run, parts: Parts, loggers: list[Logger]) -> pl.Trainer:
    """A Lightning trainer whose checkpoints and signals are ours."""
    callbacks = list(parts.callbacks.values())
    own = {each.name for each in fields(TrainerConfig)}
    settings = OmegaConf.masked_copy(run.cfg.trainer, [key for key in run.cfg.trainer if key not in own])
    strategy = settings.get("strategy")  # a name, or an own one
    sharded = strategy == SHARDED_STRATEGY
    shards = run.cfg.trainer.get("shards")
    bounded = {"strategy": bounded_strategy(strategy, run.stuck_minutes, shards)} if isinstance(strategy, str) else {}
    if sharded:
        settings.inference_mode = False  # weights gathered under it could not be trained afterwards
    trainer: pl.Trainer = build(settings)(
        callbacks=[ResumedTogether(run.checkpoints, parts.resumed), *callbacks, FiniteLoss()],
        max_steps=parts.data.training.steps // run.batches_per_step,
        plugins=AtomicIO(mapped=sharded),
        logger=loggers or False,
        default_root_dir=str(run.folder),
        # Explicit, or Lightning adds its own ModelCheckpoint, which writes the whole state at every validation.
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        val_check_interval=run.cfg.trainer.val_check_interval * run.batches_per_step,  # Lightning counts batches
        **bounded,
    )
    disable_lightning_signal_handlers(trainer)
    return trainer


def fit(run: Run, parts: Parts, trainer: pl.Trainer) -> float:
    """Trains, from the checkpoint to resume from if there is one. Returns the seconds that it took."""
    sampling, corpus = parts.sampling, run.corpus
    log.info(
        "training %s (alpha %s) on %s: %s items%s, %s; up to %d in-batch negatives per query%s",
        sampling.name, describe_alpha(sampling, parts.data.training.sampler.alpha), corpus.name, f"{len(corpus):,}",
        " (some held out for validation)" if run.validation is None and parts.data.validation is not None else "",
        _counted(len(sampling.languages or corpus.languages), "language"), sampling.batch_size - 1,
        " (accumulating gradients adds none)" if run.batches_per_step > 1 else "",
    )  # fmt: skip
    validation = parts.data.validation
    if validation is not None and (size := validation.sampler.sampling.batch_size) < sampling.batch_size:
        log.info("batches of the validation loss have %d items: no more are held out in every language", size)
    if (budget := run.cfg.trainer.get("max_tokens")) is not None:
        log.info("%s tokens are %s steps", f"{budget:,}", f"{trainer.max_steps:,}")
    if parts.resumed is not None:
        log.info("resuming from %s", parts.resumed)
    if trainer.is_global_zero:
        remove_leftovers(run.checkpoints, parts.resumed)
        save_architecture(parts.encoder, run.folder / ENCODER_FOLDER)
    started = time.perf_counter()
    with keep_freed_memory():
        trainer.fit(parts.learner, parts.data, ckpt_path=parts.resumed, weights_only=True)
    return time.perf_counter() - started


def with_whole_encoder(parts: Parts) -> Parts:
    """The parts with an encoder that is not divided among ranks any more."""
    encoder = parts.learner.encoder = parts.learner.whole_encoder()
    parts.learner.sharded = None
    return replace(parts, encoder=encoder)


def evaluate(run: Run, parts: Parts, trainer: pl.Trainer) -> Evaluated:
    """Evaluates the best weights, or the last ones, on all benchmarks, and saves the encoder with them."""
    started = time.perf_counter()
    step = load_best(parts.learner, trainer, parts.callback("best", ModelCheckpoint))
    parts.learner.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
    encoder = in_float32(parts.encoder)
    if trainer.is_global_zero:
        save(encoder, run.folder / ENCODER_FOLDER)
        flush_tree(run.folder / ENCODER_FOLDER)  # before metrics.json says that the run is complete
    log.info("evaluating the weights of step %d on %s", step, ", ".join(run.benchmarks))
    results = [parts.evaluation(encoder, benchmark, run.folder) for benchmark in run.benchmarks.values()]
    validation = validate(parts, encoder)
    seconds = time.perf_counter() - started
    if trainer.is_global_zero:
        log_final(trainer.loggers, results, trainer.global_step)
    return Evaluated(step, results, validation, seconds)


def validate(parts: Parts, encoder: Encoder) -> dict[str, object]:
    """The encoder's macro retrieval scores on validation items, by which hyperparameters are selected, and the
    fingerprint of these items. They are scored as the benchmarks are, but over all candidates. Empty without validation
    items.
    """
    benchmark = parts.data.validation_benchmark
    if benchmark is None:
        return {}
    exact = replace(parts.evaluation, index=None, trec_files=False, vector_cache=False, dimensions=None)
    metrics = exact(encoder, benchmark).metrics
    scores: dict[str, object] = {key: value for key, value in metrics.items() if key.count("/") == 2}
    return scores | {f"fingerprint/{benchmark.name}_queries": benchmark.fingerprint}


def record(run: Run, parts: Parts, trainer: pl.Trainer, seconds: float, evaluated: Evaluated) -> None:
    """Writes the results and the facts of the run, and keeps the newest checkpoint only.

    seconds: of `fit`; in a resumed run telemetry knows those of all attempts, without validation.
    """
    if (checkpoint := parts.callback("checkpoint", Checkpoint)) is not None:
        checkpoint.keep_newest_only()
    telemetry = parts.callback("telemetry", BatchTelemetry)
    cfg = run.cfg
    facts = {
        **parts.strategy,
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        "alpha_realised": telemetry.alpha if telemetry else None,
        **(telemetry.drawn if telemetry else {}),
        "seed": cfg.seed,
        "steps": trainer.global_step,
        EVALUATED_STEP: evaluated.step,
        "ranks": trainer.world_size,
        "parameters": parameter_count(parts.encoder),
        "parameters_trained": sum(each.numel() for each in parts.encoder.parameters() if each.requires_grad),
        **run.fingerprints,
        **evaluated.validation,
        INITIAL_WEIGHTS: parts.initial_weights,
        **parts.encoded,
        TRAINED_LANGUAGES: list(run.corpus.languages),
        **benchmark_facts(run.benchmarks),
        **skipped_facts("corpus", run.corpus.skipped_rows),
        **cost_facts(parts.learner, telemetry),
        "seconds/train": telemetry.seconds if telemetry else seconds,
        "seconds/evaluate": evaluated.seconds,
        **run.sources,
    }
    with waiting("writing the results"):
        write_results(run.folder, evaluated.results, facts)
        if trainer.is_global_zero:
            _write_card(run.folder)


def _write_card(folder: Path) -> None:
    """README.md of the encoder. A failure is a warning: the run is finished."""
    from babelbatch.report.model_card import write_card  # with scipy.stats, for which the first step need not wait

    try:
        write_card(folder, folder / ENCODER_FOLDER)
    except (ValueError, OSError) as error:
        log.warning("no model card was written: %s", error)


def load_best(learner: Learner, trainer: pl.Trainer, best: ModelCheckpoint | None) -> int:
    """Loads the best checkpoint's weights into the learner, if there is such a callback; returns their step."""
    if best is None:
        return trainer.global_step
    if not best.best_model_path:
        raise ValueError(
            f"callbacks.best: no validation measured {best.monitor}, so no weights are the best and none were "
            f"evaluated; the last ones are in {best.dirpath}: evaluate them with babelbatch-evaluate checkpoint="
        )
    try:
        checkpoint = read_checkpoint(Path(best.best_model_path))
    except DamagedCheckpoint as error:
        path = Path(best.best_model_path)
        raise ValueError(
            f"{path} is damaged ({error}), and the best weights are in no other file; remove {path.parent} and run the "
            "command again"
        ) from error
    learner.load_state_dict(checkpoint["state_dict"])
    return int(checkpoint["global_step"])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _silence_lightning() -> None:
    """Suppresses Lightning's adverts, device tables, and advice that does not apply."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # between Lightning and torch
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are cheap to prepare
    warnings.filterwarnings("ignore", message=".*Total length of `list` across ranks is zero.*")  # no validation
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")  # it begins at the right step
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* is not empty.*")  # a resumed run
