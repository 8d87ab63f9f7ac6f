"""babelbatch-dashboard: its arguments and messages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from babelbatch.configuration.shipped import CONF
from babelbatch.configuration.signatures import closest
from babelbatch.dashboard.runs import LocalRuns, read_runs
from babelbatch.progress import announce

USER_ERROR = 2
_ARGUMENTS = {
    "entity": "W&B user or team; default: that of the runs, WANDB_ENTITY, or the default of your account",
    "project": "W&B project; default: that of the runs, WANDB_PROJECT, or that of conf/logger/wandb.yaml",
    "name": "name of the workspace; default: babelbatch. An existing workspace of this name is updated",
    "benchmarks": "benchmarks to show, such as xquad_r,mlqa_r; default: those of the runs",
    "runs": "folder of finished runs that the defaults above come from; default: multirun. It may be missing",
    "dry_run": "true prints the workspace as JSON and does not contact W&B",
}
_EXTRA = "pip install 'babelbatch[dashboard]'"


@dataclass(frozen=True, slots=True)
class Request:
    """A workspace to save. entity: None means the default of the account. benchmarks: name -> its first metric."""

    entity: str | None
    project: str
    name: str
    benchmarks: dict[str, str]


def main(arguments: Sequence[str]) -> int:
    """Saves the workspace and prints its address. Returns the exit code: 0, or 2 after a message with a remedy."""
    if {"-h", "--help"} & set(arguments):
        print(_help())
        return 0
    try:
        options = parse(arguments)
        folder = Path(options.get("runs", "multirun")).expanduser()
        runs = read_runs(folder)
        request = resolve(options, runs)
    except ValueError as error:
        return _refuse(str(error))
    try:
        from babelbatch.dashboard.panels import specification, workspace
        from babelbatch.dashboard.saving import NotSaved, save
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "wandb_workspaces":
            raise
        return _refuse(f"the dashboard needs wandb-workspaces: {_EXTRA}\n{_alternatives(folder, runs)}")
    make = partial(workspace, project=request.project, name=request.name, benchmarks=request.benchmarks)
    try:
        spec = specification(make(request.entity or ""))
    except ValueError:
        return _refuse(f"name: W&B does not allow emoji or symbols in '{request.name}'; choose another")
    if _is_true(options.get("dry_run", "false")):
        whole = {"entity": request.entity, "project": request.project, "name": request.name, "spec": spec}
        print(json.dumps(whole, indent=1, ensure_ascii=False))
        return 0
    announce("saving the workspace")
    try:
        saved = save(make, request.entity)
    except NotSaved as error:
        return _refuse(f"the dashboard is not saved: {error}\n{_alternatives(folder, runs)}")
    print(f"{'created' if saved.created else 'updated'} the workspace '{request.name}': {saved.url}")
    return 0


def _refuse(message: str) -> int:
    print(f"babelbatch: {message}", file=sys.stderr)
    return USER_ERROR


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """Reads `key=value` arguments. Raises ValueError with every mistake and its remedy."""
    options: dict[str, str] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in _ARGUMENTS:
            problems.append(
                f"{key}: no such argument{closest(key, list(_ARGUMENTS))} (arguments: {', '.join(_ARGUMENTS)})"
            )
        elif not equals or not value:
            problems.append(f"{key}: no value; write {key}=...")
        elif key in options:
            problems.append(f"{key}: given twice; give it once")
        else:
            options[key] = value
    if (switch := options.get("dry_run", "false").lower()) not in {"true", "false"}:
        problems.append(f"dry_run: '{switch}' is neither true nor false; write one of them")
    if problems:
        raise ValueError("mistakes in the arguments:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return options


def resolve(options: Mapping[str, str], runs: LocalRuns) -> Request:
    """The workspace to save. What the options leave out comes from the runs, the environment, or the shipped
    configuration, in this order.

    Raises ValueError if the runs disagree, or if neither options nor runs name a benchmark.
    """
    names = [name for name in options.get("benchmarks", "").strip("[]").replace(" ", "").split(",") if name]
    benchmarks = {name: runs.benchmarks.get(name, "map") for name in names} or runs.benchmarks
    if not benchmarks:
        raise ValueError(
            f"benchmarks: no finished run in {options.get('runs', 'multirun')} to take them from; name them "
            "(benchmarks=xquad_r,mlqa_r) or the folder of the runs (runs=<folder>)"
        )
    entity = (
        options.get("entity") or _only("entity", "entities", runs.entities) or os.environ.get("WANDB_ENTITY") or None
    )
    project = options.get("project") or _only("project", "projects", runs.projects) or os.environ.get("WANDB_PROJECT")
    return Request(entity, project or _shipped_project(), options.get("name", "babelbatch"), benchmarks)


def _only(key: str, several: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise ValueError(
            f"{key}: the runs log to several W&B {several} ({', '.join(values)}); choose one with {key}=..."
        )
    return values[0] if values else None


def _shipped_project() -> str:
    shipped = yaml.safe_load((CONF / "logger" / "wandb.yaml").read_text(encoding="utf-8"))
    return str(shipped["wandb"]["project"])


def _is_true(value: str) -> bool:
    return value.lower() == "true"


def _alternatives(folder: Path, runs: LocalRuns) -> str:
    """Other ways to look at the runs, without W&B's server."""
    logged = [folder for folder in runs.folders if (folder / "wandb").is_dir()]
    run = str(logged[-1]) if logged else "<run>"
    return (
        "Without it, look at the runs with:\n"
        f"  wandb leet {run}/wandb    a run's curves in the terminal\n"
        f"  babelbatch-report runs={folder}    an HTML page of all runs\n"
        "  babelbatch-dashboard ... dry_run=true    the workspace as JSON"
    )


def _help() -> str:
    lines = ["babelbatch-dashboard saves a workspace in a W&B project that compares its runs.", ""]
    return "\n".join([*lines, *(f"  {name}=  {text}" for name, text in _ARGUMENTS.items())])
