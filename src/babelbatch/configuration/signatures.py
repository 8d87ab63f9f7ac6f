"""Reads the parameters of a configurable callable from its source, without importing it.

An import would load torch and Lightning, which takes seconds, before a misspelt key can be reported.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard


class TargetError(ValueError):
    """A dotted name of no class or function."""


@dataclass(frozen=True)
class Module:
    """A parsed source file. package: the dotted name that relative imports start from."""

    name: str
    package: str
    tree: ast.Module


@dataclass(frozen=True)
class Parameter:
    """A parameter. default, annotation: expressions of the source, None if there is none. module: of their names."""

    name: str
    default: ast.expr | None
    annotation: ast.expr | None
    module: Module

    @property
    def required(self) -> bool:
        return self.default is None

    @property
    def value(self) -> Any:
        """The default as a plain value, tuples as lists. Raises ValueError if there is none, or if it is computed."""
        expression, module = self.default, self.module
        while isinstance(expression, ast.Name) and (found := _alias(expression.id, module)):
            expression, module = found
        if expression is None:
            raise ValueError(f"{self.name} has no default")
        value = ast.literal_eval(expression)
        if isinstance(value, (set, frozenset, bytes, complex)):
            raise ValueError(f"{self.name}: {value!r} is no plain value")
        return list(value) if isinstance(value, tuple) else value


@cache
def parameters(target: str) -> dict[str, Parameter]:
    """The parameters of the class or function with the dotted name `target`, as its source declares them.

    Follows re-exports, dataclass fields and inherited constructors. Raises TargetError, with a suggestion.
    """
    module, definition = _find(target)
    if isinstance(definition, ast.ClassDef):
        return _of_class(definition, module)
    return _of_function(definition, module, skip_first=False)


def docstrings(target: str) -> list[str]:
    """The docstrings of the class or function with the dotted name `target`: its own, then those of its constructor and
    of its base classes. Raises TargetError."""
    module, definition = _find(target)
    if isinstance(definition, ast.FunctionDef):
        return [text for text in [ast.get_docstring(definition)] if text]
    found = []
    for _, each in _lineage(definition, module):
        found.append(ast.get_docstring(each))
        found += [ast.get_docstring(node) for node in each.body if _is_constructor(node)]
    return [text for text in found if text]


def accepts(value: object, annotation: ast.expr | None, module: Module) -> bool:
    """Whether a plain value fits an annotation. Unsupported annotations accept anything; a scalar is no instance of a
    class."""
    match annotation:
        case None:
            return True
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(quoted)):
            return accepts(value, ast.parse(quoted, mode="eval").body, module)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return accepts(value, left, module) or accepts(value, right, module)
        case ast.Name(id=name):
            if name in _PLAIN:
                return _PLAIN[name](value)
            if found := _alias(name, module):
                return accepts(value, *found)
            return name in {"Any", "object"} or isinstance(value, (list, dict))
        case ast.Subscript(value=ast.Name(id=name), slice=inside):
            return _accepts_generic(value, name, inside, module)
    return True


def describe(annotation: ast.expr | None, module: Module) -> str:
    """An annotation for users: choices instead of the name of an alias."""
    if isinstance(annotation, ast.BinOp):
        return f"{describe(annotation.left, module)} or {describe(annotation.right, module)}"
    if isinstance(annotation, ast.Name) and annotation.id not in _PLAIN and (found := _alias(annotation.id, module)):
        return describe(*found)
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        inside = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if annotation.value.id == "Literal":
            return "one of " + ", ".join(repr(ast.literal_eval(choice)) for choice in inside)
        if annotation.value.id in {"Optional", "Union"}:
            extra = ["None"] if annotation.value.id == "Optional" else []
            return " or ".join([*(describe(choice, module) for choice in inside), *extra])
    return ast.unparse(annotation) if annotation else "anything"


def closest(name: str, known: list[str]) -> str:
    """`, did you mean 'x'?` or nothing."""
    found = difflib.get_close_matches(name, known, n=1)
    return f", did you mean '{found[0]}'?" if found else ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is an int or a float, and not True or False."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_PLAIN: dict[str, Callable[[object], bool]] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": is_number,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "tuple": lambda value: isinstance(value, (list, tuple)),
    "dict": lambda value: isinstance(value, dict),
}


def _accepts_generic(value: object, name: str, inside: ast.expr, module: Module) -> bool:
    arguments = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if name == "Literal":
        return any(value == choice and type(value) is type(choice) for choice in map(ast.literal_eval, arguments))
    if name == "Optional":
        return value is None or accepts(value, inside, module)
    if name == "Union":
        return any(accepts(value, argument, module) for argument in arguments)
    if name in {"list", "List", "Sequence", "Iterable"}:
        return isinstance(value, list) and all(accepts(element, inside, module) for element in value)
    if name in {"dict", "Dict", "Mapping"}:
        return isinstance(value, dict)
    return True


def _of_class(definition: ast.ClassDef, module: Module) -> dict[str, Parameter]:
    if _is_dataclass(definition):
        fields: dict[str, Parameter] = {}
        for holder, each in reversed(list(_lineage(definition, module))):
            fields |= _fields(each, holder) if _is_dataclass(each) else {}
        return fields
    for holder, each in _lineage(definition, module):
        for node in each.body:
            if _is_constructor(node):
                return _of_function(node, holder, skip_first=True)
        if _is_dataclass(each):
            return _of_class(each, holder)
    return {}


def _lineage(definition: ast.ClassDef, module: Module) -> Iterator[tuple[Module, ast.ClassDef]]:
    """A class and those that it inherits from, as far as their source can be read, nearest first."""
    yield module, definition
    for base in definition.bases:
        try:
            bound = _bound(ast.unparse(base), module)
        except (TargetError, SyntaxError, UnicodeDecodeError):  # compiled, or not installed
            continue
        if bound and isinstance(bound[1], ast.ClassDef):
            yield from _lineage(bound[1], bound[0])


def _is_constructor(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def _is_dataclass(definition: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in definition.decorator_list)


def _fields(definition: ast.ClassDef, module: Module) -> dict[str, Parameter]:
    return {
        node.target.id: Parameter(node.target.id, node.value, node.annotation, module)
        for node in definition.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not ast.unparse(node.annotation).startswith(("ClassVar", "typing.ClassVar"))
    }


def _of_function(definition: ast.FunctionDef, module: Module, *, skip_first: bool) -> dict[str, Parameter]:
    arguments = definition.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = list(zip(positional, defaults, strict=True))[1 if skip_first else 0 :]
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return {argument.arg: Parameter(argument.arg, default, argument.annotation, module) for argument, default in pairs}


def _find(target: str) -> tuple[Module, ast.ClassDef | ast.FunctionDef]:
    module_name, _, name = target.rpartition(".")
    if not module_name:
        raise TargetError(f"'{target}' is not a dotted name")
    module = _module(module_name)
    found = _bound(name, module)
    if found is None:
        defined = [node.name for node in module.tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
        defined += [alias.asname or alias.name for node in _imports(module) for alias in node.names]
        raise TargetError(f"'{module_name}' has no '{name}'{closest(name, defined)}")
    return found


def _bound(name: str, module: Module) -> tuple[Module, ast.ClassDef | ast.FunctionDef] | None:
    """The definition that `name` is bound to in a module, through its imports."""
    for node in module.tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return module, node
    for node in _imports(module):
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                return _bound(alias.name, _module(_absolute(node, module)))
    return None


def _alias(name: str, module: Module) -> tuple[ast.expr, Module] | None:
    """The type that `name = ...` stands for, through imports."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node.value, module
    for node in _imports(module):
        for alias in node.names:
            if (alias.asname or alias.name) == name and (node.module or "").split(".")[0] not in {
                "typing",
                "collections",
            }:
                try:
                    return _alias(alias.name, _module(_absolute(node, module)))
                except TargetError:
                    return None
    return None


