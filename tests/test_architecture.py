"""The architecture: which wing may import which, through which doors, and which wing is the door to which library."""

import ast
import importlib
from functools import cache
from pathlib import Path

import pytest

import babelbatch

PACKAGE = Path(babelbatch.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# From the top floor down. A wing imports only from floors below its own, so not from its neighbours either.
WINGS = [
    {"cli"},
    {"python", "describe", "dashboard"},
    {"jobs"},
    {"commands"},
    {"training"},
    {"batches"},
    {"sampling", "report"},
    {"corpora", "configuration", "loggers"},
    {"runs", "foreign"},
    {"benchmarks", "evaluation"},
    {"sources", "tokens", "loss", "encoder", "lexical", "search"},
    {"storage", "distributed", "statistics", "records"},
    {"progress"},
]
DOORS = {
    "Stemmer": {"lexical"},
    "PIL": {"loggers"},
    "babel": {"records", "sources"},
    "bitsandbytes": {"encoder"},
    "bm25s": {"lexical"},
    "datasets": {"sources"},
    "faiss": {"search"},
    "filelock": {"runs", "storage"},
    "huggingface_hub": {"encoder", "report", "sources"},
    "hydra": {"commands", "configuration", "describe", "jobs", "python"},
    "ijson": {"sources"},
    "jinja2": {"report"},
    "joblib": {"jobs"},
    "langcodes": {"records"},
    "lightning_utilities": {"jobs"},
    "matplotlib": {"evaluation"},
    "optuna": {"jobs"},
    "omegaconf": {"cli", "commands", "configuration", "describe", "jobs", "report"},
    "pandas": {"python"},
    "peft": {"training"},
    "pooch": {"sources", "storage"},
    "pytorch_lightning": {"batches", "commands", "jobs", "loggers", "training"},
    "ray": {"jobs"},
    "regex": {"batches", "benchmarks", "foreign", "lexical"},
    "rich": {"commands", "describe", "progress", "report"},
    "safetensors": {"encoder"},
    "sentencex": {"sources"},
    "sklearn": {"lexical"},
    "submitit": {"jobs"},
    "tokenizers": {"encoder", "tokens"},
    "torchmetrics": {"jobs"},
    "transformers": {"encoder", "tokens", "training"},
    "wandb": {"dashboard", "loggers"},
    "wandb_workspaces": {"dashboard"},
}
FLOOR = {wing: -number for number, wings in enumerate(WINGS) for wing in wings}

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def wing_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> list[tuple[str, str | None]]:
    """(module, name) of `from module import name`, and (module, None) of `import module`."""
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def test_every_wing_has_a_floor() -> None:
    assert {wing_of(path) for path in MODULES} == set(FLOOR)


def test_only_three_modules_lie_outside_the_wings() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "cli.py", "progress.py"}


def test_every_wing_says_what_it_is_for() -> None:
    for path in PACKAGE.glob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert 3 <= len(text.splitlines()) <= 10, f"{wing_of(path)}: say what it is for, where to start, what to add"


def test_no_dumping_ground() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "common", "helpers", "misc", "base"}


@each_module
def test_imports_go_down(path: Path) -> None:
    for module, _ in imports(path):
        package, _, inner = module.partition(".")
        wing = inner.partition(".")[0]
        if package == "babelbatch" and wing and wing != wing_of(path):
            assert FLOOR[wing] < FLOOR[wing_of(path)], f"{wing_of(path)} imports {wing}, which is not below it"


@each_module
def test_wings_are_entered_by_their_doors(path: Path) -> None:
    """A wing's `__all__` names what other wings may use: names that it hands on, or modules of its own."""
    for module, name in imports(path):
        parts = module.split(".")
        if parts[0] != "babelbatch" or len(parts) < 2 or parts[1] == wing_of(path) or not (PACKAGE / parts[1]).is_dir():
            continue
        door = parts[2] if len(parts) > 2 else name
        assert len(parts) <= 3, f"{wing_of(path)} reaches into {module}"
        doors = importlib.import_module(f"babelbatch.{parts[1]}").__all__
        assert door in doors, f"{wing_of(path)}: '{door}' is private to the wing {parts[1]}"


@each_module
def test_each_library_has_its_doors(path: Path) -> None:
    for module, _ in imports(path):
        library = module.partition(".")[0]
        assert wing_of(path) in DOORS.get(library, {wing_of(path)}), f"{library} is imported in {wing_of(path)}"
