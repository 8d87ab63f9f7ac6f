"""JSON and YAML from anywhere: read within bounds, or refused with a reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from babelbatch.storage.documents import (
    UnreadableDocument,
    parse_json,
    parse_yaml_object,
    read_json,
    read_json_object,
    read_yaml_object,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1', "Expecting ',' delimiter"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ("[" * 101 + "]" * 101, "nested deeper than 100 levels"),
        ("1" * 5_000, "a number of 5,000 digits"),
        ("1e999", "inf is no finite number"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('["\\ud800"]', "a text has half of a surrogate pair, which is not Unicode"),
        ('{"\\ud800": 1}', "a text has half of a surrogate pair, which is not Unicode"),
        (b"\xff\xfe1", "not valid UTF-8 at byte 0"),
        (b"", "Expecting value"),
    ],
)
def test_json_that_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as error:
        parse_json(text)
    assert str(error.value) == reason


def test_json_that_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, "\\u00e9", {}]}') == {"a": [1, 2.5, None, "é", {}]}
    assert parse_json(b"\xef\xbb\xbf[]") == []
    assert parse_json("[" * 100 + "]" * 100) is not None
    assert parse_json("[Infinity]", finite=False) == [float("inf")]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "more than 200,000 values"),
        ("a: &a [*a]", "the alias *a stands for nothing before it"),
        ("a: " + "[" * 100_000, "nested deeper than 100 levels"),
        ("".join(f"{' ' * n}a:\n" for n in range(200)), "nested deeper than 100 levels"),
        ("a: " + "9" * 5_000, "a number of 5,000 digits"),
        ("- a", "no mapping but a list"),
        ("", "no mapping but nothing"),
        ("7", "no mapping but a number"),
        ("1: 2", "a key is no text"),
        ("a: \0", "unacceptable character #x0000: control characters are not allowed"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
    ],
)  # fmt: skip
def test_yaml_that_is_refused(text: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(UnreadableDocument) as error:
        parse_yaml_object(text)
    assert str(error.value) == reason
    assert time.monotonic() - started < 5


def test_yaml_that_is_read() -> None:
    assert parse_yaml_object("a: &a [1, x]\nb: *a\nc: {d: null}") == {"a": [1, "x"], "b": [1, "x"], "c": {"d": None}}


def test_a_file_is_regular_small_and_has_an_object(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for read in (read_json, read_yaml_object):
        with pytest.raises(UnreadableDocument, match=r"^no regular file$"):
            read(pipe)
        with pytest.raises(UnreadableDocument, match=r"^no regular file$"):
            read(Path("/dev/zero"))
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(UnreadableDocument, match=r"^larger than 5 bytes$"):
        read_json(tmp_path / "a.json", most_bytes=5)
    with pytest.raises(UnreadableDocument, match=r"^no object but a list$"):
        read_json_object(tmp_path / "a.json")
