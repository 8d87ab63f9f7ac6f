"""Checks of the benchmarks: keys that exclude each other, and pools that need a search.

Only plain values of the configuration are used; nothing is imported or read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babelbatch.configuration.rules.tables import problems_of_place
from babelbatch.records import problem_of_name

_TABLE = "babelbatch.benchmarks.table.load_benchmark"
_LARGE = {
    "babelbatch.benchmarks.miracl.load_benchmark": "106 million passages",
    "babelbatch.benchmarks.mr_tydi.load_benchmark": "58 million passages",
    "babelbatch.benchmarks.mewsli_x.load_benchmark": "a million entities",
}
"""Pools that are too large for a full ranking, with all their languages."""


def problems_of_benchmarks(cfg: dict[str, Any]) -> Iterator[str]:
    """Yields `path: problem; remedy` for each problem."""
    for name, node in (cfg.get("benchmarks") or {}).items():
        if (problem := problem_of_name(str(name))) is not None:  # before it is the name of a file
            yield f"benchmarks: the name {str(name)[:80]!r} {problem}; choose another"
        if isinstance(node, dict) and node.get("_target_") == _TABLE:
            yield from _problems_of_table(f"benchmarks.{name}", node)
        elif isinstance(node, dict) and node.get("_target_") in _LARGE:
            whole = node.get("languages") is None or "mewsli_x" in node["_target_"]
            if whole and "evaluation" in cfg and cfg["evaluation"].get("index") is None:
                yield (
                    f"evaluation: the pool of {name} has {_LARGE[node['_target_']]}, which cannot be ranked in full; "
                    "set evaluation=search"
                )
    first, _, rest = str(cfg.get("monitor")).partition("/")
    watched = (cfg.get("benchmarks") or {}).get(first)
    if isinstance(watched, dict) and watched.get("pooled") is False and rest.startswith("multilingual/"):
        yield (
            f"monitor: {first} has no pool of all languages; set monitor={first}/monolingual/ndcg@10, or "
            f"benchmarks.{first}.pooled=true"
        )


def _problems_of_table(path: str, node: dict[str, Any]) -> Iterator[str]:
    if node.get("layout") == "pairs":
        yield from problems_of_place(path, node, kind="file or folder", exists=Path.exists, hub_keys=["revision"])
        more = node.get("candidates")
        if isinstance(more, str) and not Path(more).exists():
            yield f"{path}.candidates: there is no file or folder '{more}'"
        for key in ("queries", "qrels", "split", "hub", "ids_join_languages", "exclude_same_id"):
            if node.get(key) is not None:
                yield f"{path}.{key}: layout=pairs has everything in its rows; leave it out"
        return
    yield from problems_of_place(path, node, kind="folder", exists=Path.is_dir, hub_keys=["revision"])
    if node.get("layout") == "trec" and node.get("columns"):
        yield f"{path}.columns: files of layout=trec go by the order of their fields; leave it out, or set layout=beir"
    named = [node.get(role) for role in ("queries", "candidates", "qrels")]
    if node.get("layout") == "trec" and "split" in node and not any("{split}" in str(pattern) for pattern in named):
        yield (
            f"{path}.split: files of layout=trec have no splits; leave it out, or name the file by it, such as "
            f"'{path}.qrels=\"qrels.{{split}}.txt\"'"
        )
