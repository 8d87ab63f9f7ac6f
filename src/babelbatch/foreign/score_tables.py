"""Scores by query as other tools write them.

ir_measures (`-q`): `query <tab> measure <tab> value`, or JSON lines with query_id, measure and value. pytrec_eval: one
JSON object, query -> measure -> value. Their summary over all queries is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babelbatch.foreign.declaration import shown
from babelbatch.foreign.lines import fault, finite, is_finite, lines, read_json
from babelbatch.storage.documents import parse_json

_SUMMARY = "all"
_SAME = {
    "AP": "map",
    "MAP": "map",
    "RR@100": "mrr@100",
    "nDCG@10": "ndcg@10",
    "nDCG@20": "ndcg@20",
    "R@1": "recall@1",
    "R@10": "recall@10",
    "R@100": "recall@100",
    "ndcg_cut_10": "ndcg@10",
    "ndcg_cut_20": "ndcg@20",
    "recall_1": "recall@1",
    "recall_10": "recall@10",
    "recall_100": "recall@100",
    "map": "map",
}
"""Measures of ir_measures and trec_eval -> ours. Not AP at 20: theirs divides by all relevant candidates, ours by 20 at
most."""
RELEVANT = ("NumRel", "num_rel")
"""Measures that count the relevant candidates of a query."""


def read_scores(path: Path) -> dict[str, dict[str, float]]:
    """query -> measure, as the file names it -> value. Raises ValueError, with file and line, for anything else."""
    if path.suffix == ".json":
        return _nested(path)
    scores: dict[str, dict[str, float]] = {}
    for number, query, measure, value in _json_lines(path) if path.suffix == ".jsonl" else _tab_separated(path):
        if query == _SUMMARY:
            continue
        if measure in scores.setdefault(query, {}):
            raise fault(path, number, f"{shown(measure)} of query {shown(query)} is there twice; keep one")
        scores[query][measure] = value
    if not scores:
        raise ValueError(f"{path}: it has no scores by query; write them with -q")
    return scores


def our_measure(name: str) -> str | None:
    """Our name of a measure; None for one that we do not have."""
    return _SAME.get(name)


def _tab_separated(path: Path) -> Iterator[tuple[int, str, str, float]]:
    for number, line in lines(path):
        parts = line.split("\t")
        if len(parts) != 3:
            raise fault(path, number, f"it has {len(parts)} columns, and a table by query has 3: query, measure, value")
        query, measure, value = (part.strip() for part in parts)
        yield number, query, measure, finite(path, number, "value", value)


def _json_lines(path: Path) -> Iterator[tuple[int, str, str, float]]:
    for number, line in lines(path):
        try:
            found = parse_json(line, finite=False)
            query, measure, value = (found[key] for key in ("query_id", "measure", "value"))
        except (ValueError, TypeError, KeyError):
            raise fault(path, number, "it is not an object with query_id, measure and value; mend it") from None
        if not isinstance(query, str) or not isinstance(measure, str) or not _is_number(value):
            raise fault(path, number, "query_id and measure are texts, and value is a finite number; mend it")
        yield number, query, measure, float(value)


def _nested(path: Path) -> dict[str, dict[str, float]]:
    found = read_json(path)
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path}: it is no object of queries; write what RelevanceEvaluator.evaluate returns")
    for query, measures in found.items():
        if not isinstance(measures, dict) or not all(_is_number(value) for value in measures.values()):
            raise ValueError(f"{path}: query {shown(query)} is no object of measures with finite numbers; mend it")
    return {
        query: {measure: float(value) for measure, value in measures.items()}
        for query, measures in found.items()
        if query != _SUMMARY
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and is_finite(value)
