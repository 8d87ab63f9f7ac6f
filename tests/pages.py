"""The documentation as a user follows it: files are written as a page shows them, commands are run as it types them."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from commands import BIN
from preloaded import preloaded_scripts
from processes import finished

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(
    r"^(?:`(?P<file>[^`\n]+)`:\n)?```(?P<language>[\w-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. file: the name that stands above it, if one does: its content is `text`."""

    file: str | None
    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, or of a part of it, in order."""
    return [Block(found["file"], found["language"], found["text"]) for found in _BLOCK.finditer(text)]


def sections(page: str) -> dict[str, str]:
    """The text below each heading of the second level; that before the first one is under ""."""
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def follow(text: str, folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Writes the files of a text into a folder, and runs its `bash` blocks there, in one shell that stops at the first
    failure. No home, no network, no account."""
    folder.mkdir(parents=True, exist_ok=True)
    found = blocks(text)
    for block in found:
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    script = "".join(["set -e\n", *(block.text for block in found if block.language == "bash")])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WANDB"))}
    source = str(Path(__file__).parents[1] / "src")
    environment |= {
        "HOME": str(folder),
        "BABELBATCH_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "100",
    }
    script = script.replace("PYTHONPATH=.", f"PYTHONPATH=.:{source}")  # this checkout, wherever another is installed
    with tempfile.TemporaryDirectory() as scripts, preloaded_scripts(Path(scripts), BIN.glob("babelbatch-*")):
        environment["PATH"] = os.pathsep.join([scripts, str(BIN), os.environ["PATH"]])
        return finished("bash", "-c", script, cwd=folder, env=environment, within=580)


def local_links(text: str) -> Iterator[str]:
    """The targets of links to files, without anchors."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            yield target.partition("#")[0]


def tool(name: str) -> ModuleType:
    """A script of docs/tools, which is no package."""
    place = DOCS / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
