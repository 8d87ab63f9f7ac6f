"""Options that do what they say: no root key that nobody reads, no signature that swallows any keyword."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import babelbatch
from babelbatch.configuration.schema import SCHEMAS
from babelbatch.configuration.shipped import CONF

PACKAGE = Path(babelbatch.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_nothing_configurable_takes_any_keyword() -> None:
    targets = {
        node["_target_"]
        for path in CONF.rglob("*.yaml")
        for node in _mappings(yaml.safe_load(path.read_text()))
        if "_target_" in node
    }
    ours = {target for target in targets if target.startswith("babelbatch.")}
    assert len(ours) >= 15
    names = {target.rpartition(".")[2] for target in ours}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            functions = node.body if isinstance(node, ast.ClassDef) and node.name in names else [node]
            for function in functions:
                if isinstance(function, ast.FunctionDef) and function.name in {*names, "__init__"}:
                    in_class = isinstance(node, ast.ClassDef)
                    if in_class or function.name in names:
                        assert function.args.kwarg is None, (
                            f"{path.name}: {function.name} takes **{function.args.kwarg}"
                        )


@pytest.mark.parametrize(
    ("root", "entry"),
    [
        ("train", "commands/train.py"), ("evaluate", "commands/evaluate.py"), ("mine", "commands/mine.py"),
        ("describe", "describe/command.py"), ("search", "commands/search.py"),
        ("export", "commands/export.py"), ("encode", "commands/encode.py"),
    ],
)  # fmt: skip
def test_every_root_key_is_read(root: str, entry: str) -> None:
    """An option that nobody reads does nothing. `monitor` is read by the callbacks' configuration,
    `report` by the report of the runs."""
    source = (PACKAGE / entry).read_text() + (PACKAGE / "commands" / "build.py").read_text()
    read = set(re.findall(r"cfg\.(\w+)", source))
    read |= set(re.findall(r'config\["(\w+)"\]', (PACKAGE / "report" / "runs.py").read_text()))  # of config.yaml
    in_yaml = "".join(path.read_text() for path in CONF.rglob("*.yaml"))
    for key in SCHEMAS[root].__dataclass_fields__:
        assert key in read or f"${{{key}}}" in in_yaml, f"{root}: nothing reads '{key}'"


def _mappings(node: object) -> list[dict]:
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in _mappings(value))]
    if isinstance(node, list):
        return [inner for value in node for inner in _mappings(value)]
    return []
