"""The composition root of babelbatch-evaluate: scores a trained run, or any encoder, on the benchmarks."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from babelbatch.commands.build import build, device_of, running_loggers
from babelbatch.commands.data import build_benchmarks
from babelbatch.configuration.former_targets import load_config
from babelbatch.configuration.identity import config_hash, identity
from babelbatch.configuration.inputs import input_versions
from babelbatch.encoder import Encoder, load, load_architecture
from babelbatch.evaluation.encoded_texts import encoded_texts
from babelbatch.lexical import Lexical
from babelbatch.progress import waiting
from babelbatch.runs.files import CONFIG_FILE, ENCODER_FOLDER, MERGE_FILE, METRICS_FILE, TRAINED
from babelbatch.runs.provenance import provenance
from babelbatch.runs.results import benchmark_facts, write_results
from babelbatch.training import log_final

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig, folder: Path) -> None:
    """Evaluates one encoder on every benchmark and writes the results to `folder`."""
    sources = provenance() | input_versions(cfg)
    with waiting("loading the encoder"):
        encoder: Encoder | Lexical = load_checkpoint(Path(cfg.checkpoint)) if cfg.checkpoint else build(cfg.encoder)
    parameters = 0
    if isinstance(encoder, Encoder):
        encoder = encoder.to(device_of(cfg.device)).eval()
        parameters = sum(parameter.numel() for parameter in encoder.parameters())
    benchmarks = build_benchmarks(cfg.benchmarks)
    evaluation = build(cfg.evaluation)
    facts: dict[str, object] = {"encoder": cfg.checkpoint or cfg.encoder.get("name_or_path", cfg.encoder._target_)}
    if cfg.checkpoint:
        facts |= facts_of_run(Path(cfg.checkpoint))
    if isinstance(encoder, Encoder):
        first = next(iter(benchmarks.values()))
        facts |= encoded_texts(encoder, first.query_texts[0], first.candidate_texts[0])
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


def facts_of_run(checkpoint: Path) -> dict[str, object]:
    """Strategy, alpha and seed of the finished run that `checkpoint` belongs to, its settings as `trained/<key>`, and
    its validation scores, unless the checkpoint is a .ckpt file, whose weights they may not be of.

    Reports compare and select by them. Of merged runs, what merge.json has. Empty for any other encoder.
    """
    place = checkpoint.absolute()
    folder = place.parent.parent if place.is_file() else place.parent if place.name == ENCODER_FOLDER else place
    if (folder / MERGE_FILE).is_file():
        facts: dict[str, object] = json.loads((folder / MERGE_FILE).read_text(encoding="utf-8"))
        return {key: value for key, value in facts.items() if not key.startswith(TRAINED)} | _trained_with(
            {key.removeprefix(TRAINED): value for key, value in facts.items() if key.startswith(TRAINED)}
        )
    if not ((folder / METRICS_FILE).is_file() and (folder / CONFIG_FILE).is_file()):
        return {}
    metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    settings = identity(load_config(folder / CONFIG_FILE))
    facts = {key: metrics.get(key) for key in ("strategy", "alpha", "seed")} | _trained_with(settings)
    if not place.is_file():
        validation = ("validation/", "fingerprint/validation_queries")
        facts |= {key: value for key, value in metrics.items() if key.startswith(validation)}
    return facts


def _trained_with(settings: Mapping[str, object]) -> dict[str, object]:
    not_trained_with = ("benchmarks.", "evaluation.", "callbacks.evaluate")
    return {f"{TRAINED}{key}": value for key, value in settings.items() if not key.startswith(not_trained_with)}


def load_checkpoint(path: Path) -> Encoder:
    """The encoder of a run: of its folder, of the `encoder` folder in it, or of a .ckpt file in its checkpoints folder.

    Raises ValueError if the run did not finish, or if the path is not of a run.
    """
    if path.is_file():
        architecture = path.parent.parent / ENCODER_FOLDER
        if not (architecture / "config.json").exists():
            raise ValueError(
                f"checkpoint: {path} is not in the checkpoints folder of a run ({architecture} is missing)"
            )
        encoder = load_architecture(architecture)
        state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
        if any(".lora_A." in name for name in state):  # the run's tuning adds the adapters that the weights are for
            build(load_config(path.parent.parent / CONFIG_FILE).tuning)(encoder)
        prefix = "encoder."
        encoder.load_state_dict({name.removeprefix(prefix): w for name, w in state.items() if name.startswith(prefix)})
        return encoder
    if (path / "config.json").exists():
        return load(path)
    if ((path / METRICS_FILE).exists() or (path / MERGE_FILE).exists()) and (path / ENCODER_FOLDER).is_dir():
        return load(path / ENCODER_FOLDER)
    found = sorted(str(file) for file in path.glob("checkpoints/*.ckpt"))
    if found:
        raise ValueError(f"checkpoint: the run in {path} did not finish; it left {', '.join(found)}: name one of them")
    runs = sorted(file.parent.name for file in path.glob(f"*/{METRICS_FILE}"))
    hint = f"it is a sweep; name one of its runs: {', '.join(runs)}" if runs else "it contains no finished run"
    raise ValueError(f"checkpoint: {path} is not a run; {hint}")
