"""Writes docs/settings.md: every key of every group and root, with its type, its default and one line.

Types and defaults are those of the signatures that the configuration names, the lines those of their docstrings.
`python docs/tools/settings_page.py` writes the page; `tests/docs/test_settings.py` fails while it is out of date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import yaml
from docstrings import notes, paragraphs

from babelbatch.configuration.schema import BY_THE_RUN, OF_THE_RUN, SCHEMAS
from babelbatch.configuration.signatures import Parameter, describe, docstrings, parameters
from babelbatch.jobs.overrides import CONF

PAGE = Path(__file__).parents[1] / "settings.md"
COMMANDS = {
    "train": "babelbatch-train",
    "evaluate": "babelbatch-evaluate",
    "mine": "babelbatch-mine",
    "describe": "babelbatch-data",
    "search": "babelbatch-search",
    "encode": "babelbatch-encode",
    "export": "babelbatch-export",
}
GROUPS = {
    "sampling": "Which languages and items a batch has.",
    "corpus": "What is trained on. `corpus@validation=` takes the same options, set under `validation.`.",
    "benchmarks": "What is evaluated on: one or a list. Keys stand under the name: `benchmarks.xquad_r.languages=`.",
    "encoder": "The model.",
    "loss": "What a step minimises ([objectives](training.md#objectives)).",
    "tuning": "Which weights are trained, and how.",
    "data": "How batches are prepared.",
    "transform": "What is done to the texts of the corpus. Nothing unless chosen.",
    "optimizer": "The optimiser.",
    "scheduler": "The learning rate over the run.",
    "trainer": "Lightning's trainer: devices, precision, steps.",
    "callbacks": "What happens during training. Keys stand under the name: `callbacks.checkpoint.every_minutes=`.",
    "evaluation": "How retrieval is evaluated.",
    "logger": "Where curves go besides the run's folder.",
    "mining": "Which passages become hard negatives (`babelbatch-mine`).",
    "index": "How neighbours are searched (`babelbatch-mine`, `babelbatch-search`, and `index@evaluation.index=`).",
}
ELSEWHERE = {
    f"babelbatch.encoder.{name}": "babelbatch.encoder.model.Settings" for name in ("pretrained", "static", "tiny")
}
"""Where the notes on those arguments are that a docstring leaves to another one."""
NOTES = {
    "torch.optim.AdamW": {
        "lr": "the learning rate",
        "betas": "decay of the running averages of the gradient and of its square",
        "eps": "added to the denominator",
        "weight_decay": "of the weights that decay: not of norms, biases and the temperature",
        "amsgrad": "the AMSGrad variant",
        "maximize": "maximise the objective",
        "foreach": "update all weights in one call",
        "capturable": "safe to capture in a CUDA graph",
        "differentiable": "let gradients flow through the step",
        "fused": "the fused kernel",
    },
}
"""Of libraries whose docstrings cannot be read from the source."""

HEADER = """\
<!-- Written by docs/tools/settings_page.py. Do not edit: change the signature or its docstring, then make settings. -->
# Settings

Every key can be set on the command line (`loss.temperature=0.02`) or in [an experiment file](extend.md). A group takes
one of its options (`loss=mimo`); the keys of an option are the arguments of the class or function that its `_target_`
names. A key that does not exist, a value of the wrong type and combinations that contradict each other are errors,
reported all at once before anything is loaded.

`babelbatch-train --help` lists the groups, and `--cfg job` shows the configuration of a command. `--cfg full` adds
every default that is left to an argument. Of `babelbatch-train` that is an experiment file:
`--cfg full > my_conf/experiment/mine.yaml`, then `--config-dir my_conf experiment=mine`. `config.yaml` in the folder of
a run has the resolved configuration. `babelbatch-fetch` takes the settings of `babelbatch-train`, and `babelbatch-data`
those that concern data. In the tables, *required* marks a key without a default; "sets" names the keys to which an
option gives a value of its own.
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [HEADER, "## Roots\n", "Keys that belong to no group.\n", *_roots()]
    parts += [part for group, purpose in GROUPS.items() for part in _group(group, purpose)]
    parts += [part for kind, purpose in HYDRAS.items() for part in _of_hydra(kind, purpose)]
    return "\n".join(parts).rstrip() + "\n"


