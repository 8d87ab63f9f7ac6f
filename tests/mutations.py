"""Seeded damage to files, for the tests of what reads them back: bits, bytes, and values of JSON and YAML."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

TOKENS = (
    *(b"NaN", b"-Infinity", b"[", b"{", b"}", b'"', b"null", b"true", b"-1", b"1e400", b"1" * 5_000, b'"\\ud800"'),
    *(b"\0", b"\xff", b"[" * 3_000, b"${oc.env:HOME}", b"!!python/object/apply:os.getcwd []", b"&a [*a]"),
    *(b"../../x", b"\n", b"\t", b","),
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2.5, 1e308, 10**30, "", "x", "../../x", "<b>", "x" * 300, "${seed}", [], {}, [None],
    ["x", "x"],
    [[[]]], {"_target_": "os.getcwd"}, {"x": 1},
)  # fmt: skip


def mutated(content: bytes, suffix: str, source: random.Random) -> bytes:
    """Other bytes than `content`. suffix: of the file; values of JSON and YAML are exchanged as well."""
    while True:
        found = _bytes_changed(content, source)
        if suffix in {".json", ".yaml"} and source.random() < 0.5:
            with suppress(ValueError, yaml.YAMLError):  # a file of more than one value
                found = _value_exchanged(content, suffix, source)
        if found != content:
            return found


def _bytes_changed(content: bytes, source: random.Random) -> bytes:
    altered = bytearray(content)
    start = source.randrange(len(altered) + 1)
    stop = min(len(altered), start + source.choice((1, 2, 8, 60)))
    match source.randrange(6):
        case 0 | 1 if altered:
            for _ in range(source.choice((1, 1, 1, 4))):
                bit = source.randrange(8 * len(altered))
                altered[bit // 8] ^= 1 << bit % 8
        case 2:
            del altered[start:]
        case 3:
            del altered[start:stop]
        case 4:
            altered[start:stop] = source.choice(TOKENS)
        case _:
            altered[start:start] = altered[start:stop] or b"x"
    return bytes(altered)


def _value_exchanged(content: bytes, suffix: str, source: random.Random) -> bytes:
    root = json.loads(content) if suffix == ".json" else yaml.safe_load(content)
    places = [*_places(root)]
    holder, key = source.choice(places)
    match source.randrange(5):
        case 0:
            del holder[key]
        case 1:
            other, name = source.choice(places)
            holder[key] = copy.deepcopy(other[name])
        case 2 if isinstance(holder, dict):
            holder[source.choice(("x", "../x", "", "custom_metric/../x", str(key) + "/x"))] = holder.pop(key)
        case _:
            holder[key] = copy.deepcopy(source.choice(VALUES))
    text = json.dumps(root) if suffix == ".json" else yaml.safe_dump(root)
    return text.encode()


def _places(node: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value below a root."""
    found: list[tuple[Any, Any]] = []
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        found += [(node, key), *_places(value)]
    return found


def mutate_file(path: Path, original: bytes, source: random.Random) -> None:
    path.write_bytes(mutated(original, path.suffix, source))
