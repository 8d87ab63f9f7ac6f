"""The model card of an average of runs: README.md of its encoder, from what the runs know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCardData

from babelbatch.records import primary_language
from babelbatch.report.licences import DataSource, data_sources
from babelbatch.report.model_card import (
    CARD_FILE,
    code_block,
    data_section,
    is_on_the_hub,
    short_digest,
    table,
    use_section,
    without_folders,
)
from babelbatch.runs.trained_languages import trained_languages
from babelbatch.storage import write_atomically


@dataclass(frozen=True)
class Parent:
    """A run that an average was made from. name: of its folder. share: its weight. strategy: with its alpha.
    metrics: the content of metrics.json. settings: configuration path -> value."""

    name: str
    share: float
    strategy: str
    metrics: Mapping[str, Any]
    settings: Mapping[str, Any]


def write_merged_card(
    encoder_folder: Path, name: str, parents: Sequence[Parent], provenance: Mapping[str, object]
) -> None:
    """Writes README.md into the folder of a merged encoder. name: of the model. provenance: commit and versions."""
    settings = json.loads((encoder_folder / "babelbatch.json").read_text(encoding="utf-8"))
    exported = (encoder_folder / "modules.json").is_file()
    shared, different = _compared(parents)
    facts = {**provenance, **_fingerprints(parents)}
    parts = [
        f"---\n{merged_metadata(name, parents, exported).to_yaml()}\n---\n",
        f"# {name}\n",
        f"An encoder of queries and passages. Its weights are the average of those of {len(parents)} runs "
        "of babelbatch that began from the same weights ([model soups](https://arxiv.org/abs/2203.05482)).\n",
        *use_section(settings, exported),
        "## Runs\n",
        table(
            ("run", "share", "sampling strategy", "seed", "steps", "tokens encoded", "configuration"),
            [
                (
                    each.name,
                    f"{each.share:g}",
                    each.strategy,
                    *(_shown(each.metrics.get(key)) for key in ("seed", "steps", "tokens/encoded")),
                    f"`{short_digest(each.metrics.get('config_hash', ''))}`",
                )
                for each in parents
            ],
        ),
        *(["Settings in which the runs differ:\n", _differences(parents, different)] if different else []),
        "<details><summary>Configuration that the runs share</summary>\n",
        *code_block("yaml", [yaml.safe_dump(without_folders(shared), allow_unicode=True, width=110).strip()]),
        "</details>\n",
        *data_section(_sources(parents), several=True),
        "## Scores\n",
        "An average has no scores of its runs. `babelbatch-evaluate checkpoint=<this folder>` measures them.\n",
        "## Provenance\n",
        table(("fact", "value"), [(key, f"`{value}`") for key, value in facts.items() if value is not None]),
    ]
    write_atomically(encoder_folder / CARD_FILE, "\n".join(parts).rstrip() + "\n")


def merged_metadata(name: str, parents: Sequence[Parent], exported: bool) -> ModelCardData:
    """The block that the hub reads. exported: whether sentence-transformers reads the folder."""
    languages = {primary_language(tag) for each in parents for tag in trained_languages(each.metrics, each.settings)}
    base = parents[0].settings.get("encoder.name_or_path")
    return ModelCardData(
        model_name=name,
        language=sorted(each for each in languages if re.fullmatch(r"[a-z]{2,3}", each)) or None,
        base_model=base if isinstance(base, str) and is_on_the_hub(base) else None,
        library_name="sentence-transformers" if exported else None,
        pipeline_tag="feature-extraction",
        tags=["babelbatch", "merge", "multilingual", "retrieval"],
    )


def _compared(parents: Sequence[Parent]) -> tuple[dict[str, Any], list[str]]:
    """The settings that all runs share, and the keys of the others."""
    keys = list(dict.fromkeys(key for each in parents for key in each.settings))
    first = parents[0].settings
    same = {key for key in keys if all(key in one.settings and one.settings[key] == first.get(key) for one in parents)}
    return {key: first[key] for key in keys if key in same}, [key for key in keys if key not in same]


def _differences(parents: Sequence[Parent], keys: Sequence[str]) -> str:
    shown = [without_folders({key: each.settings.get(key, "") for key in keys}) for each in parents]
    rows = [(key, *(str(settings[key]) for settings in shown)) for key in keys]
    return table(("setting", *(each.name for each in parents)), rows)


def _fingerprints(parents: Sequence[Parent]) -> dict[str, str]:
    """Of the data of the runs; those of a key that differ are all listed."""
    found: dict[str, list[str]] = {}
    for each in parents:
        for key, value in each.metrics.items():
            if key.startswith("fingerprint/") and value is not None:
                found.setdefault(key, []).append(short_digest(value))
    return {key: ", ".join(dict.fromkeys(values)) for key, values in found.items()}


def _sources(parents: Sequence[Parent]) -> list[DataSource]:
    """The data of all runs, each once."""
    return list(dict.fromkeys(source for each in parents for source in data_sources(each.settings)))


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