def _roots() -> Iterator[str]:
    for name, command in COMMANDS.items():
        schema = SCHEMAS[name]
        keys = [field for field in fields(schema) if field.default_factory is not dict and field.name not in GROUPS]
        said = notes(inspect.getdoc(schema), [field.name for field in fields(schema)])
        found = parameters(f"{schema.__module__}.{schema.__name__}")
        rows = []
        for key in keys:
            if is_dataclass(key.default_factory):  # a section of its own, such as report
                section = key.default_factory
                inside = parameters(f"{section.__module__}.{section.__name__}")
                for part, note in notes(inspect.getdoc(section), [part.name for part in fields(section)]).items():
                    typed = ("list", "`[]`") if part == "contrasts" else _type_and_default(inside[part])
                    rows.append((f"`{key.name}.{part}`", *typed, _first(note)))
            else:
                rows.append((f"`{key.name}`", *_type_and_default(found[key.name]), _first(said.get(key.name, ""))))
        yield f"### {command}\n\n{_table(('key', 'type', 'default', 'meaning'), rows)}"


def _group(group: str, purpose: str) -> Iterator[str]:
    options = {path.stem: path for path in sorted((CONF / group).glob("*.yaml"))}
    yield f"## {group}\n\n{purpose}\n"
    rows = []
    targets: dict[str, dict[str, list[str]]] = {}  # target -> where it is set -> options
    for option, path in options.items():
        node = _resolved(group, option)
        for place, target, _ in _built(node, ""):
            targets.setdefault(target, {}).setdefault(place, []).append(option)
        inherited = [default for default in _raw(group, option).get("defaults", []) if str(default) in options]
        given = dict(_given(node, ""))
        for default in inherited:
            above = dict(_given(_resolved(group, default), ""))
            given = {key: value for key, value in given.items() if key not in above or above[key] != value}
        sets = [
            *(f"as `{default}`" for default in inherited),
            *(f"`{key}={_shown(value)}`" for key, value in given.items()),
        ]
        rows.append((f"`{option}`", _comment(path) or _summary(node), ", ".join(sets)))
    yield _table(("option", "what it is", "sets"), rows)
    for target, places in targets.items():
        yield from _keys(group, target, places)


def _keys(group: str, target: str, places: Mapping[str, list[str]]) -> Iterator[str]:
    added = [OF_THE_RUN[group]] if group in OF_THE_RUN else []
    found = parameters(target) | {name: each for extra in added for name, each in parameters(extra).items()}
    partial = any(_is_partial(group, option, place) for place, options in places.items() for option in options)
    shown = {
        name: parameter
        for name, parameter in found.items()
        if not (parameter.required and partial) and name not in BY_THE_RUN.get(group, ())
    }
    if not shown:
        return
    said: dict[str, str] = {}
    elsewhere = [*added, *([ELSEWHERE[target]] if target in ELSEWHERE else [])]
    for text in [text for place in (target, *elsewhere) for text in docstrings(place)]:
        said = notes(text, shown) | said
    said |= NOTES.get(target, {})
    lone = next(iter(places)) if len(places) == 1 else ""
    under = "<name>." if group == "benchmarks" else lone
    rows = [
        (f"`{group}.{under}{name}`", *_type_and_default(parameter), _first(said.get(name, "")))
        for name, parameter in shown.items()
    ]
    users = ", ".join(f"`{option}`" for option in dict.fromkeys(option for each in places.values() for option in each))
    table = _table(("key", "type", "default", "meaning"), rows)
    yield f"### {group}: {target.removeprefix('babelbatch.')}\n\nOptions: {users}.\n\n{table}"


HYDRAS = {
    "launcher": "How the jobs of a sweep run; by default one after the other, in one process.",
    "sweeper": "Which jobs a sweep has; by default all combinations of the values typed.",
}


