"""JSON and YAML files that somebody else may have written or a disk may have damaged: read within bounds, or refused.

Bounded are the size, the nesting, the digits of a number and what the aliases of YAML unfold to. Nothing in a document
makes a program run.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

MOST_JSON_BYTES = 256 << 20
_MOST_YAML_BYTES = 4 << 20
_MOST_YAML_NODES = 200_000  # with aliases unfolded
_DEEPEST = 100  # objects and lists within each other
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it
_MOST_DIGITS = 400  # of a whole number; a float has 309 at most


class UnreadableDocument(ValueError):
    """Its text is the reason, without the file's name. line, column: where, from 1, if that is known."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.line, self.column = line, column


def read_json(path: Path, most_bytes: int = MOST_JSON_BYTES, *, finite: bool = True) -> Any:
    """The content of a UTF-8 JSON file. Raises UnreadableDocument for anything else and beyond the bounds, and OSError
    for a file that cannot be opened.

    finite: whether NaN and infinite numbers are refused.
    """
    return parse_json(_content(path, most_bytes), finite=finite)


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a UTF-8 JSON file. Raises as `read_json`."""
    return _object(read_json(path), "object")


def parse_json(content: bytes | str, *, finite: bool = True, unicode: bool = True) -> Any:
    """The value of a JSON text. Raises UnreadableDocument as `read_json`.

    unicode: whether halves of surrogate pairs are refused; a reader that says where they are refuses them itself.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        found = json.loads(text, parse_int=_whole, parse_constant=_refuse_constant if finite else None)
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"not valid UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise UnreadableDocument(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep() from None
    for value in _values(found):
        if isinstance(value, str):
            if unicode:
                _refuse_half_characters(value)
        elif finite and isinstance(value, float) and value - value != 0:
            raise UnreadableDocument(f"{value} is no finite number")
    return found


def read_yaml_object(path: Path) -> dict[str, Any]:
    """The mapping in a UTF-8 YAML file. Raises UnreadableDocument for anything else and beyond the bounds, and OSError
    for a file that cannot be opened."""
    return parse_yaml_object(yaml_text(path))


def parse_yaml_object(text: str) -> dict[str, Any]:
    """The mapping of a YAML text. Raises UnreadableDocument as `read_yaml_object`."""
    check_yaml(text)
    try:
        return _object(yaml.safe_load(text), "mapping")
    except UnreadableDocument:
        raise
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise UnreadableDocument(_first_line(error)) from None


def yaml_text(path: Path) -> str:
    """The text of a UTF-8 YAML file within the bounds, for a library that parses it by itself. Raises as
    `read_yaml_object`."""
    try:
        text = _content(path, _MOST_YAML_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"not valid UTF-8 at byte {error.start}") from None
    check_yaml(text)
    return text


def check_yaml(text: str) -> None:
    """Raises UnreadableDocument for what is no YAML, and for YAML beyond the bounds. Nothing is built meanwhile, so
    aliases unfold to nothing."""
    if len(text) > _MOST_YAML_BYTES:
        raise UnreadableDocument(f"larger than {_MOST_YAML_BYTES:,} characters")
    sizes: dict[str, int] = {}  # of anchors, unfolded
    opened: list[tuple[str | None, int]] = []  # anchor of each collection that is not closed, and the size before it
    size = 0
    try:
        for event in yaml.parse(text, _LOADER):
            if isinstance(event, yaml.AliasEvent):
                if event.anchor not in sizes:  # unknown, or a collection in itself
                    raise UnreadableDocument(f"the alias *{event.anchor} stands for nothing before it")
                size += sizes[event.anchor]
            elif isinstance(event, yaml.ScalarEvent):
                _refuse_half_characters(event.value)
                if event.value.lstrip("+-").isdecimal() and len(event.value) > _MOST_DIGITS:
                    raise UnreadableDocument(f"a number of {len(event.value):,} digits")
                size += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                opened.append((event.anchor, size))
                size += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = opened.pop()
                if anchor:
                    sizes[anchor] = size - before
            if len(opened) > _DEEPEST:
                raise _too_deep()
            if size > _MOST_YAML_NODES:
                raise UnreadableDocument(f"more than {_MOST_YAML_NODES:,} values")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise UnreadableDocument(error.problem or _first_line(error), line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableDocument):
            raise
        raise UnreadableDocument(_first_line(error)) from None


def _content(path: Path, most_bytes: int) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
        raise UnreadableDocument("no regular file")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnreadableDocument(f"larger than {most_bytes:,} bytes")
    return content


def _values(root: Any) -> Iterator[Any]:
    """Every value and key below a root. Raises UnreadableDocument beyond the deepest nesting."""
    pending: list[Iterator[Any]] = [iter((root,))]
    while pending:
        for value in pending[-1]:
            if isinstance(value, dict):
                yield from value
                pending.append(iter(value.values()))
                break
            if isinstance(value, list):
                pending.append(iter(value))
                break
            yield value
        else:
            pending.pop()
        if len(pending) > _DEEPEST + 1:
            raise _too_deep()


def _object(found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UnreadableDocument(f"no {name} but {_kind(found)}")
    if not all(isinstance(key, str) for key in found):
        raise UnreadableDocument("a key is no text")
    return found


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), "a number")


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise UnreadableDocument(f"a number of {len(digits):,} digits")
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableDocument(f"{name} is no finite number")


def _refuse_half_characters(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UnreadableDocument("a text has half of a surrogate pair, which is not Unicode") from None


def _too_deep() -> UnreadableDocument:
    return UnreadableDocument(f"nested deeper than {_DEEPEST} levels")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
