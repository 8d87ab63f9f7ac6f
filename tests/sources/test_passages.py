"""Passages to search: from lines, tables and a file for each language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from babelbatch.sources.passages import Passages, read_passages, script_of

OR_SKIP = "; or set on_bad_row=skip to leave such rows out"


def read(path: Path | str, language: str | None = None) -> Passages:
    return read_passages(str(path), "text", "language", language)


def languages(passages: Passages) -> list[str]:
    return [passages.languages[row] for row in passages.language_of]


def test_lines_of_a_text_file_have_a_script(tmp_path: Path) -> None:
    (tmp_path / "any.txt").write_text("Lima is in Peru.\n\n  Η Λίμα.  \nลิมา\n秘鲁的首都是利马\n1821\n")
    found = read(tmp_path / "any.txt")
    assert found.texts == ("Lima is in Peru.", "Η Λίμα.", "ลิมา", "秘鲁的首都是利马", "1821")
    assert found.by_script
    assert languages(found) == ["Latin", "Greek", "Thai", "CJK", "no letters"]
    assert found.languages == ("CJK", "Greek", "Latin", "Thai", "no letters")
    assert found.shares.tolist() == pytest.approx([0.2] * 5)


def test_a_language_for_all(tmp_path: Path) -> None:
    (tmp_path / "any.txt").write_text("Lima\nQuito\n")
    found = read(tmp_path / "any.txt", "es")
    assert (found.languages, found.by_script) == (("es",), False)


def test_a_table_has_columns(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Lima", "language": "es"}\n{"text": "Peru"}\n')
    (tmp_path / "b.csv").write_text('language,text\nde,"Lima, Peru"\n')
    found = read(tmp_path, "en")
    assert found.texts == ("Lima", "Peru", "Lima, Peru")
    assert languages(found) == ["es", "en", "de"]


def test_a_file_for_each_language(tmp_path: Path) -> None:
    for language, text in (("el", "Λίμα"), ("th", "ลิมา")):
        (tmp_path / f"wiki.{language}.txt").write_text(text)
    (tmp_path / "wiki.txt").write_text("Lima")
    found = read(tmp_path / "wiki.{language}.txt", "en")
    assert (found.texts, languages(found)) == (("Λίμα", "ลิมา"), ["el", "th"])


def test_the_script_of_most_letters_counts() -> None:
    assert script_of("Ποια είναι η πρωτεύουσα του Peru;") == "Greek"
    assert script_of("Столица Peru") == "Cyrillic"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "Lima"}\n{"body": "x"}\n',
         "{}, line 2: no 'text'; set text_column= to one of: body" + OR_SKIP),
        ("a.jsonl", b'{"text": "Lima"}\n{"text": 7}\n', "{}, line 2: 'text' is 7, not a text" + OR_SKIP),
        ("a.jsonl", b'{"text": "Lima", "language": "es"}\n{"text": "Peru"}\n',
         "{}, line 2: no language, and others have one ({}, line 1); add it in the column 'language', or set "
         "language="),
        ("a.txt", b"Lima\n\xff\n", "{}, line 2: not valid UTF-8 at byte 0; convert the file to UTF-8" + OR_SKIP),
        ("a.txt", b"\n  \n", "passages: {} has no passage; write one on each line"),
        ("a.txt", b"", "{}: the file is empty; copy or download it again"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (path := tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{re.escape(message.replace('{}', str(path)))}$"):
        read(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^passages: there is no file or folder '/gone'$"):
        read("/gone")
    with pytest.raises(
        ValueError, match=r"^passages: no file fits '.*'; put a language where \{language\} is, such as en$"
    ):
        read(tmp_path / "{language}.txt")


def test_bad_rows_are_listed_at_once_or_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (table := tmp_path / "a.jsonl").write_text(
        '{"text": "Lima", "language": "es"}\n{"text": " ", "language": "es"}\n{"body": "x"}\n{"text": null}\n'
        '{"text": "Peru", "language": "no code!"}\n{"te\n{"text": "Quito", "language": "es"}\n'
    )
    noted = [
        f"{table}, line 2: 'text' is empty; write it, or remove the row",
        f"{table}, line 3: no 'text'; set text_column= to one of: body",
        f"{table}, line 4: 'text' is null, not a text",
        f"{table}, line 5: 'no code!' is not a language; write a code such as en or zh-Hant",
        f"{table}, line 6, column 2: not valid JSON (Unterminated string starting at); there is one object a line, and "
        "the last one may be cut off",
    ]
    with pytest.raises(ValueError, match=r"^5 rows cannot be used") as error:
        read(table)
    assert str(error.value).splitlines()[1:] == [f"  {line}" for line in noted]
    found = read_passages(str(table), "text", "language", None, "skip")
    assert (found.texts, found.languages) == (("Lima", "Quito"), ("es",))
    assert caplog.messages == ["\n  ".join(["passages: 5 rows are left out (on_bad_row=skip):", *noted])]


def test_a_line_that_is_not_utf_8_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Lima\n\xff\nQuito\n")
    assert read_passages(str(tmp_path / "a.txt"), "text", "language", "es", "skip").texts == ("Lima", "Quito")


def test_a_missing_column_is_told_at_the_first_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "x"}\n' * 3)
    with pytest.raises(ValueError, match=r"^\S+a\.jsonl, line 1: no 'text'; set text_column= to one of: body$"):
        read_passages(str(tmp_path / "a.jsonl"), "text", "language", None, "skip")
