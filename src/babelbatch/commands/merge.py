"""The composition root of babelbatch-merge: averages the weights of finished runs of one initialisation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelbatch.configuration.identity import identity
from babelbatch.configuration.saved import UnreadableConfig, load_config
from babelbatch.encoder import checksums_digest, interpolated, load, save
from babelbatch.progress import announce
from babelbatch.report.merged_card import Parent, write_merged_card
from babelbatch.runs.files import (
    CONFIG_FILE,
    ENCODER_FOLDER,
    INITIAL_WEIGHTS,
    MERGE_FILE,
    METRICS_FILE,
    TRAINED,
    TRAINED_LANGUAGES,
)
from babelbatch.runs.metrics_file import DamagedMetrics, read_metrics
from babelbatch.runs.provenance import provenance
from babelbatch.runs.trained_languages import trained_languages
from babelbatch.storage import flush_tree, write_atomically
from babelbatch.storage.documents import UnreadableDocument, read_json_object

STRATEGY = "merged"
_WEIGHTS = "merged/encoders"
"""Key with a digest of each run's weights: a run that is trained again on changed data has the same configuration."""
_SUMMED = ("steps", "tokens/encoded", "tokens/padded", "tokens/teacher", "flops/train", "seconds/train")
_OF_NO_WEIGHT = {"_name_or_path", "transformers_version", "dtype", "torch_dtype"}  # in config.json


@dataclass(frozen=True)
class MergedRun:
    """A run that is merged: its folder, the content of metrics.json, and its settings as path -> value."""

    folder: Path
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def encoder(self) -> Path:
        return self.folder / ENCODER_FOLDER

    @property
    def strategy(self) -> str:
        """Its strategy; of a hybrid with its alpha."""
        name, alpha = str(self.metrics.get("strategy")), self.metrics.get("alpha")
        return f"{name}({alpha:g})" if name == "hybrid" and alpha is not None else name


def merge(folders: Sequence[Path], weights: Sequence[float], output: Path) -> None:
    """Writes the encoder with the average weights of the runs, and merge.json, which makes the folder complete.

    weights: the share of each run. Raises ValueError for a folder that is no finished run, for runs with other initial
    weights, architectures or tokenizers, and for an output folder that has something else in it.
    """
    runs = [read_merged_run(folder) for folder in folders]
    for run in runs[1:]:
        refuse_different(runs[0], run)
    facts = merged_facts(runs, weights)
    if not _is_free(output, facts):
        announce(f"{output} was merged already")
        return
    merged = interpolated((load(run.encoder) for run in runs), weights)
    save(merged, output / ENCODER_FOLDER)
    flush_tree(output / ENCODER_FOLDER)  # before merge.json says that it is complete
    parents = [
        Parent(run.folder.name, weight, run.strategy, run.metrics, run.settings)
        for run, weight in zip(runs, weights, strict=True)
    ]
    write_merged_card(output / ENCODER_FOLDER, output.name, parents, provenance())
    write_atomically(output / MERGE_FILE, json.dumps(facts, indent=1, allow_nan=False) + "\n")


def read_merged_run(folder: Path) -> MergedRun:
    """A finished run with its encoder. Raises ValueError if it is none, or does not record its initial weights."""
    if not (folder / METRICS_FILE).is_file() or not (folder / ENCODER_FOLDER).is_dir():
        raise ValueError(
            f"runs: {folder} is not a finished training run ({METRICS_FILE} or {ENCODER_FOLDER}/ is missing); name the "
            "folder that babelbatch-train wrote"
        )
    try:
        metrics, settings = read_metrics(folder), identity(load_config(folder / CONFIG_FILE))
    except DamagedMetrics as error:
        raise ValueError(f"runs: {error}; run the job again") from None
    except UnreadableConfig as error:
        raise ValueError(f"runs: {folder / CONFIG_FILE} is not a configuration ({error}); run the job again") from None
    if INITIAL_WEIGHTS not in metrics:
        raise ValueError(
            f"runs: {folder} has no digest of its initial weights, like all runs of earlier versions; train it again"
        )
    return MergedRun(folder, metrics, settings)