def _of_hydra(kind: str, purpose: str) -> Iterator[str]:
    """The options of `hydra/launcher` or `hydra/sweeper`, and their keys; the defaults are those of the YAML files."""
    files = sorted((CONF / "hydra" / kind).glob("*.yaml"))
    rows = [(f"`{path.stem}`", _comment(path)) for path in files]
    yield f"## hydra/{kind}\n\n{purpose}\n\n{_table(('option', 'what it is'), rows)}"
    for path in files:
        given = _raw(f"hydra/{kind}", path.stem)
        found = {name: each for name, each in parameters(given["_target_"]).items() if name in given}
        said: dict[str, str] = {}
        for text in docstrings(given["_target_"]):
            said = notes(text, found) | said
        rows = [
            (f"`hydra.{kind}.{name}`", _type_and_default(each)[0], f"`{_shown(given[name])}`", _first(said[name]))
            for name, each in found.items()
        ]
        if rows:
            yield f"### hydra/{kind}: {path.stem}\n\n{_table(('key', 'type', 'default', 'meaning'), rows)}"


def _raw(group: str, option: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8")) or {}


def _given(node: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for where, _, given in _built(node, place):
        yield from ((f"{where}{key}", value) for key, value in given.items() if value != "???")


def _resolved(group: str, option: str) -> dict[str, Any]:
    """The option with what its `defaults` bring in from its own group, another group's options left out."""
    node = _raw(group, option)
    for default in node.pop("defaults", []):
        if isinstance(default, str) and default != "_self_":
            node = _resolved(group, default) | node
    return node


def _built(node: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(place with its dot, target, what is given) of everything that an option builds."""
    if "_target_" in node:
        given = {
            key: value
            for key, value in node.items()
            if not key.startswith("_") and not (isinstance(value, dict) and (_has_target(value) or not value))
        }
        yield place, node["_target_"], given
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _built(value, f"{place}{key}.")


def _has_target(node: Any) -> bool:
    return isinstance(node, dict) and ("_target_" in node or any(map(_has_target, node.values())))


def _is_partial(group: str, option: str, place: str) -> bool:
    node: Any = _resolved(group, option)
    for key in filter(None, place.split(".")):
        node = node[key]
    return bool(node.get("_partial_"))


def _type_and_default(parameter: Parameter) -> tuple[str, str]:
    kind = describe(parameter.annotation, parameter.module)
    if parameter.default is None:
        return kind, "*required*"
    return kind, f"`{_shown(_value(parameter))}`"


def _value(parameter: Parameter) -> Any:
    """The default as Python has it; as written where it is made by more than a name or a literal."""
    source = ast.unparse(parameter.default) if parameter.default else ""
    try:
        return eval(
            source, vars(import_module(parameter.module.name))
        )  # our own sources, or those of an installed library
    except Exception:
        return source


def _shown(value: Any) -> str:
    """A value as YAML and the command line have it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return value or '""'
    try:
        return json.dumps(value, ensure_ascii=False).replace('"', "")
    except TypeError:
        return str(value)


def _escaped(text: str) -> str:
    """Angle brackets outside code are characters, not HTML."""
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in re.split(r"(`[^`]+`)", text))


def _comment(path: Path) -> str:
    """The comment at the top of an option on one line, without the example that it may end with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
        if line.endswith(":"):  # an example follows
            lines[-1] = lines[-1].rpartition(". ")[0] + "."
            break
    return _escaped(" ".join(line for line in lines if not line.startswith("@package")))


def _first(note: str) -> str:
    """A note as a cell of a table: with a capital, without its full stop; of a long one the first sentence."""
    note = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", note.strip()).replace("``", "`")  # reStructuredText of libraries
    if len(note) > 240:
        note = re.split(r"(?<=[.;])\s+(?=[A-Z`(])", note, maxsplit=1)[0]
    note = _escaped(note.rstrip(".;,"))
    return note[:1].upper() + note[1:] if re.match(r"[a-z](?:[a-z]| )", note) else note


def _summary(node: Mapping[str, Any]) -> str:
    """The first sentence about what an option builds."""
    text = paragraphs(docstrings(node["_target_"])[0])[0] if "_target_" in node else ""
    return " ".join(re.split(r"(?<=[.])\s+(?=[A-Z`])", text, maxsplit=1)[0].split())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
