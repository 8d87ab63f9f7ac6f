"""Corpora and benchmarks of the user's own loaders, compared with those of a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelbatch.commands.data import build_benchmarks, build_corpus
from babelbatch.configuration.inputs import is_own_code
from babelbatch.corpora import with_language_fraction


def changed_fingerprints(cfg: DictConfig, saved: Mapping[str, Any]) -> list[str]:
    """The records of own loaders that differ from those of the run with this metrics.json, with both fingerprints.

    They are read for it, each once a process. Raises as `build_corpus` and `build_benchmarks`.
    """
    return [
        f"{path} (fingerprint {found} instead of {before})"
        for path, key, node in _own_nodes(cfg)
        if (before := saved.get(key)) is not None and (found := _fingerprint_of(path, node, cfg)) != before
    ]


def _own_nodes(cfg: DictConfig) -> Iterator[tuple[str, str, DictConfig]]:
    """Path, key in metrics.json and node of each corpus and benchmark in which code of the user's takes part."""
    nodes = [(name, f"fingerprint/{name}", cfg.get(name)) for name in ("corpus", "validation")]
    benchmarks = cfg.get("benchmarks") or {}
    nodes += [(f"benchmarks.{name}", f"fingerprint/{name}", node) for name, node in benchmarks.items()]
    for path, key, node in nodes:
        if node is not None and _has_own_code(OmegaConf.to_container(node, resolve=True)):
            yield path, key, node


def _has_own_code(node: object) -> bool:
    if isinstance(node, dict):
        return any(is_own_code(str(key), value) or _has_own_code(value) for key, value in node.items())
    return isinstance(node, list) and any(map(_has_own_code, node))


def _fingerprint_of(path: str, node: DictConfig, cfg: DictConfig) -> str:
    fraction = cfg.get("language_fraction") if path == "corpus" else None
    text = OmegaConf.to_yaml({"fraction": fraction or None, "seed": cfg.seed if fraction else None})
    return _read(path, OmegaConf.to_yaml(node, resolve=True), text)


@cache
def _read(path: str, node: str, fraction: str) -> str:
    """The fingerprint of a record. Texts are the arguments so that a sweep of finished jobs reads it once."""
    settings = OmegaConf.create(node)
    assert isinstance(settings, DictConfig)
    if path.startswith("benchmarks."):
        name = path.removeprefix("benchmarks.")
        return build_benchmarks({name: settings})[name].fingerprint
    corpus = build_corpus(settings, path)
    share = OmegaConf.create(fraction)
    if share.fraction:
        corpus = with_language_fraction(corpus, share.fraction, share.seed)
    return corpus.fingerprint
