"""What no single signature can know of a configuration: ranges, files, and keys that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from babelbatch.benchmark_rules import problems_of_benchmarks
from babelbatch.config import DEFAULT_MONITOR
from babelbatch.corpus_rules import problems_of_corpus, problems_of_kinds
from babelbatch.lexical_choice import is_lexical, problems_of_lexical
from babelbatch.ranks import devices_a_node, srun_counts_in_all, world_size
from babelbatch.sampling_rules import problems_of_sampling
from babelbatch.signatures import closest


def problems_between(cfg: dict, schema: str) -> Iterator[str]:
    """What no single signature can know: ranges, files, and keys that contradict each other."""
    if schema == "describe":
        if not cfg["corpus"] and not cfg["benchmarks"]:
            yield "corpus: nothing to look at; choose corpus=, benchmarks=, or both"
        if not cfg["corpus"] and (cfg["encoder"] or {}).get("_partial_"):
            yield "encoder: a new encoder takes its tokenizer from a corpus; choose one, or another encoder"
    elif "benchmarks" in cfg and not cfg["benchmarks"]:
        yield "benchmarks: choose at least one"
    yield from _problems_of_range(cfg)
    yield from _problems_of_folders(cfg)
    yield from problems_of_benchmarks(cfg)
    for path in ("corpus", "validation"):
        if isinstance(cfg.get(path), dict):
            yield from problems_of_corpus(cfg[path], path)
    if schema in {"train", "evaluate"}:
        yield from _problems_of_scoring(cfg, schema)
    if is_lexical(cfg["encoder"]):
        yield from problems_of_lexical(cfg, schema)
    own = {"train": _problems_of_training, "evaluate": _problems_of_encoder, "mine": _problems_of_mining}
    if schema in own:
        yield from own[schema](cfg)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node


_RANGES = {  # path: (least, most)
    "sampling.alpha": (0, 1),
    "sampling.batch_size": (2, None),
    "data.validation_fraction": (0, 0.5),
    "data.validation_steps": (1, None),
    "data.num_workers": (0, None),
    "loss.temperature": (0.001, None),
    "loss.kl_temperature": (0.001, None),
    "loss.weight": (0, None),
    "loss.contrastive_weight": (0, 1),
    "loss.warmup": (0, 1),
    "scheduler.warmup": (0, 1),
    "scheduler.final": (0, 1),
    "tuning.frozen_layers": (0, None),
    "tuning.rank": (1, None),
    "tuning.dropout": (0, 0.99),
    "data.forward_overhead": (0, None),
    "data.chunk_tokens": (1, None),
    "callbacks.checkpoint.every_minutes": (0, None),
    "callbacks.checkpoint.every_n_steps": (1, None),
    "optimizer.lr": (0, None),
    "evaluation.token_budget": (1, None),
    "evaluation.sample_queries": (1, None),
    "evaluation.components": (1, None),
    "evaluation.trec_depth": (1, None),
    "evaluation.index.lists": (1, None),
    "evaluation.index.probes": (1, None),
    "evaluation.index.seed": (0, 2**31 - 1),
    "evaluation.index.links": (2, None),
    "evaluation.index.construction": (1, None),
    "evaluation.index.search": (1, None),
    "encoder.k1": (0, None),
    "encoder.b": (0, 1),
    "encoder.least": (1, None),
    "encoder.most": (1, None),
    "corpus.negatives": (0, None),
    "corpus.limit": (1, None),
    "corpus.triples": (1, None),
    "corpus.seed": (0, 2**32 - 1),
    "transform.probability": (0, 1),
    "transform.copies": (1, None),
    "sample": (1, None),
    "trainer.max_steps": (1, None),
    "trainer.accumulate_grad_batches": (1, None),
    "mining.negatives": (1, None),
    "mining.first_rank": (1, None),
    "mining.relative_margin": (0, 1),
    "mining.absolute_margin": (0, None),
    "mining.seed": (0, 2**32 - 1),
    "index.lists": (1, None),
    "index.probes": (1, None),
    "index.seed": (0, 2**31 - 1),
    "index.links": (2, None),
    "index.construction": (1, None),
    "index.search": (1, None),
    "token_budget": (1, None),
    "seed": (0, 2**32 - 1),
    "threads": (1, None),
}


_CORPUS = re.compile(r"^(corpus|validation)(\.parts\.[^.]+)?\.")  # one range for every corpus


def _problems_of_range(cfg: dict) -> Iterator[str]:
    places = list(_RANGES)
    found = [(_CORPUS.sub("corpus.", path), path, value) for path, value in _leaves(cfg, "")]
    known = sorted((one for one in found if one[0] in _RANGES), key=lambda one: places.index(one[0]))
    for place, path, value in known:
        least, most = _RANGES[place]
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            continue
        if not value >= least or (most is not None and value > most):
            allowed = f"between {least} and {most}" if most is not None else f"at least {least}"
            yield f"{path}: {value} is not {allowed}"


def _problems_of_folders(cfg: dict) -> Iterator[str]:
    for path, value in _leaves(cfg, ""):
        given = isinstance(value, str) and value != MISSING
        if path.endswith(".data_dir") and given and not Path(value).is_dir():
            yield f"{path}: there is no folder '{value}'"
    names = {"encoder.name_or_path": cfg.get("encoder", {}).get("name_or_path"), "teacher": cfg.get("teacher")}
    for path, name in names.items():
        if isinstance(name, str) and name.startswith(("/", ".", "~")) and not Path(name).expanduser().is_dir():
            yield f"{path}: there is no folder '{name}'"


def _problems_of_scoring(cfg: dict, schema: str) -> Iterator[str]:
    evaluation = cfg["evaluation"]
    if evaluation.get("index") is not None:
        everything = "a search does not look at all candidates"
        if evaluation.get("debias", "none") != "none":
            yield f"evaluation.debias: {everything}, which it is fitted on; leave it out, or set evaluation=default"
        if evaluation.get("trec_files"):
            yield f"evaluation.trec_files: {everything}; leave it out, or set evaluation=default"
    if evaluation.get("components", 1) != 1 and evaluation.get("debias", "none") != "lir":
        yield "evaluation.components: only LIR removes components; set evaluation.debias=lir"
    if "trec_depth" in evaluation and not evaluation.get("trec_files"):
        yield "evaluation.trec_depth: no TREC files are written; set evaluation.trec_files=true"
    if evaluation.get("sample_queries") is not None:
        if schema == "evaluate":
            yield "evaluation.sample_queries: only for evaluations during training; leave it out"
        elif not cfg["callbacks"].get("evaluate", {}).get("during_training"):
            yield (
                "evaluation.sample_queries: nothing is evaluated during training; "
                "set callbacks.evaluate.during_training=true"
            )


def _problems_of_training(cfg: dict) -> Iterator[str]:
    trainer, callbacks = cfg["trainer"], cfg["callbacks"]
    yield from (f"sampling.{problem}" for problem in problems_of_sampling(cfg["sampling"]))
    yield from problems_of_kinds(cfg["corpus"], cfg["sampling"])
    yield from _problems_of_negatives(cfg)
    yield from _problems_of_validation(cfg)
    yield from _problems_of_objective(cfg)
    dictionaries = (cfg["transform"] or {}).get("dictionaries")
    if isinstance(dictionaries, str) and dictionaries != MISSING and not Path(dictionaries).is_dir():
        yield f"transform.dictionaries: there is no folder '{dictionaries}'"
    for key in ("callbacks", "logger", "default_root_dir", "enable_checkpointing", "enable_progress_bar"):
        if key in trainer:
            yield f"trainer.{key}: set by the run itself; use the config groups callbacks and logger instead"
    if "plugins" in trainer:
        yield "trainer.plugins: set by the run itself, which saves its checkpoints in its own way"
    if cfg["grad_cache"] and cfg["data"].get("chunk_tokens") is None:
        yield "data.chunk_tokens: grad_cache holds one chunk in memory; say how large, such as data.chunk_tokens=8192"
    yield from _problems_of_precision(cfg)
    yield from _problems_of_scaling(cfg)
    interval = trainer.get("val_check_interval")
    if not isinstance(interval, int) or interval < 1:
        yield f"trainer.val_check_interval: {interval} is not a number of steps"
    if "best" in callbacks or "early_stopping" in callbacks:
        yield from _problems_of_monitor(cfg)
    elif cfg["monitor"] != DEFAULT_MONITOR:
        yield "monitor: nothing watches it; set callbacks=early_stopping"


def _problems_of_validation(cfg: dict) -> Iterator[str]:
    validation = cfg["validation"]
    if validation is None:
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


def _problems_of_negatives(cfg: dict) -> Iterator[str]:
    path = cfg["negatives"]
    if path is None and cfg["negatives_sha256"] is not None:
        yield "negatives_sha256: there are no negatives; set negatives=<the table>, or leave it out"
    elif path is not None and not Path(path).is_file():
        yield f"negatives: there is no file '{path}'; babelbatch-mine writes one, negatives.parquet"


def _problems_of_objective(cfg: dict) -> Iterator[str]:
    loss, corpus_languages = cfg["loss"], cfg["corpus"].get("languages")
    if loss["_target_"].rpartition(".")[2] in {"LanguageKL", "Alignment"}:
        for path, languages in (
            ("sampling.languages", cfg["sampling"].get("languages")),
            ("corpus.languages", corpus_languages),
        ):
            if isinstance(languages, list) and len(languages) == 1:
                yield f"{path}: a loss of translations needs two languages; add one, or set loss=contrastive"
    taught = loss.get("language", "en") if "teacher" in loss else None
    if isinstance(corpus_languages, list) and taught is not None and taught not in corpus_languages:
        yield f"corpus.languages: the teacher reads '{taught}', which is not among them; add it, or set loss.language"


def _problems_of_precision(cfg: dict) -> Iterator[str]:
    attention, precision = cfg["encoder"].get("attention"), str(cfg["trainer"].get("precision", "32-true"))
    if attention == "flash_attention_2" and not precision.startswith(("bf16", "16")):
        yield (
            f"encoder.attention: flash_attention_2 computes in half precision only, but trainer.precision is "
            f"{precision}; set trainer.precision=bf16-mixed, or encoder.attention=sdpa"
        )


def _problems_of_scaling(cfg: dict) -> Iterator[str]:
    if cfg["optimizer"].get("fused") and str(cfg["trainer"].get("precision", "")).startswith("16"):
        yield (
            "optimizer.fused: with trainer.precision=16-mixed gradients cannot be clipped; set optimizer.fused=false, "
            "or trainer.precision=bf16-mixed"
        )


def problems_of_devices(cfg: dict, launcher: str | None) -> Iterator[str]:
    trainer = cfg["trainer"]
    devices = devices_a_node(trainer.get("devices", "auto"))
    if devices is None:
        yield (
            f"trainer.devices: {trainer.get('devices', 'auto')!r} does not say how many; "
            "set a number, or a list such as [0,2]"
        )
        return
    nodes = trainer.get("num_nodes", 1)
    if not isinstance(nodes, int) or nodes < 1:
        yield f"trainer.num_nodes: {nodes!r} is not at least 1"
        return
    total, started = devices * nodes, world_size() or 1
    if started > 1 and launcher is not None:
        yield "hydra/launcher: a sweep starts the processes of its jobs itself; type it without torchrun or srun"
    elif started > 1 and started != total:
        yield f"trainer.devices: {started} processes were started, but trainer.devices times num_nodes is {total}"
    elif srun_counts_in_all():
        yield (
            f"trainer.devices: srun was told the number of processes in all; "
            f"type srun --nodes={nodes} --ntasks-per-node={devices}"
        )
    if total == 1:
        return
    strategy = trainer.get("strategy", "auto")
    if isinstance(strategy, str) and (not strategy.startswith("ddp") or re.search("spawn|fork|notebook", strategy)):
        yield f"trainer.strategy: {total} devices need the strategy ddp, not {strategy!r}; set trainer=ddp"
    size = cfg["sampling"].get("batch_size")
    if isinstance(size, int) and size < total:
        yield f"sampling.batch_size: {size} pairs do not give each of {total} devices one; raise it"
    if launcher is not None and launcher.endswith(".BasicLauncher"):
        yield f"trainer.devices: in a sweep, {total} devices need fresh processes; set hydra/launcher=fresh"
    elif nodes > 1 and started == 1 and (launcher is None or launcher.endswith(".FreshLauncher")):
        yield (
            f"trainer.num_nodes: nothing has started the processes on {nodes} machines; "
            "use srun, torchrun or a launcher such as submitit_slurm"
        )


def _problems_of_monitor(cfg: dict) -> Iterator[str]:
    monitor, steps, interval = cfg["monitor"], cfg["trainer"].get("max_steps"), cfg["trainer"].get("val_check_interval")
    if isinstance(steps, int) and isinstance(interval, int) and interval > 0 and steps % interval:
        yield (
            f"trainer.val_check_interval: {interval} does not divide trainer.max_steps={steps}: the last steps would "
            "never be judged; set it to a divisor, or set callbacks=default"
        )
    first, *rest = monitor.split("/")
    if first == "validation":
        if rest not in (["loss"], ["loss", "x_x"], ["loss", "x_y"]):
            yield f"monitor: no '{monitor}'; there are validation/loss, validation/loss/x_x and validation/loss/x_y"
        elif cfg["data"].get("validation_fraction") == 0 and cfg["validation"] is None:
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
    elif not re.fullmatch(_METRIC, "/".join(rest)):
        yield f"monitor: '{monitor}' is not <benchmark>/<setting>/<metric>, such as {first}/multilingual/map"
    elif cfg["evaluation"].get("index") is not None and rest[1] in _NOT_SEARCHED:
        yield (
            f"monitor: a search does not find {rest[1]}; set monitor={first}/{rest[0]}/ndcg@10, or evaluation=default"
        )


# The names are those of `metrics.py`, which is not imported here: this file is read before numpy is.
_METRIC = (
    r"(monolingual|crosslingual|multilingual)/(map|map@20|mrr@100|ndcg@10|ndcg@20|recall@1|recall@10|recall@100)"
    r"(/[\w-]+)?"
    r"|multilingual/(rank_distance|rank_distance_normalised|mrc@10|peer@100)(/\w+)?"  # what has a better end
)


_NOT_SEARCHED = {"map", "rank_distance", "rank_distance_normalised", "mrc@10"}


def _problems_of_encoder(cfg: dict) -> Iterator[str]:
    encoder, checkpoint = cfg["encoder"], cfg["checkpoint"]
    if checkpoint is not None and not Path(checkpoint).exists():
        yield f"checkpoint: there is no '{checkpoint}'"
    if encoder.get("_partial_"):
        yield "encoder: a new encoder has learned nothing; set checkpoint=<run>, or encoder=local encoder.name_or_path="
    elif checkpoint is not None and encoder.get("name_or_path") != MISSING and not is_lexical(encoder):
        yield "checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path"


def _problems_of_mining(cfg: dict) -> Iterator[str]:
    yield from _problems_of_encoder(cfg)
    if not cfg["corpus"] and cfg["checkpoint"] is None:
        yield "corpus: choose one, or set checkpoint to a run, whose corpus is then mined"
    mining = cfg["mining"]
    numbers = [mining.get(key, default) for key, default in (("negatives", 5), ("first_rank", 1), ("last_rank", 100))]
    if all(isinstance(number, int) for number in numbers):
        negatives, first, last = numbers
        if last - first + 1 < negatives:
            yield f"mining.last_rank: ranks {first} to {last} do not hold {negatives} negatives; raise it"
