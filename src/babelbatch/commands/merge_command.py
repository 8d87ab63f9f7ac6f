"""babelbatch-merge: its arguments and messages."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babelbatch.configuration.signatures import closest

USER_ERROR = 2
USAGE = """\
babelbatch-merge runs=FOLDER,FOLDER[,FOLDER ...] weights=0.5,0.5[,...] output=FOLDER
babelbatch-merge runs=FOLDER,FOLDER sweep=0.25,0.5,0.75 output=FOLDER

Averages the weights of finished runs that began from the same weights, into an encoder that babelbatch-evaluate takes.

  runs     folders of the runs, separated by commas
  weights  the share of each run, in their order; they sum to 1. Default: equal shares
  sweep    shares of the first of two runs; one merged encoder for each, in FOLDER/0.25 and so on
  output   folder for the encoder and merge.json, with sweep= for one such folder a share"""
_OPTIONS = ("runs", "weights", "sweep", "output")


@dataclass(frozen=True)
class Merge:
    """One average: the shares of the runs, and the folder for it."""

    weights: tuple[float, ...]
    output: Path


def main() -> None:
    """Writes the merged encoders and prints their folders. Exits with 2 after a user error."""
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE)
        sys.exit(0 if arguments else USER_ERROR)
    try:
        runs, merges = parse(arguments)
        from babelbatch.commands.merge import merge  # imports torch, which --help and mistakes do not need

        for each in merges:
            merge(runs, each.weights, each.output)
            print(each.output)
    except (ValueError, OSError) as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    print(f"To evaluate: babelbatch-evaluate checkpoint={merges[0].output} 'benchmarks=[...]'")


def parse(arguments: Sequence[str]) -> tuple[list[Path], list[Merge]]:
    """The folders of the runs, and the averages to make. Raises ValueError with every mistake."""
    options: dict[str, list[str]] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in _OPTIONS:
            hint = closest(key, list(_OPTIONS)) if equals else ""
            problems.append(f"'{argument}' is not an option{hint}; write options as runs=..., weights=..., output=...")
        else:
            options.setdefault(key, []).extend(part for part in value.strip("[]").split(",") if part)
    runs = [Path(part).expanduser() for part in options.get("runs", [])]
    if len(runs) < 2:
        problems.append("runs: fewer than two; name the folders of two or more runs, such as runs=a,b")
    elif len({run.resolve() for run in runs}) < len(runs):
        problems.append("runs: one is named twice; name each once, and give it its share in weights=")
    outputs = [Path(part).expanduser() for part in options.get("output", [])]
    if len(outputs) != 1:
        problems.append("output: name one folder, such as output=multirun/merged")
    weights = _numbers("weights", options.get("weights", []), problems)
    sweep = _numbers("sweep", options.get("sweep", []), problems)
    if weights and sweep:
        problems.append("sweep: weights= says the shares already; leave one of the two out")
    if sweep and len(runs) > 2:
        problems.append("sweep: the shares of more than two runs are no single number; use weights=")
    if len(set(sweep)) < len(sweep):
        problems.append("sweep: a share is named twice; name each once")
    if weights and len(weights) != len(runs):
        problems.append(f"weights: {len(weights)} shares for {len(runs)} runs; give each run one")
    elif weights and not math.isclose(sum(weights), 1, abs_tol=1e-6):
        problems.append(f"weights: they sum to {sum(weights):g}; shares sum to 1")
    if problems:
        raise ValueError("\n".join(problems))
    if sweep:
        return runs, [Merge((share, 1 - share), outputs[0] / f"{share:g}") for share in sweep]
    return runs, [Merge(tuple(weights) or (1 / len(runs),) * len(runs), outputs[0])]


def _numbers(key: str, parts: Sequence[str], problems: list[str]) -> list[float]:
    found = []
    for part in parts:
        try:
            number = float(part)
            if not 0 <= number <= 1:
                raise ValueError
        except ValueError:
            problems.append(f"{key}: {part} is not a number between 0 and 1")
        else:
            found.append(number)
    return found