def _imports(module: Module) -> list[ast.ImportFrom]:
    """`from x import y` at the top of a module, those under `if` and `try` included."""
    found: list[ast.ImportFrom] = []
    pending: list[ast.stmt] = list(module.tree.body)
    for node in pending:
        if isinstance(node, ast.ImportFrom):
            found.append(node)
        elif isinstance(node, (ast.If, ast.Try)):
            pending += node.body
    return found


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.package.split(".")
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


@cache
def _module(name: str) -> Module:
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)  # a top-level name: nothing is imported
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        raise TargetError(f"there is no package '{top}'; put the folder that holds it on PYTHONPATH")
    path = None if spec.origin is None else Path(spec.origin)  # None: of a namespace, such as `hydra_plugins`
    places = list(map(Path, spec.submodule_search_locations or ()))  # a plain module has nothing inside
    for depth, part in enumerate(rest, 1):
        inside = [entry for place in places if place.is_dir() for entry in place.iterdir()]
        options = [entry / "__init__.py" for entry in inside if entry.name == part]
        options += [entry for entry in inside if entry.name == f"{part}.py"]
        found = next((option for option in options if option.exists()), None)
        if found is None:
            known = closest(part, [entry.stem for entry in inside])
            raise TargetError(f"'{'.'.join([top, *rest[: depth - 1]])}' has no module '{part}'{known}")
        path, places = found, [found.parent] if found.name == "__init__.py" else []
    if path is None or not path.is_file():  # a namespace of packages, or a module inside the interpreter, such as abc
        raise TargetError(f"'{name}' is no module with a source file")
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return Module(name, package, ast.parse(path.read_text(encoding="utf-8")))
