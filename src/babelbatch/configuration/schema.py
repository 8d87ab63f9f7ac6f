"""The keys at the root of a configuration, and the resolvers of the shipped files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from babelbatch.configuration.folders import job_folder, run_folder, sweep_folder
from babelbatch.progress import reading

DEFAULT_MONITOR = "validation/loss"


class ConfigError(ValueError):
    """A configuration that cannot be run. `problems`: one line each, path first."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the configuration cannot be run:\n" + "\n".join(f"  - {problem}" for problem in problems))


@dataclass
class Contrast:
    """One planned comparison: strategy `group` with strategy `against` on `measure` (monolingual, crosslingual,
    multilingual or rank_distance). With a margin it asks whether `group` is worse by less than that. alpha and
    against_alpha: of `group` and of `against`, where only one share of X-X batches is meant; None: each of them."""

    group: str = ""
    against: str = ""
    measure: str = ""
    margin: float | None = None
    alpha: float | None = None
    against_alpha: float | None = None


@dataclass
class ReportConfig:
    """contrasts: the comparisons that the experiment was planned for. The report tests them as one family and calls
        everything else exploratory.
    select: the validation score that the report selects hyperparameters by, such as `validation/multilingual/map`; it
        then compares the selected runs only. A list of scores selects their front: the settings that no other one
        beats in one of them without losing in another.
    select_per: `strategy`, one choice for all seeds of a strategy (the default), or `seed`, one for each.
    select_among: the settings that are hyperparameters; default `[optimizer, scheduler, loss.temperature,
        sampling.alpha]`. A setting counts with all that is below it, apart from `_target_`."""

    contrasts: list[Contrast] = field(default_factory=list)
    select: Any = None
    select_per: str | None = None
    select_among: list[str] | None = None


@dataclass
class TrainerConfig:
    """Settings of `trainer` that the run itself uses.

    max_tokens: end with the step at which the encoder has encoded so many tokens of training texts, padding not counted
        (docs/training.md); None: after `max_steps`. With it, `max_steps` is a limit that must suffice, -1 for none.
    stuck_minutes: end the run if a data worker prepares no batch for so long, or if a rank alone is stopped (SIGSTOP);
        the message says which process it is. A rank that waits for another one ends the run after three times as long.
    shards: with strategy=fsdp, how many consecutive ranks share one copy of the weights; each copy trains on its own
        part of the batch. It divides the number of devices. None: all ranks share one copy (docs/training.md).
    """

    max_tokens: int | None = None
    stuck_minutes: float = 10.0
    shards: int | None = None


@dataclass
class TrainConfig:
    """The root of a training run. Groups are typed by what their `_target_` accepts, see `check`.

    name: the experiment; runs land in multirun/<name>. seed: of everything random.
    validation: a corpus for the validation loss, instead of items held out of `corpus`; None holds items out.
    monitor: the validation quantity that `callbacks=early_stopping` watches: `validation/loss`, a part of it
        (`validation/loss/x_y`), or a metric of a benchmark that is evaluated during training.
    transform: an augmentation of the corpus's texts; none by default.
    language_fraction: language -> share of its items in the corpus that are used in it, such as {sw: 0.1}. They are a
        function of the seed, and a smaller share is a subset of a larger one. Other languages use all their items.
    train_on_test: allow benchmarks with queries that are in the corpus.
    negatives: a table of hard negatives that babelbatch-mine wrote for this corpus. negatives_sha256: SHA-256 of its
        content, computed if not set. A run with another table is another run.
    teacher: a folder or hub name of the teacher's encoder, for an objective with a teacher (loss=mimo).
    threads: CPU threads, or null for torch's default.
    grad_cache: store the activations of one chunk of a batch at a time, and encode twice (data.chunk_tokens bounds a
        chunk).
    report: what the report of the runs tests; not part of the identity of a run.
    output_dir: the folder of the run; for a sweep, the folder that contains a folder for each job. None means
        multirun/<name>, with a folder for each job in it, see `job_folder`.
    """

    corpus: Any = field(default_factory=dict)
    transform: Any = field(default_factory=dict)
    sampling: Any = field(default_factory=dict)
    data: Any = field(default_factory=dict)
    encoder: Any = field(default_factory=dict)
    tuning: Any = field(default_factory=dict)
    loss: Any = field(default_factory=dict)
    optimizer: Any = field(default_factory=dict)
    scheduler: Any = field(default_factory=dict)
    benchmarks: Any = field(default_factory=dict)
    evaluation: Any = field(default_factory=dict)
    callbacks: Any = field(default_factory=dict)
    trainer: Any = field(default_factory=dict)
    logger: Any = field(default_factory=dict)
    validation: Any = None
    name: str = "train"
    seed: int = 0
    language_fraction: dict[str, float] | None = None
    monitor: str = DEFAULT_MONITOR
    train_on_test: bool = False
    negatives: str | None = None
    negatives_sha256: str | None = None
    teacher: str | None = None
    threads: int | None = None
    grad_cache: bool = False
    report: ReportConfig = field(default_factory=ReportConfig)
    output_dir: str | None = None


