"""babelbatch-report: its arguments and messages."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from babelbatch.configuration.signatures import closest
from babelbatch.report.settings import Settings

USER_ERROR = 2
USAGE = """\
babelbatch-report FOLDER|runs=FOLDER[,FOLDER ...] [output=FOLDER] [benchmarks=NAME[,NAME ...]]
                 [margin=0.01] [level=0.95] [plan=DIFFERENCE] [foreign=FOLDER|{...} ...]
                 [select=validation/SETTING/METRIC[,...] [select_per=strategy|seed] [select_among=...]] [scores=FOLDER]
                 [contrasts=FILE|[...]|none] [name=NAME]

Compares the finished runs in the folders: each is the folder of a run, of a sweep, or of several sweeps.

  runs        folders to compare; separate several with commas, or repeat runs=. FOLDER alone means runs=FOLDER, or
              runs=multirun/FOLDER where only that one exists
  foreign     results of other tools: folders with a system.yaml (runs= finds these too), or its content, such as
              foreign='{kind: trec, files: bm25.run, qrels: bm25.qrels, ...}'; see docs/report.md
  output      folder for report.html, report.md and data/; default: FOLDER/report, for several folders: report
  name        of the report, at the top of the page; default: the names of the runs
  scores      folder for compressed copies of what the report reads of each run, without encoders: to publish them, or
              to make the same report elsewhere
  benchmarks  benchmarks to compare on; default: all, if every run has the same
  margin      loss of monolingual mAP against X-X up to which a strategy counts as not inferior
  level       confidence level of intervals; a difference is significant if its p (Holm) is below 1 - level
  contrasts   planned comparisons, in place of report.contrasts of the runs: a YAML file that has report.contrasts, such
              as that of an experiment, or a list, contrasts='[{group: hybrid, alpha: 0.5, against: x_x, measure:
              multilingual}]'; none makes every comparison exploratory
  plan        a difference, such as 0.005: computes how many seeds of each strategy are needed to find it
  select      validation score to select hyperparameters by, such as validation/multilingual/map; the selected runs
              are compared, the others left out; several scores, separated by commas, select their front; default:
              report.select of the runs; none compares all
  select_per  strategy (default): one choice for all its seeds; seed: one for each
  select_among
              settings that are hyperparameters; default: optimizer,scheduler,loss.temperature,sampling.alpha"""
_OPTIONS = (
    "runs",
    "foreign",
    "output",
    "scores",
    "benchmarks",
    "margin",
    "level",
    "plan",
    "contrasts",
    "name",
    "select",
    "select_per",
    "select_among",
)


def main() -> None:
    """Writes the report and prints the path of its page. Exits with 2 after a user error."""
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE)
        sys.exit(0 if arguments else USER_ERROR)
    try:
        folders, output, settings = parse(arguments)
        from babelbatch.report.page import write_report  # takes a second, which --help and mistakes do not need
        from babelbatch.report.stored_scores import store_scores

        page = write_report(folders, output, settings)
        if settings.scores is not None:
            store_scores(folders, settings.scores)
        print(page)
    except (ValueError, OSError) as error:
        print(f"babelbatch: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


def _folder(name: str) -> str:
    """The folder that a name without `runs=` means. Raises ValueError if there are two, or none."""
    found = [each for each in (name, f"multirun/{name}") if Path(each).expanduser().is_dir()]
    if len(found) == 2:
        raise ValueError(f"{name}: there are two such folders; write runs={found[0]} or runs={found[1]}")
    if not found:
        raise ValueError(
            f"{name}: there is no folder {name}, nor multirun/{name}; write options as runs=..., output=..."
        )
    return found[0]


def parse(arguments: Sequence[str]) -> tuple[list[Path], Path, Settings]:
    """The folders to compare, the output folder and the settings. Raises ValueError with every mistake."""
    options: dict[str, list[str]] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals and not argument.startswith("-"):
            try:
                options.setdefault("runs", []).append(_folder(argument))
            except ValueError as error:
                problems.append(str(error))
        elif key not in _OPTIONS:
            hint = closest(key, list(_OPTIONS)) if equals else ""
            problems.append(f"'{argument}' is not an option{hint}; write options as runs=..., output=...")
        elif key in ("contrasts", "name") or (key == "foreign" and value.lstrip().startswith("{")):
            options.setdefault(key, []).append(value)
        else:
            options.setdefault(key, []).extend(part for part in value.strip("[]").split(",") if part)
    folders = [Path(part).expanduser() for part in options.get("runs", [])]
    foreign = options.get("foreign", [])
    if not folders and not foreign:
        problems.append("runs: no folder; name that of a run or of a sweep, such as runs=multirun/demo")
    numbers = {}
    for key, default in (("margin", Settings.margin), ("level", Settings.level)):
        text = ",".join(options.get(key, []))
        try:
            numbers[key] = float(text) if text else default
            if not 0 < numbers[key] < 1:
                raise ValueError
        except ValueError:
            problems.append(f"{key}: {text} is not a number between 0 and 1; write {key}={default:g}")
    plan = None
    if text := ",".join(options.get("plan", [])):
        try:
            plan = float(text)
            if not 0 < plan < math.inf:
                raise ValueError
        except ValueError:
            problems.append(f"plan: {text} is not a positive number; write plan=0.005")
    select: dict[str, object] = {key: ",".join(options[key]) for key in ("select", "select_per") if key in options}
    if len(options.get("select", [])) > 1:
        select["select"] = options["select"]
    select |= {"select_among": options["select_among"]} if "select_among" in options else {}
    outputs = [Path(part).expanduser() for part in options.get("output", [])]
    if len(outputs) > 1:
        problems.append("output: several folders; name one")
    scores = [Path(part).expanduser() for part in options.get("scores", [])]
    if len(scores) > 1:
        problems.append("scores: several folders; name one")
    contrasts = options.get("contrasts", [])
    if len(contrasts) > 1:
        problems.append("contrasts: several values; name one file, or write one list")
    names = options.get("name", [])
    if len(names) > 1:
        problems.append("name: several values; a report has one")
    if problems:
        raise ValueError("\n".join(problems))
    default_output = folders[0] / "report" if len(folders) == 1 else Path("report")
    settings = Settings(
        numbers["level"],
        numbers["margin"],
        tuple(options.get("benchmarks", [])),
        plan,
        select,
        tuple(foreign),
        scores[0] if scores else None,
        contrasts[0] if contrasts else "",
        names[0] if names else "",
    )
    return folders, outputs[0] if outputs else default_output, settings
