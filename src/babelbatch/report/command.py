"""babelbatch-report: the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from babelbatch.configuration.signatures import closest
from babelbatch.report.settings import Settings

USER_ERROR = 2
USAGE = """\
babelbatch-report runs=FOLDER[,FOLDER ...] [output=FOLDER] [benchmarks=NAME[,NAME ...]] [margin=0.01] [level=0.95]

Compares the finished runs in the folders: each the folder of a run, of a sweep, or of several sweeps.

  runs        what to compare; several folders with commas, or runs= several times
  output      where report.html, report.md and data/ go; default: FOLDER/report, of several folders: report
  benchmarks  only these; default: all, which must be the same in every run
  margin      how much monolingual mAP a strategy may lose against X-X and still count as not worse
  level       of the intervals; a difference counts as settled if its p, by Holm, is below 1 - level"""
_OPTIONS = ("runs", "output", "benchmarks", "margin", "level")


def main() -> None:
    """Ends the process: 0, or 2 for what the user can mend, told in a line without a traceback."""
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE)
        sys.exit(0 if arguments else USER_ERROR)
    try:
        folders, output, settings = parsed(arguments)
        from babelbatch.report.page import write_report  # a second that --help and mistakes need not wait for

        print(write_report(folders, output, settings))
    except (ValueError, OSError) as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


def parsed(arguments: Sequence[str]) -> tuple[list[Path], Path, Settings]:
    """Folders, place of the report, and settings. Raises ValueError with all that is wrong."""
    said: dict[str, list[str]] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in _OPTIONS:
            hint = closest(key, list(_OPTIONS)) if equals else ""
            problems.append(f"'{argument}' is not understood{hint}; options are written runs=..., output=...")
        else:
            said.setdefault(key, []).extend(part for part in value.strip("[]").split(",") if part)
    folders = [Path(part).expanduser() for part in said.get("runs", [])]
    if not folders:
        problems.append("runs: name the folder of a run or of a sweep, such as runs=multirun/demo")
    numbers = {}
    for key in ("margin", "level"):
        text = ",".join(said.get(key, [])) or None
        try:
            numbers[key] = getattr(Settings, key) if text is None else float(text)
            if not 0 < numbers[key] < 1:
                raise ValueError
        except ValueError:
            problems.append(f"{key}: {text} is not a number between 0 and 1")
    if len(said.get("output", [])) > 1:
        problems.append("output: one folder only")
    if problems:
        raise ValueError("\n".join(problems))
    beside = folders[0] / "report" if len(folders) == 1 else Path("report")
    output = Path(said["output"][0]).expanduser() if said.get("output") else beside
    return folders, output, Settings(numbers["level"], numbers["margin"], tuple(said.get("benchmarks", [])))
