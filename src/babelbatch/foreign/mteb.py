"""Folders of mteb (2.0 and later).

`<Task>.json` has aggregate scores of each subset. `<Task>_predictions.json`, which mteb writes with
`prediction_folder=`, has the ranked lists: subset -> split -> query -> candidate -> score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babelbatch.foreign.declaration import shown
from babelbatch.foreign.lines import is_finite, read_json
from babelbatch.foreign.trec import Lists, sorted_lists

PREDICTIONS = "_predictions.json"
_META = "mteb_model_meta"
_MEASURES = {
    "mrr_at_100": "mrr@100",
    "ndcg_at_10": "ndcg@10",
    "ndcg_at_20": "ndcg@20",
    "recall_at_1": "recall@1",
    "recall_at_10": "recall@10",
    "recall_at_100": "recall@100",
}


@dataclass(frozen=True, slots=True)
class Predictions:
    """model: its name; None if the file has none. lists: subset -> the lists."""

    model: str | None
    lists: Mapping[str, Lists]


def read_predictions(path: Path) -> Predictions:
    """The ranked lists of a task. Raises ValueError if the file is no such file, or has several splits."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise ValueError(f"{path}: it is no object of subsets; write it again with prediction_folder=")
    meta = found.get(_META)
    model = meta.get("model_name") if isinstance(meta, dict) else None
    subsets = {name: content for name, content in found.items() if name != _META}
    if not subsets:
        raise ValueError(f"{path}: it has no subsets; write it again with prediction_folder=")
    lists = {name: _lists(path, name, content) for name, content in subsets.items()}
    return Predictions(model if isinstance(model, str) else None, lists)


def read_aggregates(path: Path) -> dict[str, dict[str, float]]:
    """subset -> our measure -> score, of a task's results. Raises ValueError for other files and several splits."""
    found = read_json(path)
    splits = found.get("scores") if isinstance(found, dict) else None
    if not isinstance(splits, dict) or not splits:
        raise ValueError(f"{path}: it has no scores; name the results of a task, <Task>.json")
    _one_split(path, splits)
    scores: dict[str, dict[str, float]] = {}
    entries = next(iter(splits.values()))
    if not isinstance(entries, list):
        raise ValueError(f"{path}: scores has a split that is no list; write the results again with mteb 2")
    for entry in entries:
        subset = entry.get("hf_subset") if isinstance(entry, dict) else None
        if not isinstance(subset, str):
            raise ValueError(f"{path}: scores has an entry without hf_subset; write the results again with mteb 2")
        scores[subset] = {ours: _number(path, entry[name]) for name, ours in _MEASURES.items() if name in entry}
    return scores


def _lists(path: Path, subset: str, splits: object) -> Lists:
    if not isinstance(splits, dict) or not splits:
        raise ValueError(f"{path}: subset {shown(subset)} is no object of splits; write it again")
    _one_split(path, splits)
    ranked = next(iter(splits.values()))
    if not isinstance(ranked, dict) or not all(isinstance(scores, dict) for scores in ranked.values()):
        raise ValueError(f"{path}: subset {shown(subset)} is no object of ranked lists; only retrieval tasks have them")
    rows = {query: row for row, query in enumerate(ranked)}
    numbers: dict[str, int] = {}
    queries, candidates, values = [], [], []
    for query, scores in ranked.items():
        for candidate, value in scores.items():
            queries.append(rows[query])
            candidates.append(numbers.setdefault(candidate, len(numbers)))
            values.append(_number(path, value))
    lines = (np.array(queries, np.int64), np.array(candidates, np.int64), np.array(values, np.float32))
    return sorted_lists(path, rows, numbers, *lines)


def _one_split(path: Path, splits: Mapping[str, object]) -> None:
    if len(splits) > 1:
        raise ValueError(f"{path}: it has the splits {', '.join(sorted(splits))}; write one split to a file of its own")


def _number(path: Path, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value):
        raise ValueError(f"{path}: {shown(str(value))} is no finite score; write it again")
    return float(value)
