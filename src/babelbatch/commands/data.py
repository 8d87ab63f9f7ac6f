"""Builds the corpora and benchmarks that the configuration names. An error names the loader."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelbatch.configuration.key_paths import with_full_paths
from babelbatch.configuration.signatures import parameters
from babelbatch.progress import announce, waiting
from babelbatch.records import Benchmark, Corpus, RecordError

Record = TypeVar("Record", Corpus, Benchmark)


def build_corpus(node: DictConfig, path: str = "corpus") -> Corpus:
    """The corpus of a node with a `_target_`.

    path: of the node, for messages. Raises ValueError, which names the loader, if it does not return a valid Corpus or
    if a loader of the user's fails; ValueError of our loaders with their settings as they are typed; and their other
    exceptions, wrapped by Hydra."""
    return _built(node, Corpus, f"reading corpus {_short_name(node)}", path)


def build_benchmarks(nodes: Mapping[str, DictConfig]) -> dict[str, Benchmark]:
    """The benchmarks, each under its name in the configuration: metric keys begin with it. Raises as `build_corpus`."""
    built = {
        str(name): _built(node, Benchmark, f"reading benchmark {name}", f"benchmarks.{name}")
        for name, node in nodes.items()
    }
    return {
        name: benchmark if benchmark.name == name else replace(benchmark, name=name)
        for name, benchmark in built.items()
    }


def _built(node: DictConfig, kind: type[Record], description: str, path: str) -> Record:
    loader = node.get("_target_")
    announce(description)
    try:
        with waiting(description):
            record = instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, RecordError):
            raise ValueError(f"{_user_frame(cause) or loader}: {cause}") from error
        if isinstance(cause, Exception) and (place := _faulty_loader(cause, node)) is not None:
            message = next(iter(str(cause).splitlines()), "")
            raise ValueError(f"{place}: {type(cause).__name__}: {message}; correct the loader") from error
        if isinstance(cause, ValueError) and (message := _as_typed(error, cause, node, path)) != str(cause):
            raise ValueError(message) from error
        raise
    if not isinstance(record, kind):
        raise ValueError(
            f"{loader}: the return type is {type(record).__qualname__}; return a babelbatch.records.{kind.__name__}"
        )
    return record


def _as_typed(error: InstantiationException, cause: ValueError, node: DictConfig, path: str) -> str:
    """The message of one of our loaders, with its settings named by their paths: those of the node, or of the part of
    a mixture that Hydra names."""
    full_key = next((line[9:].strip() for line in str(error).splitlines() if line.startswith("full_key:")), "")
    below = full_key.removeprefix(path).lstrip(".")
    part = OmegaConf.select(node, below) if below else node
    target = str(part.get("_target_")) if OmegaConf.is_dict(part) else ""
    if not target.startswith("babelbatch."):
        return str(cause)
    return with_full_paths(str(cause), f"{path}.{below}" if below else path, parameters(target))


def _short_name(node: DictConfig) -> str:
    """Of a loader: `lareqa` of `babelbatch.corpora.lareqa.load_corpus`."""
    return str(node.get("_target_")).rpartition(".")[0].rpartition(".")[2]


def _user_frame(error: Exception) -> str | None:
    """The innermost code on the error's traceback that is neither ours nor Hydra's: its function or class, and the
    line."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package(frame) not in {"babelbatch", "hydra"}:
            return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}, line {line}"
    return None


def _faulty_loader(error: Exception, node: DictConfig) -> str | None:
    """The innermost line of a user's loader on the error's traceback; None if our loaders alone raised it, or if it is
    a ValueError that we or the loader meant to raise, whose message suffices."""
    packages = {target.partition(".")[0] for target in _targets(OmegaConf.to_container(node))} - {"babelbatch"}
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames or (isinstance(error, ValueError) and (_package(frames[-1][0]) == "babelbatch" or _is_meant(error))):
        return None
    for frame, line in reversed(frames):
        if _package(frame) in packages:
            return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}, line {line}"
    return None


def _is_meant(error: Exception) -> bool:
    """Whether a `raise` raised it, rather than a function that is written in C, such as `int`."""
    return (traceback.extract_tb(error.__traceback__)[-1].line or "").startswith("raise ")


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _targets(node: object) -> Iterator[str]:
    """Every `_target_` in a node."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        for value in node.values():
            yield from _targets(value)
