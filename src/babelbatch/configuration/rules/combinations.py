"""Checks across settings: ranges, files, and keys that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from babelbatch.configuration.rules.benchmarks import problems_of_benchmarks
from babelbatch.configuration.rules.contrasts import problems_of_contrasts
from babelbatch.configuration.rules.corpora import (
    problems_of_corpus,
    problems_of_kinds,
    problems_of_language_fraction,
    problems_of_languages,
    problems_of_versions,
)
from babelbatch.configuration.rules.lexical import is_lexical, problems_of_lexical
from babelbatch.configuration.rules.packages import problems_of_packages
from babelbatch.configuration.rules.prompts import problems_of_prompts
from babelbatch.configuration.rules.ranges import leaves, problems_of_ranges
from babelbatch.configuration.rules.ranks import problems_of_ranks
from babelbatch.configuration.rules.report_selection import problems_of_report_selection
from babelbatch.configuration.rules.sampling import problems_of_sampling
from babelbatch.configuration.rules.selection import problems_of_monitor, problems_of_validation
from babelbatch.configuration.rules.vectors import problems_of_passages, problems_of_shard, problems_of_vectors
from babelbatch.configuration.schema import DEFAULT_MONITOR, ENDS_EARLY
from babelbatch.configuration.signatures import closest
from babelbatch.distributed.ranks import SHARDED_STRATEGY
from babelbatch.records import find_language, problem_of_name

_PRECISIONS = {"32", "32-true", "bf16", "bf16-mixed", "16", "16-mixed"}
_MODEL_FILES = ("config.json", "babelbatch.json", "modules.json", "adapter_config.json")
"""One of them is in every folder of a model: of transformers, babelbatch, sentence-transformers, or an adapter."""


def problems_between(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    """Yields `path: problem; remedy` for values out of range, missing files, and settings that contradict each
    other."""
    if schema == "describe":
        if not cfg["corpus"] and not cfg["benchmarks"]:
            yield "corpus: nothing to describe; set corpus=, benchmarks=, experiment=, or several"
        if not cfg["corpus"] and (cfg["encoder"] or {}).get("_partial_"):
            yield "encoder: a new encoder takes its tokenizer from a corpus; choose one, or another encoder"
        yield from (f"sampling.{problem}" for problem in problems_of_sampling(cfg["sampling"]))
    elif "benchmarks" in cfg and not cfg["benchmarks"] and schema != "encode":
        yield "benchmarks: choose at least one"
    if "name" in cfg and (problem := problem_of_name(cfg["name"])) is not None:
        yield f"name: {cfg['name'][:80]!r} {problem}, and a folder is called by it; choose another"
    yield from problems_of_ranges(cfg)
    yield from _problems_of_folders(cfg)
    yield from problems_of_benchmarks(cfg)
    yield from problems_of_contrasts(cfg)
    yield from problems_of_report_selection(cfg, tuple((cfg.get("evaluation") or {}).get("metrics") or ()))
    for path in ("corpus", "validation"):
        if isinstance(cfg.get(path), dict):
            yield from problems_of_corpus(cfg[path], path)
    if schema in {"train", "evaluate"}:
        yield from _problems_of_scoring(cfg, schema)
    yield from problems_of_prompts(cfg)
    if "encoder" in cfg and is_lexical(cfg["encoder"]):
        yield from problems_of_lexical(cfg, schema)
    own = {"train": _problems_of_training, "evaluate": _problems_of_encoder, "mine": _problems_of_mining}
    own |= {"search": _problems_of_search, "export": _problems_of_export, "encode": _problems_of_encoding}
    yield from problems_of_vectors(cfg, schema)
    yield from problems_of_ranks(cfg, schema)
    if schema in own:
        yield from own[schema](cfg)


def _problems_of_folders(cfg: dict[str, Any]) -> Iterator[str]:
    for path, value in leaves(cfg, ""):
        given = isinstance(value, str) and value != MISSING
        if path.endswith(".data_dir") and given and not Path(value).is_dir():
            yield f"{path}: there is no folder '{value}'"
    names = {"encoder.name_or_path": cfg.get("encoder", {}).get("name_or_path"), "teacher": cfg.get("teacher")}
    for path, name in names.items():
        if not isinstance(name, str) or name == MISSING:
            continue
        folder = Path(name).expanduser()
        if folder.is_dir():
            yield from _problems_of_model_folder(path, folder)
        elif name.startswith(("/", ".", "~")):
            yield f"{path}: there is no folder '{name}'"


def _problems_of_model_folder(path: str, folder: Path) -> Iterator[str]:
    """A folder without a model. What is in the model's files is checked when it is loaded."""
    if any((folder / name).is_file() for name in _MODEL_FILES):
        return
    if (folder / "encoder" / "config.json").is_file():
        yield f"{path}: '{folder}' is a run, not a model; set it to {folder}/encoder"
    else:
        yield f"{path}: there is no model in the folder '{folder}' (no config.json); name the folder that holds it"