def refuse_different(one: MergedRun, other: MergedRun) -> None:
    """Raises ValueError if averages of the weights of two runs would be of no use: other architectures, tokenizers or
    initial weights."""
    both = f"{one.folder} and {other.folder}"
    for name, what in (("config.json", "architectures"), ("babelbatch.json", "settings of the encoder")):
        first, second = (_settings_of(run.encoder / name) for run in (one, other))
        if different := sorted(
            key for key in (first.keys() | second.keys()) - _OF_NO_WEIGHT if first.get(key) != second.get(key)
        ):
            raise ValueError(f"runs: {both} have other {what} ({', '.join(different)}); merge runs of one encoder")
    vocabularies = [_vocabulary(run.encoder) for run in (one, other)]
    if vocabularies[0] != vocabularies[1]:
        raise ValueError(f"runs: {both} have other tokenizers; merge runs of one encoder")
    if one.metrics[INITIAL_WEIGHTS] != other.metrics[INITIAL_WEIGHTS]:
        raise ValueError(
            f"runs: {both} began from other weights, whose average is of no use; merge runs of one pretrained encoder, "
            "or of one seed where the encoder or its projection is new"
        )


def merged_facts(runs: Sequence[MergedRun], weights: Sequence[float]) -> dict[str, Any]:
    """What reports compare by: strategy, seed (that of the first run), the settings that all runs share, the others as
    `merged.<number of the run>.<key>`, the shares. And the languages and the cost of all runs together."""
    first = runs[0]
    shared = {
        key: value
        for key, value in first.settings.items()
        if all(key in run.settings and run.settings[key] == value for run in runs[1:])
    }
    own = {
        f"merged.{number}.{key}": value
        for number, run in enumerate(runs, start=1)
        for key, value in run.settings.items()
        if key not in shared
    }
    languages = dict.fromkeys(code for run in runs for code in trained_languages(run.metrics, run.settings))
    shares = " + ".join(f"{weight:g} {run.strategy}" for run, weight in zip(runs, weights, strict=True))
    of_strategy = {"sampling.name": STRATEGY, "merged.weights": shares}
    costs = {key: [run.metrics.get(key) for run in runs] for key in _SUMMED}
    return {
        "strategy": STRATEGY,
        "alpha": None,
        "seed": first.metrics.get("seed"),
        "merged/weights": shares,
        "merged/runs": [str(run.folder) for run in runs],
        "merged/config_hashes": [run.metrics.get("config_hash") for run in runs],
        _WEIGHTS: [checksums_digest(run.encoder) for run in runs],
        **({TRAINED_LANGUAGES: list(languages)} if languages else {}),
        **{key: None if None in values else sum(values) for key, values in costs.items()},
        **{f"{TRAINED}{key}": value for key, value in sorted((shared | own | of_strategy).items())},
        **provenance(),
    }


def _is_free(output: Path, facts: Mapping[str, Any]) -> bool:
    """Whether to write there: False if the same average is there. Raises ValueError for anything else in it."""
    inside = {path.name for path in output.iterdir()} if output.exists() else set()
    if inside <= {ENCODER_FOLDER}:  # nothing, or what an interrupted merge has left
        return True
    try:
        there = read_json_object(output / MERGE_FILE)
    except (OSError, ValueError):
        there = None
    keys = ("merged/weights", "merged/config_hashes")
    if there is None or not all(there.get(key) == facts[key] for key in keys):
        raise ValueError(f"output: {output} has something else in it; choose another folder, or remove that one")
    if there.get(_WEIGHTS, facts[_WEIGHTS]) != facts[_WEIGHTS]:  # trained again, on other data perhaps
        raise ValueError(
            f"output: {output} is the average of other weights, which these runs had before they were trained again; "
            "choose another folder, or remove that one"
        )
    return False


def _settings_of(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path) if path.is_file() else {}
    except UnreadableDocument as error:
        raise ValueError(f"runs: {path} is not valid JSON ({error}); run the job again") from None


def _vocabulary(encoder: Path) -> dict[str, bytes]:
    """Content of the files of a tokenizer by name."""
    names = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model")
    return {name: (encoder / name).read_bytes() for name in names if (encoder / name).is_file()}
