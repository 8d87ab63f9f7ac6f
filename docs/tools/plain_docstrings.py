"""Sphinx extension: the project's plain docstrings as reStructuredText, and a page for each wing of the package.

Docstrings are written for people who read the source. Notes on parameters become a list, `names` become code, and
indented blocks stay as they are; no other character means anything.
"""

from __future__ import annotations

import ast
import inspect
import re
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from docstrings import one_line, paragraphs, split_notes
from sphinx.application import Sphinx

import babelbatch

PACKAGE = Path(babelbatch.__file__).parent
_RAISES = re.compile(r"(?<=\.)\s+(?=Raises [A-Z])")  # is no part of the note on the last parameter
HEADER = """# API

Made from the docstrings of the source. [Extend](../extend.md) shows which classes and functions you may write
yourself, [Settings](../settings.md) which ones a configuration can set, [Architecture](../architecture.md) what each
wing is for.

```{{toctree}}
:maxdepth: 1

{pages}
```
"""


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_api_pages)
    app.connect("autodoc-process-docstring", to_restructured_text)
    return {"parallel_read_safe": True}


def write_api_pages(app: Sphinx) -> None:
    """`api/<wing>.md` for each wing and `api/index.md`, next to the other pages; they are not committed."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {path.stem: [path] for path in sorted(PACKAGE.glob("*.py")) if path.stem in {"records", "progress"}}
    pages |= {path.parent.name: sorted(path.parent.rglob("*.py")) for path in sorted(PACKAGE.glob("*/__init__.py"))}
    for old in folder.glob("*.md"):
        if old.stem not in {*pages, "index"}:
            old.unlink()
    for name, files in pages.items():
        modules = [module for module in map(_module, files) if module == f"babelbatch.{name}" or _public(module)]
        sections = [f"# {name}\n", _directive(modules[0])]
        sections += [f"## {module.removeprefix('babelbatch.')}\n\n{_directive(module)}" for module in modules[1:]]
        _write(folder / f"{name}.md", "\n".join(sections))
    _write(folder / "index.md", HEADER.format(pages="\n".join(pages)))


def to_restructured_text(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    lines[:] = _converted("\n".join(lines), _names(documented)).splitlines()


def _converted(docstring: str, names: set[str]) -> str:
    blocks: list[str] = []
    for paragraph in chain.from_iterable(map(_RAISES.split, paragraphs(docstring))):
        if not paragraph:
            continue
        if all(line.startswith("    ") for line in paragraph.splitlines()):
            blocks.append(f"::\n\n{paragraph}")
        elif re.match(r"[*-] ", paragraph):
            items = re.split(r"\n(?=[*-] )", paragraph)
            blocks.append("\n".join(f"* {_inline(item[2:])}" for item in items))
        else:
            parts = list(split_notes(paragraph, names))
            prose = [_inline(text) for found, text in parts if not found]
            noted = [f"* **{', '.join(found)}**: {_inline(text)}" for found, text in parts if found]
            blocks += [*prose, "\n".join(noted)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _inline(text: str) -> str:
    """One line of text: `code` stays code, and no other character has a meaning."""
    pieces = re.split(r"(`[^`]+`)", one_line(text))
    return "\\ " + "".join(
        f"\\ `{piece}`\\ " if piece.startswith("`") and len(piece) > 1 else re.sub(r"([\\*_|`])", r"\\\1", piece)
        for piece in pieces
    )


def _names(documented: Any) -> set[str]:
    """What notes may be about: parameters of a callable, fields and properties of a class."""
    found: set[str] = set()
    if inspect.isclass(documented):
        found |= {name for base in documented.__mro__ for name in getattr(base, "__annotations__", {})}
        found |= {name for name, value in vars(documented).items() if isinstance(value, property)}
    if callable(documented):
        with suppress(TypeError, ValueError):  # a callable without a signature
            found |= set(inspect.signature(documented).parameters)
    return found - {"self", "cls"}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _public(module: str) -> bool:
    """Whether it defines anything with a public name and a docstring."""
    path = PACKAGE.parent / Path(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return any(
        isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_") and ast.get_docstring(node)
        for node in ast.parse(source.read_text(encoding="utf-8")).body
    )


def _directive(module: str) -> str:
    is_wing = (PACKAGE.parent / Path(*module.split("."))).is_dir()  # which hands on what its modules define
    options = "" if is_wing else "   :members:\n"
    return f"```{{eval-rst}}\n.. automodule:: {module}\n{options}```\n"


def _write(path: Path, text: str) -> None:
    """Leaves an unchanged page alone, so that it is not built again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