@dataclass
class EvaluateConfig:
    """The root of an evaluation.

    checkpoint: a run's folder, or a .ckpt file in it; then `encoder` is not used.
    device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:1`.
    report: as in a training run.
    name: of the evaluation; results land in multirun/<name>. output_dir: the folder of the results instead.
    """

    encoder: Any = field(default_factory=dict)
    benchmarks: Any = field(default_factory=dict)
    evaluation: Any = field(default_factory=dict)
    logger: Any = field(default_factory=dict)
    checkpoint: str | None = None
    device: str = "auto"
    report: ReportConfig = field(default_factory=ReportConfig)
    name: str = "evaluate"
    output_dir: str | None = None


@dataclass
class DescribeConfig:
    """The root of babelbatch-data: a corpus, benchmarks, or both. `encoder`: counts tokens with its tokenizer, if set.
    `sampling`: whose batches the corpus must fill; unless chosen, its batch size is what counts.

    near: also look for near duplicates of evaluation queries in the corpus.
    sample: texts of each language that tokens are counted in.
    json, markdown: files for the tables, problems and notes.
    """

    corpus: Any = field(default_factory=dict)
    benchmarks: Any = field(default_factory=dict)
    encoder: Any = field(default_factory=dict)
    sampling: Any = field(default_factory=dict)
    near: bool = True
    sample: int = 2_000
    json: str | None = None
    markdown: str | None = None


@dataclass
class MineConfig:
    """The root of mining hard negatives.

    checkpoint: a run's folder, or a .ckpt file in it; then `encoder` is not used, and `corpus` defaults to that of
        the run.
    device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:1`.
    threads: CPU threads, or null for the defaults of torch and faiss.
    token_budget: tokens in one forward pass, padding included; null means 1,024 on a CPU, else 16,384.
    keep_vectors: leave the vectors in the folder.
    vectors: a folder, or several, in which babelbatch-encode wrote the vectors of this corpus with this encoder; None
        encodes it.
    name: of the mining; results land in multirun/<name>. output_dir: the folder of the results instead.
    """

    encoder: Any = field(default_factory=dict)
    corpus: Any = field(default_factory=dict)
    mining: Any = field(default_factory=dict)
    index: Any = field(default_factory=dict)
    checkpoint: str | None = None
    device: str = "auto"
    threads: int | None = None
    token_budget: int | None = None
    keep_vectors: bool = False
    vectors: Any = None
    name: str = "mine"
    output_dir: str | None = None


@dataclass
class SearchConfig:
    """The root of a search.

    checkpoint: a run's folder, or a .ckpt file in it; then `encoder` is not used.
    passages: what is searched: a text file with a passage on each line, a file or folder of JSONL, CSV, TSV or Parquet,
        or a file for each language (`wiki.{language}.txt`).
    text_column, language_column: of a table. language: of passages that neither a column nor the name of the file gives
        one. Where no passage has a language, scripts take their place.
    on_bad_row: `error` refuses passages with a list of the rows that cannot be used: an empty text, a row without text,
        a line that is no JSON. `skip` leaves them out, and lists them in the log.
    query: the question, in any language; None asks at the terminal, or reads lines of the standard input.
    task: the name of a prompt in `encoder.query_prompts` that queries have, such as `xquad_r`; None: `query_prefix`.
    top: passages to show.
    debias: remove each language's mean from the vectors (`centre`), or its leading principal components (`lir`), as
        `evaluation.debias` does. components: how many of them, for `lir`. query_language: of the query, for `debias`.
    device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:1`.
    token_budget: tokens in one forward pass, padding included; null means 1,024 on a CPU, else 16,384.
    vectors: a folder, or several, in which babelbatch-encode wrote the vectors of these passages with this encoder;
        None encodes them.
    """

    encoder: Any = field(default_factory=dict)
    index: Any = field(default_factory=dict)
    checkpoint: str | None = None
    passages: str | None = None
    text_column: str = "text"
    language_column: str = "language"
    language: str | None = None
    on_bad_row: str = "error"
    query: str | None = None
    task: str | None = None
    top: int = 5
    debias: str = "none"
    components: int = 1
    query_language: str | None = None
    device: str = "auto"
    token_budget: int | None = None
    vectors: Any = None