def _problems_of_scoring(cfg: dict[str, Any], schema: str) -> Iterator[str]:
    evaluation = cfg["evaluation"]
    if isinstance(evaluation.get("index"), dict) and "_target_" not in evaluation["index"]:
        yield "evaluation.index: it has no index; set index@evaluation.index=ivf, exact or hnsw, or leave it out"
    elif evaluation.get("index") is not None:
        everything = "a search does not score all candidates"
        if evaluation.get("debias", "none") != "none":
            yield f"evaluation.debias: {everything}, which it is fitted on; leave it out, or set evaluation=default"
        if evaluation.get("trec_files"):
            yield f"evaluation.trec_files: {everything}; leave it out, or set evaluation=default"
        if evaluation.get("dimensions"):
            yield "evaluation.dimensions: an index is of whole vectors; leave it out, or set evaluation=default"
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


def _problems_of_training(cfg: dict[str, Any]) -> Iterator[str]:
    trainer, callbacks = cfg["trainer"], cfg["callbacks"]
    dtype = cfg["encoder"].get("dtype", "float32")
    if dtype == "float16":
        yield "encoder.dtype: gradients of float16 overflow in training; set encoder.dtype=bfloat16 with tuning=lora"
    elif dtype != "float32" and str(cfg["tuning"].get("_target_")).rpartition(".")[2] != "lora":
        yield (
            f"encoder.dtype: {dtype} loses small updates of trained weights; set tuning=lora, which trains adapters in "
            "float32, or leave it out and set trainer.precision=bf16-mixed, or loss.teacher.dtype for a teacher"
        )
    yield from problems_of_packages(cfg)
    yield from (f"sampling.{problem}" for problem in problems_of_sampling(cfg["sampling"]))
    yield from problems_of_kinds(cfg["corpus"], cfg["sampling"])
    yield from problems_of_versions(cfg["corpus"], cfg["loss"])
    yield from problems_of_languages(cfg)
    yield from problems_of_language_fraction(cfg)
    yield from _problems_of_negatives(cfg)
    yield from problems_of_validation(cfg)
    yield from _problems_of_objective(cfg)
    dictionaries = (cfg["transform"] or {}).get("dictionaries")
    if isinstance(dictionaries, str) and dictionaries != MISSING and not Path(dictionaries).is_dir():
        yield f"transform.dictionaries: there is no folder '{dictionaries}'"
    for key in ("callbacks", "logger", "default_root_dir", "enable_checkpointing", "enable_progress_bar"):
        if key in trainer:
            yield f"trainer.{key}: set by the run itself; use the config groups callbacks and logger instead"
    for key in sorted(ENDS_EARLY & trainer.keys()):
        yield (
            f"trainer.{key}: a run that it ends before its last step would count as complete, with a learning rate and "
            "alpha of the middle; set trainer.max_steps or trainer.max_tokens"
        )
    if trainer.get("use_distributed_sampler"):
        yield "trainer.use_distributed_sampler: batches are planned whole, and would be divided again; leave it out"
    if "plugins" in trainer:
        yield "trainer.plugins: set by the run itself, which saves its checkpoints in its own way"
    if cfg["grad_cache"] and cfg["data"].get("chunk_tokens") is None:
        yield "data.chunk_tokens: grad_cache encodes chunk by chunk; set their size, such as data.chunk_tokens=8192"
    yield from _problems_of_precision(cfg)
    yield from _problems_of_scaling(cfg)
    interval = trainer.get("val_check_interval")
    if not isinstance(interval, int) or interval < 1:
        yield f"trainer.val_check_interval: {interval} is not a number of steps"
    if "best" in callbacks or "early_stopping" in callbacks:
        yield from problems_of_monitor(cfg)
    elif cfg["monitor"] != DEFAULT_MONITOR:
        yield "monitor: nothing watches it; set callbacks=early_stopping"


def _problems_of_negatives(cfg: dict[str, Any]) -> Iterator[str]:
    path = cfg["negatives"]
    if path is None and cfg["negatives_sha256"] is not None:
        yield "negatives_sha256: there are no negatives; set negatives=<the table>, or leave it out"
    elif path is not None and not Path(path).is_file():
        yield f"negatives: there is no file '{path}'; babelbatch-mine writes one, negatives.parquet"


def _problems_of_objective(cfg: dict[str, Any]) -> Iterator[str]:
    loss, corpus_languages = cfg["loss"], cfg["corpus"].get("languages")
    if loss["_target_"].rpartition(".")[2] in {"LanguageKL", "Alignment"}:
        for path, languages in (
            ("sampling.languages", cfg["sampling"].get("languages")),
            ("corpus.languages", corpus_languages),
        ):
            if isinstance(languages, list) and len(languages) == 1:
                yield f"{path}: a loss of translations needs two languages; add one, or set loss=contrastive"
    taught = loss.get("language", "en") if "teacher" in loss else None
    listed = list(map(str, corpus_languages)) if isinstance(corpus_languages, list) else None
    if listed is not None and taught is not None and find_language(str(taught), listed) is None:
        yield f"corpus.languages: the teacher reads '{taught}', which is not among them; add it, or set loss.language"


