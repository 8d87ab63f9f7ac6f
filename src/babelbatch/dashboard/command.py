"""babelbatch-dashboard: its arguments, and what it tells."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from babelbatch.configuration.signatures import closest
from babelbatch.dashboard.runs import LocalRuns, read_runs
from babelbatch.jobs.launch import CONF

USER_ERROR = 2
_ARGUMENTS = {
    "entity": "the W&B user or team; default: that of the runs, WANDB_ENTITY, or your account's own",
    "project": "the W&B project; default: that of the runs, WANDB_PROJECT, or that of conf/logger/wandb.yaml",
    "name": "of the workspace; default: babelbatch. A workspace of this name is updated",
    "benchmarks": "to show, such as xquad_r,mlqa_r; default: those of the runs",
    "runs": "folder of finished runs, which say the above; default: multirun. They need not be there",
    "dry_run": "true: print the workspace as JSON, and ask no server",
}
_EXTRA = "pip install 'babelbatch[dashboard]'"


@dataclass(frozen=True, slots=True)
class Request:
    """entity: None means that of the account. benchmarks: each with the metric to read first."""

    entity: str | None
    project: str
    name: str
    benchmarks: dict[str, str]


def main(arguments: Sequence[str]) -> int:
    """Saves the workspace and prints its address. The exit code: 0, or 2 with what to do instead."""
    if {"-h", "--help"} & set(arguments):
        print(_help())
        return 0
    try:
        given = parse(arguments)
        place = Path(given.get("runs", "multirun"))
        runs = read_runs(place)
        request = understood(given, runs)
    except ValueError as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        return USER_ERROR
    try:
        from babelbatch.dashboard.panels import specification, workspace
        from babelbatch.dashboard.saving import NotSaved, save
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "wandb_workspaces":
            raise
        print(f"babelbatch: the dashboard needs wandb-workspaces: {_EXTRA}\n{_instead(place, runs)}", file=sys.stderr)
        return USER_ERROR
    make = partial(workspace, project=request.project, name=request.name, benchmarks=request.benchmarks)
    try:
        spec = specification(make(request.entity or ""))
    except ValueError:
        print(f"babelbatch: name: W&B takes no emoji or symbol in '{request.name}'; choose another", file=sys.stderr)
        return USER_ERROR
    if _is_true(given.get("dry_run", "false")):
        whole = {"entity": request.entity, "project": request.project, "name": request.name, "spec": spec}
        print(json.dumps(whole, indent=1, ensure_ascii=False))
        return 0
    try:
        saved = save(make, request.entity)
    except NotSaved as error:
        print(f"babelbatch: the dashboard is not saved: {error}\n{_instead(place, runs)}", file=sys.stderr)
        return USER_ERROR
    print(f"{'created' if saved.created else 'updated'} the workspace '{request.name}': {saved.url}")
    return 0


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """`key=value` arguments. Raises ValueError with every mistake, each with its remedy."""
    given: dict[str, str] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in _ARGUMENTS:
            problems.append(
                f"{key}: no such argument{closest(key, list(_ARGUMENTS))} (there are: {', '.join(_ARGUMENTS)})"
            )
        elif not equals or not value:
            problems.append(f"{key}: a value is missing: {key}=...")
        elif key in given:
            problems.append(f"{key}: given twice")
        else:
            given[key] = value
    if (switch := given.get("dry_run", "false").lower()) not in {"true", "false"}:
        problems.append(f"dry_run: '{switch}' is neither true nor false")
    if problems:
        raise ValueError("the command cannot be understood:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return given


def understood(given: dict[str, str], runs: LocalRuns) -> Request:
    """What is asked for, the rest taken from the runs, the environment, and the shipped configuration, in this order.

    Raises ValueError if the runs disagree, or nothing says which benchmarks to show.
    """
    benchmarks = tuple(name for name in given.get("benchmarks", "").strip("[]").replace(" ", "").split(",") if name)
    benchmarks = {name: runs.benchmarks.get(name, "map") for name in benchmarks} or runs.benchmarks
    if not benchmarks:
        place = given.get("runs", "multirun")
        raise ValueError(
            f"no finished run in {place} says which benchmarks to show: name them, benchmarks=xquad_r,mlqa_r, "
            "or where the runs are, runs=<folder>"
        )
    entity = given.get("entity") or _only("entity", "entities", runs.entities) or os.environ.get("WANDB_ENTITY") or None
    project = given.get("project") or _only("project", "projects", runs.projects) or os.environ.get("WANDB_PROJECT")
    return Request(entity, project or _shipped_project(), given.get("name", "babelbatch"), benchmarks)


def _only(key: str, several: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise ValueError(f"the runs log to several W&B {several} ({', '.join(values)}): choose one, {key}=...")
    return values[0] if values else None


def _shipped_project() -> str:
    return yaml.safe_load((CONF / "logger" / "wandb.yaml").read_text(encoding="utf-8"))["wandb"]["project"]


def _is_true(value: str) -> bool:
    return value.lower() == "true"


def _instead(place: Path, runs: LocalRuns) -> str:
    """What shows the runs without W&B's server."""
    logged = [folder for folder in runs.folders if (folder / "wandb").is_dir()]
    run = str(logged[-1]) if logged else "<run>"
    return (
        "What shows the runs without it:\n"
        f"  wandb leet {run}/wandb    a run's curves in the terminal\n"
        f"  babelbatch-report runs={place}    an HTML page of all runs\n"
        "  babelbatch-dashboard ... dry_run=true    the workspace as JSON"
    )


def _help() -> str:
    lines = ["babelbatch-dashboard saves a workspace in a W&B project that compares its runs.", ""]
    return "\n".join([*lines, *(f"  {name}=  {text}" for name, text in _ARGUMENTS.items())])
