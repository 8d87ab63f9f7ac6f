"""Finished runs made by hand: the files that a run leaves, with scores that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

QUERIES = 40
LANGUAGES = ("ar", "en", "hi", "th")


def write_run(
    folder: Path,
    strategy: str = "hybrid",
    alpha: float = 0.5,
    seed: int = 0,
    *,
    level: Mapping[str, float] | None = None,
    benchmarks: Sequence[str] = ("facts",),
    languages: Sequence[str] = LANGUAGES,
    facts: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    bias: bool = False,
    curves: bool = False,
    metric: str = "map",
    within_only: bool = False,
    article: int = 1,
    scatter: float = 0.0,
    gains: Mapping[str, float] | None = None,
) -> Path:
    """A run whose mAP scatters about `level` of each setting, by question (the same in every run) and by seed.

    metric: instead of mAP; then there is no rank distance either, as after a search. within_only: no other setting
    than the monolingual one. article: queries in each; with 1 no clusters are recorded, as by earlier versions.
    scatter: moves all scores of the run by so much. gains: those on a benchmark, or of queries in a language.
    facts: join metrics.json. settings: join the configuration. bias: with the columns and metrics of the bias suite.
    """
    level = {"monolingual": 0.6, "crosslingual": 0.4, "multilingual": 0.3, "rank_distance": 100.0} | dict(level or {})
    folder.mkdir(parents=True)
    metrics: dict[str, object] = {
        "name": "by hand", "strategy": strategy, "alpha": alpha, "seed": seed, "steps": 100, "parameters": 5000,
        "parameters_trained": 5000, "benchmarks": list(benchmarks), "seconds/train": 10.0 + seed,
        "seconds/evaluate": 2.0, "fingerprint/corpus": "c0ffee",
    }  # fmt: skip
    rows: list[dict[str, object]] = []
    for name in benchmarks:
        found = _rows(name, level, languages, seed, bias)
        more = dict(gains or {})
        found = [
            row | {"map": row["map"] + scatter + more.get(name, 0) + more.get(row["query_language"], 0)}
            for row in found
        ]
        if article > 1:
            found = [row | {"cluster": int(row["query_id"][1:]) // article} for row in found]
            metrics[f"cluster/{name}"] = "article"
        if within_only:
            found = [row for row in found if row["setting"] == "monolingual"]
        if metric != "map":
            found = [row | {metric: row["map"], "map": None, "rank_distance": None} for row in found]
        rows += found
        metrics |= {f"fingerprint/{name}": f"print of {name}", f"protocol/{name}": "sentences"}
        metrics |= {f"metric/{name}": metric, f"languages/{name}": list(languages)} | _metrics(name, found, metric)
        if bias:
            metrics |= {
                f"{name}/multilingual/top10_share/{a}-{b}": 1 / len(languages) for a in languages for b in languages
            }
    (folder / "metrics.json").write_text(json.dumps(metrics | dict(facts or {})))
    types = {"candidate_language": pa.string(), "map": pa.float64(), "rank_distance": pa.float64()}
    table = pa.Table.from_pylist(rows)
    for column, type_ in types.items():  # a column of nothing has no type
        table = table.set_column(table.column_names.index(column), column, table[column].cast(type_))
    pq.write_table(table, folder / "per_query.parquet")
    config = {"sampling": {"name": strategy, "alpha": alpha}, "encoder": {"_target_": "babelbatch.encoder.static"}}
    config |= {"seed": seed, "name": "by hand", "output_dir": str(folder)} | dict(settings or {})
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if curves:
        (folder / "csv").mkdir()
        lines = [f"{step},{4 / (step + 1)},{3 / (step + 1)}," for step in range(9, 100, 10)] + ["99,,,1.5"]
        header = "step,train/loss/x_x,validation/loss/x_x,validation/loss/x_y"
        (folder / "csv" / "metrics.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def write_sweep(place: Path, levels: Mapping[float, Mapping[str, float]], seeds: int = 3, **settings) -> Path:
    """Runs of x_y, hybrid and x_x: alpha -> level of each setting."""
    for alpha, level in levels.items():
        strategy = {0.0: "x_y", 1.0: "x_x"}.get(alpha, "hybrid")
        for seed in range(seeds):
            write_run(place / f"{strategy}_{alpha}_seed-{seed}", strategy, alpha, seed, level=level, **settings)
    return place


def _rows(name: str, level: Mapping[str, float], languages: Sequence[str], seed: int, bias: bool) -> list[dict]:
    easy = np.random.default_rng(7).normal(0, 0.05, QUERIES)
    random = np.random.default_rng((seed, *(int(1000 * value) for value in level.values())))
    rows: list[dict[str, object]] = []

    def score(setting: str, query: int) -> float:
        return float(np.clip(level[setting] + easy[query] + random.normal(0, 0.03) + 0.002 * seed, 0, 1))

    for query in range(QUERIES):
        for asked in languages:
            for candidate in (*languages, None):
                setting = (
                    "multilingual" if candidate is None else "monolingual" if candidate == asked else "crosslingual"
                )
                row = {
                    "benchmark": name, "setting": setting, "query_id": f"q{query}", "query_language": asked,
                    "candidate_language": candidate, "map": score(setting, query), "rank_distance": None,
                }  # fmt: skip
                if candidate is None:
                    row["rank_distance"] = level["rank_distance"] * (1 + easy[query]) + random.normal(0, 2) + seed
                if bias:
                    row["language_preference"] = float(random.random() < 0.4) if candidate is None else None
                rows.append(row)
    return rows


def _metrics(name: str, rows: Sequence[Mapping[str, object]], metric: str) -> dict[str, float]:
    """Means as evaluation.py names them: over the rows of a cell, and over cells."""
    cells: dict[str, list[float]] = {}
    for row in rows:
        for column in (metric, "rank_distance", "language_preference"):
            if row.get(column) is not None:
                candidate = f"-{row['candidate_language']}" if row["setting"] == "crosslingual" else ""
                key = f"{name}/{row['setting']}/{column}/{row['query_language']}{candidate}"
                cells.setdefault(key, []).append(row[column])
    means = {key: float(np.mean(values)) for key, values in cells.items()}
    whole: dict[str, list[float]] = {}
    for key, value in means.items():
        whole.setdefault(key.rpartition("/")[0], []).append(value)
    return means | {key: float(np.mean(values)) for key, values in whole.items()}
