"""The architecture, held by tests: which way imports go, and which module is the door to which library."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import babelbatch
from babelbatch.configuration.schema import SCHEMAS
from babelbatch.jobs.launch import CONF

PACKAGE = Path(babelbatch.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)

LAYERS = [
    {"records", "progress", "signatures", "identity", "ranks", "run_files", "stopping", "collectives"}
    | {"cache_folder", "allocator", "durable", "wandb_service", "vector_cache", "texts", "id_order"}
    | {"cache_lock"},
    {"config", "pools", "sources", "run_lock", "supervisor", "stored_folder", "scorer"},
    {"rules", "stored_corpus", "stored_benchmark", "inputs"},
    {"assembly", "pool_assembly"},
    {"check"},
    {"corpora", "benchmarks", "sampling", "validation_split", "tokens", "chunks", "encoder", "loss", "grad_cache"}
    | {"metrics", "bias", "debias", "query_sample", "ranking", "scheduler", "heatmap"}
    | {"statistics", "search", "vectors", "mining", "negatives", "lexical"}
    | {"code_switching", "leakage"},
    {"tuning", "encoding", "scoring", "search_ranking", "cell_ranking", "trec"},
    {"batches", "translations"},
    {"loader"},
    {"data", "learner", "evaluation"},
    {"callbacks", "telemetry", "checkpoints", "divergence", "loggers", "run_folder"},
    {"report", "build"},
    {"train", "evaluate"},
    {"mine"},
    {"job"},
    {"sweep", "worker"},
    {"launch"},
    {"dashboard", "describe"},
    {"cli"},
]
DOORS = {
    "hydra": {"config", "launch", "sweep", "job", "worker", "build", "describe"},
    "omegaconf": {"config", "rules", "check", "identity", "inputs", "launch", "sweep", "job", "worker", "build"}
    | {"train", "evaluate", "mine", "report", "describe"},
    "faiss": {"search"},
    "filelock": {"run_lock", "tokens", "cache_lock"},
    "bm25s": {"lexical"},
    "Stemmer": {"lexical"},
    "sklearn": {"lexical"},
    "regex": {"lexical", "code_switching", "leakage"},
    "pytorch_lightning": {"data", "learner", "callbacks", "telemetry", "checkpoints", "divergence"}
    | {"loggers", "build", "train"},
    "wandb": {"loggers", "wandb_service", "dashboard"},
    "wandb_workspaces": {"dashboard"},
    "babel": {"sources"},
    "peft": {"tuning"},
    "huggingface_hub": {"sources", "encoder"},
    "datasets": {"sources"},
    "pooch": {"sources", "cache_folder"},
    "ijson": {"sources"},
    "sentencex": {"sources"},
    "matplotlib": {"heatmap"},
    "jinja2": {"report"},
    "PIL": {"loggers"},
}


def room(path: Path) -> str:
    """The module or subpackage directly below babelbatch."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names.add(node.module or "")
    return names


def test_every_module_has_a_layer() -> None:
    assert {room(path) for path in MODULES} == set().union(*LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "babelbatch" and len(parts) > 1 and parts[1] != room(path):
            assert layer[parts[1]] < layer[room(path)], f"{room(path)} imports {parts[1]}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_library_has_its_doors(path: Path) -> None:
    for name in imported(path):
        library = name.split(".")[0]
        assert room(path) in DOORS.get(library, {room(path)}), f"{library} is imported in {room(path)}"


def test_no_dumping_ground() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "common", "helpers", "misc", "base"}


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
        ("train", "train.py"), ("evaluate", "evaluate.py"), ("mine", "mine.py"),
        ("describe", "describe/command.py"),
    ],
)  # fmt: skip
def test_every_root_key_is_read(root: str, entry: str) -> None:
    """An option that nobody reads does nothing. `monitor` is read by the callbacks' configuration."""
    source = (PACKAGE / entry).read_text() + (PACKAGE / "build.py").read_text()
    read = set(re.findall(r"cfg\.(\w+)", source))
    in_yaml = "".join(path.read_text() for path in CONF.rglob("*.yaml"))
    for key in SCHEMAS[root].__dataclass_fields__:
        assert key in read or f"${{{key}}}" in in_yaml, f"{root}: nothing reads '{key}'"


def _mappings(node: object) -> list[dict]:
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in _mappings(value))]
    if isinstance(node, list):
        return [inner for value in node for inner in _mappings(value)]
    return []