def _problems_of_precision(cfg: dict[str, Any]) -> Iterator[str]:
    attention, precision = cfg["encoder"].get("attention"), str(cfg["trainer"].get("precision", "32-true"))
    if attention == "flash_attention_2" and not precision.startswith(("bf16", "16")):
        yield (
            f"encoder.attention: flash_attention_2 computes in half precision only, but trainer.precision is "
            f"{precision}; set trainer.precision=bf16-mixed, or encoder.attention=sdpa"
        )
    if cfg["trainer"].get("strategy") == SHARDED_STRATEGY or precision in _PRECISIONS:
        return
    if precision.startswith("64"):
        yield f"trainer.precision: vectors and losses are in float32, not in {precision}; set 32-true"
    else:
        yield (
            f"trainer.precision: {precision} keeps the weights in half precision, where small updates are lost; set "
            "bf16-mixed"
        )


def _problems_of_scaling(cfg: dict[str, Any]) -> Iterator[str]:
    if cfg["optimizer"].get("fused") and str(cfg["trainer"].get("precision", "")).startswith("16"):
        yield (
            "optimizer.fused: with trainer.precision=16-mixed gradients cannot be clipped; set optimizer.fused=false, "
            "or trainer.precision=bf16-mixed"
        )


def _problems_of_encoder(cfg: dict[str, Any]) -> Iterator[str]:
    encoder, checkpoint = cfg["encoder"], cfg["checkpoint"]
    if checkpoint is not None and not Path(checkpoint).exists():
        yield f"checkpoint: there is no '{checkpoint}'"
    if encoder.get("_partial_"):
        yield "encoder: a new encoder has learned nothing; set checkpoint=<run>, or encoder=local encoder.name_or_path="
    elif checkpoint is not None and encoder.get("name_or_path") != MISSING and not is_lexical(encoder):
        yield "checkpoint: it brings its own encoder; leave out either checkpoint or encoder.name_or_path"
    elif checkpoint is not None and not is_lexical(encoder):
        for key in sorted(encoder.keys() - {"_target_", "name_or_path"}):
            yield (
                f"encoder.{key}: the checkpoint's own encoder is used as it is; leave it out, or in place of "
                "checkpoint set encoder.name_or_path=<run>/encoder"
            )


def _problems_of_search(cfg: dict[str, Any]) -> Iterator[str]:
    yield from _problems_of_encoder(cfg)
    if cfg["passages"] is None:
        yield "passages: missing; set it to a text file with a passage on each line, or to a JSONL, CSV or Parquet file"
    if cfg["query"] is not None and not cfg["query"].strip():
        yield "query: it is empty; write a question, or leave it out for a prompt"
    if cfg["debias"] not in (methods := ("none", "centre", "lir")):
        yield f"debias: '{cfg['debias']}' is not one of {', '.join(methods)}{closest(cfg['debias'], list(methods))}"
    yield from problems_of_passages(cfg)
    if cfg["components"] != 1 and cfg["debias"] != "lir":
        yield "components: only LIR removes components; set debias=lir"
    if cfg["query_language"] is not None and cfg["debias"] == "none":
        yield "query_language: only debias needs it; leave it out, or set debias=centre"
    if cfg["debias"] in ("centre", "lir") and cfg["query"] is not None and cfg["query_language"] is None:
        yield f"query_language: missing; debias={cfg['debias']} takes it out of the query's vector: set it"


def _problems_of_encoding(cfg: dict[str, Any]) -> Iterator[str]:
    yield from _problems_of_encoder(cfg)
    yield from problems_of_shard(cfg)


def _problems_of_export(cfg: dict[str, Any]) -> Iterator[str]:
    if cfg["run"] is None:
        yield "run: missing; set it to the folder of a run"
    elif not Path(cfg["run"]).exists():
        yield f"run: there is no '{cfg['run']}'"
    if cfg["output"] is None:
        yield "output: missing; set it to a new folder"
    elif Path(cfg["output"]).exists():
        yield f"output: {cfg['output']} exists; name a new folder, or remove that one"
    if cfg["dtype"] not in (dtypes := ("float32", "float16", "bfloat16")):
        yield f"dtype: '{cfg['dtype']}' is not one of {', '.join(dtypes)}{closest(cfg['dtype'], list(dtypes))}"
    for name in cfg["formats"] or ():
        if name not in (formats := ("onnx", "openvino")):
            yield f"formats: '{name}' is not one of {', '.join(formats)}{closest(name, list(formats))}"


def _problems_of_mining(cfg: dict[str, Any]) -> Iterator[str]:
    yield from _problems_of_encoder(cfg)
    if not cfg["corpus"] and cfg["checkpoint"] is None:
        yield "corpus: choose one, or set checkpoint to a run, whose corpus is then mined"
    mining = cfg["mining"]
    numbers = [mining.get(key, default) for key, default in (("negatives", 5), ("first_rank", 1), ("last_rank", 100))]
    if all(isinstance(number, int) for number in numbers):
        negatives, first, last = numbers
        if last - first + 1 < negatives:
            yield f"mining.last_rank: ranks {first} to {last} do not hold {negatives} negatives; raise it"
