"""Builds the corpora and benchmarks that the configuration names. An error names the loader."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from babelbatch.progress import announce, waiting
from babelbatch.records import Benchmark, Corpus, RecordError

Record = TypeVar("Record", Corpus, Benchmark)


def build_corpus(node: DictConfig) -> Corpus:
    """The corpus of a node with a `_target_`. Raises ValueError, which names the loader, if it does not return a
    Corpus, or one that breaks its contract; and what the loader raises, wrapped by Hydra."""
    return _built(node, Corpus, f"reading corpus {_short_name(node)}")


def build_benchmarks(nodes: Mapping[str, DictConfig]) -> dict[str, Benchmark]:
    """The benchmarks, each under its name in the configuration: metric keys begin with it. Raises as `build_corpus`."""
    built = {str(name): _built(node, Benchmark, f"reading benchmark {name}") for name, node in nodes.items()}
    return {
        name: benchmark if benchmark.name == name else replace(benchmark, name=name)
        for name, benchmark in built.items()
    }


def _built(node: DictConfig, kind: type[Record], description: str) -> Record:
    loader = node.get("_target_")
    announce(description)
    try:
        with waiting(description):
            record = instantiate(node, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, RecordError):
            raise ValueError(f"{_builder(error.__cause__) or loader}: {error.__cause__}") from error
        raise
    if not isinstance(record, kind):
        raise ValueError(
            f"{loader}: the return type is {type(record).__qualname__}; return a babelbatch.records.{kind.__name__}"
        )
    return record


def _short_name(node: DictConfig) -> str:
    """Of a loader: `lareqa` of `babelbatch.corpora.lareqa.load_corpus`."""
    return str(node.get("_target_")).rpartition(".")[0].rpartition(".")[2]


def _builder(error: RecordError) -> str | None:
    """The code that built a record, if it is neither ours nor Hydra's: its function or class, and the line."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__"))
        if module.partition(".")[0] not in {"babelbatch", "hydra"}:
            return f"{module}.{frame.f_code.co_qualname}, line {line}"
    return None