@dataclass
class EncodeConfig:
    """The root of encoding: one shard of the vectors of the texts of benchmarks, a corpus, or passages to search.

    checkpoint: a run's folder, or a .ckpt file in it; then `encoder` is not used.
    passages, text_column, language_column, language, on_bad_row: as in babelbatch-search.
    shard: its number, from 0, and the number of shards, as in `0/8`.
    output: the folder for the vectors, the same for all shards or one for each.
    dtype: of the stored vectors: `float32`, or `float16` for half the size.
    precision: `bfloat16` computes matrix products in bfloat16, as `evaluation.precision` does.
    device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:1`.
    token_budget: tokens in one forward pass, padding included; null means 1,024 on a CPU, else 16,384.
    """

    encoder: Any = field(default_factory=dict)
    benchmarks: Any = field(default_factory=dict)
    corpus: Any = field(default_factory=dict)
    checkpoint: str | None = None
    passages: str | None = None
    text_column: str = "text"
    language_column: str = "language"
    language: str | None = None
    on_bad_row: str = "error"
    shard: str = "0/1"
    output: str | None = None
    dtype: str = "float32"
    precision: str = "float32"
    device: str = "auto"
    token_budget: int | None = None


@dataclass
class ExportConfig:
    """The root of an export.

    run: a run's folder, the folder of an encoder, or a .ckpt file in a run. output: a new folder for the model.
    dtype: of the written weights: `float32`, `float16` or `bfloat16`.
    dimensions: write vectors of so many components, the first ones; None for all.
    formats: graphs of the backbone to write beside the weights: `onnx`, `openvino`; None writes none.
    push_to_hub: upload the folder as the model of this name, such as `me/retriever`; None uploads nothing.
    private: whether a model that the upload makes is private.
    """

    run: str | None = None
    output: str | None = None
    dtype: str = "float32"
    dimensions: int | None = None
    formats: list[str] | None = None
    push_to_hub: str | None = None
    private: bool = True


SCHEMAS = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "mine": MineConfig,
    "describe": DescribeConfig,
    "search": SearchConfig,
    "encode": EncodeConfig,
    "export": ExportConfig,
}

OF_THE_RUN = {"trainer": f"{TrainerConfig.__module__}.{TrainerConfig.__name__}"}
"""Groups with settings of the run beside the arguments of what their `_target_` names."""

ENDS_EARLY = {"fast_dev_run", "limit_train_batches", "max_time", "overfit_batches"}
"""Arguments of the trainer that end a run before the last step of its plan."""

BY_THE_RUN = {
    "trainer": {
        "barebones", "callbacks", "default_root_dir", "enable_checkpointing", "enable_progress_bar", "logger",
        "plugins", *ENDS_EARLY,
    },
    "logger": {"group", "job_type", "name", "resumed_step", "save_dir"},
}  # fmt: skip
"""Arguments that the run gives or refuses, and that no configuration has."""

OPTIONAL = {
    "train": {"transform"},
    "mine": {"corpus"},
    "encode": {"corpus", "benchmarks"},
    "describe": {"corpus", "benchmarks", "encoder", "sampling"},
}
"""Groups that may be empty."""


def register() -> None:
    """Registers the schemas and the resolvers of the shipped configuration with Hydra."""
    store = ConfigStore.instance()
    for name, schema in SCHEMAS.items():
        if f"{name}_schema.yaml" not in store.repo:  # converting one takes longer than much of a composition
            store.store(name=f"{name}_schema", node=schema)
    resolvers: dict[str, Callable[..., Any]] = {
        "better": better,
        "job_folder": job_folder,
        "run_folder": run_folder,
        "sweep_folder": sweep_folder,
        "learning_rate_for": learning_rate_for,
        "sha256_of": sha256_of,
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def better(monitor: str) -> str:
    """Whether less (`min`) or more (`max`) of a monitored quantity is better. A benchmark may have any name."""
    benchmark, _, name = monitor.partition("/")
    is_loss = benchmark == "validation" and name.startswith("loss")
    return "min" if is_loss or name.startswith("multilingual/rank_distance") else "max"


def learning_rate_for(target: str) -> float:
    """The default learning rate of an encoder: the paper's for pretrained weights, higher for new ones."""
    return {"tiny": 1e-3, "static": 1e-2}.get(target.rpartition(".")[2], 3e-5)


def sha256_of(path: str | None) -> str | None:
    """The SHA-256 of a file's content in hexadecimal, or None if there is no such file."""
    if path is None or not (file := Path(path).expanduser()).is_file():
        return None
    path, stat = str(file), file.stat()
    return _sha256(path, stat.st_mtime_ns, stat.st_size)


@cache
def _sha256(path: str, modified: int, size: int) -> str:
    """Cached for each version of the file: the configurations of all jobs of a sweep need it."""
    with open(path, "rb") as file, reading(Path(path), file):
        return hashlib.file_digest(file, "sha256").hexdigest()
