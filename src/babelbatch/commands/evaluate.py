"""The composition root of babelbatch-evaluate: scores a trained run, or any encoder, on the benchmarks."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from omegaconf import DictConfig

from babelbatch.commands.build import build, running_loggers
from babelbatch.commands.checkpoint import encoder_folder, facts_of_run, load_checkpoint
from babelbatch.commands.data import build_benchmarks
from babelbatch.commands.kept import Kept, description_of, file_states
from babelbatch.commands.ranks import OTHER_WORK, joined_ranks
from babelbatch.configuration.identity import config_hash
from babelbatch.configuration.inputs import input_versions, is_own_code
from babelbatch.distributed.collectives import require_equal
from babelbatch.distributed.ranks import ranks_of_step
from babelbatch.encoder import Encoder, device_of, fingerprint, unstored_buffers_digest
from babelbatch.evaluation.encoded_texts import encoded_texts, first_queries
from babelbatch.lexical import Lexical
from babelbatch.progress import waiting
from babelbatch.records import Benchmark
from babelbatch.runs.files import CONFIG_FILE, ENCODER_FOLDER
from babelbatch.runs.provenance import provenance
from babelbatch.runs.results import benchmark_facts, write_results
from babelbatch.sources.models import ADAPTER_FILE
from babelbatch.training import log_final

log = logging.getLogger(__name__)


def encoder_state(encoder: Encoder | Lexical) -> str:
    """A digest of what may change while an encoder runs, such as positions that are scaled by the length of a text."""
    return unstored_buffers_digest(encoder) if isinstance(encoder, Encoder) else ""


_ENCODER: Kept[Encoder | Lexical] = Kept("the encoder", encoder_state)
_BENCHMARKS: Kept[dict[str, Benchmark]] = Kept("the data of the benchmarks")


def evaluate(cfg: DictConfig, folder: Path) -> None:
    """Evaluates one encoder on every benchmark and writes the results to `folder`. Several ranks divide the work."""
    with joined_ranks():
        _evaluate(cfg, folder)


def _evaluate(cfg: DictConfig, folder: Path) -> None:
    versions = input_versions(cfg)
    sources = provenance() | versions
    with waiting("loading the encoder"):
        encoder = _ENCODER.get(described_encoder(cfg), lambda: _load_encoder(cfg))
    parameters = 0
    if isinstance(encoder, Encoder):
        encoder = encoder.to(device_of(cfg.device)).eval()
        parameters = sum(parameter.numel() for parameter in encoder.parameters())
    described = None if _is_own(cfg.evaluation) else description_of(cfg.benchmarks)
    benchmarks = _BENCHMARKS.get(described and (described, versions), lambda: build_benchmarks(cfg.benchmarks))
    if ranks_of_step() > 1:
        weights = fingerprint(encoder) if isinstance(encoder, Encoder) else ""
        data = " ".join(benchmark.fingerprint for benchmark in benchmarks.values())
        require_equal(f"{config_hash(cfg)} {weights} {data}", OTHER_WORK)
    evaluation = build(cfg.evaluation)
    facts: dict[str, object] = {"encoder": cfg.checkpoint or cfg.encoder.get("name_or_path", cfg.encoder._target_)}
    if cfg.checkpoint:
        facts |= facts_of_run(Path(cfg.checkpoint))
    if isinstance(encoder, Encoder):
        first = next(iter(benchmarks.values()))
        facts |= encoded_texts(
            encoder, first.query_texts[0], first.candidate_texts[0], first.name, first_queries(None, benchmarks)
        )
    with running_loggers(cfg, folder, "evaluate", facts) as loggers:
        started = time.perf_counter()
        results = []
        for benchmark in benchmarks.values():
            queries, candidates = len(benchmark.query_ids), len(benchmark.candidate_ids)
            log.info("%s: %d queries, %d candidates, %s", benchmark.name, queries, candidates, benchmark.protocol)
            results.append(evaluation(encoder, benchmark, folder))
        log_final(loggers, results, step=0)
    facts |= {
        "name": cfg.name,
        "config_hash": config_hash(cfg),
        **benchmark_facts(benchmarks),
        "parameters": parameters,
        "seconds/evaluate": time.perf_counter() - started,
        **sources,
    }
    with waiting("writing the results"):
        write_results(folder, results, facts)


def _load_encoder(cfg: DictConfig) -> Encoder | Lexical:
    return load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else build(cfg.encoder)


def described_encoder(cfg: DictConfig) -> object:
    """What the encoder is read from; None if that cannot be told, or if code of the user's may change the encoder."""
    if _is_own(cfg.evaluation):
        return None
    if not cfg.checkpoint:
        if (Path(str(cfg.encoder.get("name_or_path"))) / ADAPTER_FILE).is_file():  # of a model in another folder
            return None
        described = description_of(cfg.encoder)
        return described and (described, cfg.device)
    place = Path(cfg.checkpoint)
    run = place.parent.parent
    read = [place, run / ENCODER_FOLDER, run / CONFIG_FILE] if place.is_file() else [encoder_folder(place)]
    return [(str(each.absolute()), file_states(each)) for each in read], cfg.device


def _is_own(evaluation: DictConfig) -> bool:
    return is_own_code("_target_", evaluation.get("_target_"))
