"""What is typed at the terminal of a search, or piped in."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from babelbatch import load
from babelbatch.commands.queries import given_queries, refuse_unreadable
from babelbatch.encoder import save, tiny
from commands import BIN
from preloaded import Preloaded
from processes import PATIENCE, ended

LANGUAGES = ("el", "en", "th")
ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"
PASSAGES = ("Lima is the capital of Peru.", "It rains.")


class Terminal:
    """The keyboard and the screen of a command that runs at a terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        streams = [Connection(os.dup(theirs)) for _ in range(3)]
        environment = os.environ | {"TERM": "dumb", "COLUMNS": "200", "PYTHONUTF8": "1"}
        typed = [str(BIN / "babelbatch-search"), *arguments]
        self.process = Preloaded(typed, folder, environment, streams)
        for stream in streams:
            stream.close()
        os.close(theirs)

    def types(self, text: str) -> None:
        written = text.encode()
        while written:
            written = written[os.write(self._ours, written[:256]) :]

    def shows(self, last: str = "") -> str:
        """What appears until it ends in these characters; without any, until the command has ended."""
        screen = b""
        while not (last and screen.endswith(last.encode())) and self.has_output(PATIENCE):
            try:
                screen += os.read(self._ours, 65536)
            except OSError:  # the end of a terminal
                break
        return screen.decode().replace("\r", "")

    def has_output(self, seconds: float) -> bool:
        """Whether anything appears within this time."""
        return bool(select.select([self._ours], [], [], seconds)[0])

    def ends(self) -> int | None:
        """The exit code."""
        ended(self.process)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        ended(self.process)
        os.close(self._ours)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    save(tiny(PASSAGES, vocab_size=100, hidden_size=16, heads=2, layers=1, query_length=8), folder / "model")
    (folder / "wiki.txt").write_text("\n".join(PASSAGES) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def terminal(place: Path) -> Iterator[Terminal]:
    opened = Terminal(place, "encoder.name_or_path=model", "passages=wiki.txt", "language=en", "top=1")
    yield opened
    opened.close()


def test_a_conversation_at_a_terminal(place: Path, terminal: Terminal) -> None:
    assert terminal.shows("query> ").endswith("A question in any language; an empty line ends.\nquery> ")
    terminal.types("Is Lima a capital?\r")
    assert "\n  1  en " in terminal.shows("query> ")
    for invisible in (ZERO_WIDTH, "\x16\x01\x16\x02"):  # Ctrl-V types the character that follows
        terminal.types(f"{invisible}\r")
        shown = terminal.shows("query> ")
        assert " has no character that can be seen; write a question\n" in shown
        assert "  1  " not in shown
    terminal.types(":el\r")
    assert ":el would set the language of the questions, which only debias= uses\n" in terminal.shows("query> ")
    long = "rains " * 1500
    terminal.types(f"{long}\r")
    shown = terminal.shows("query> ")
    tokens = len(load(place / "model").encoder.tokenizer(long.strip())["input_ids"])
    assert f"babelbatch: the encoder reads 8 of the {tokens:,} tokens of this query\n" in shown
    assert "\n  1  en " in shown
    terminal.types("   \r")
    assert "Traceback" not in terminal.shows()
    assert terminal.ends() == 0


def test_the_end_of_the_input_ends(terminal: Terminal) -> None:
    terminal.shows("query> ")
    terminal.types("\x04")
    assert terminal.shows().endswith("\n")
    assert terminal.ends() == 0


def test_an_interrupt_ends_on_a_line_of_its_own(terminal: Terminal) -> None:
    terminal.shows("query> ")
    terminal.types("half a quest")
    terminal.shows("half a quest")
    for _ in range(20):  # `input` notices a signal only while it waits for a key
        terminal.process.send_signal(signal.SIGINT)
        if terminal.has_output(seconds=0.5):
            break
    assert terminal.shows() == "\n"
    assert terminal.ends() == 130


def piped(text: bytes, monkeypatch: pytest.MonkeyPatch, debias: str = "none") -> list[tuple[str, str | None]]:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
    return list(given_queries(None, None, LANGUAGES, debias=debias))


def test_lines_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"\ufeffone\r\n\n  \n\0\n{ZERO_WIDTH}\n two \n".encode()
    assert piped(lines, monkeypatch) == [("one", None), ("two", None)]
    assert piped(b":el\none\n:TH\ntwo", monkeypatch, "centre") == [("one", "el"), ("two", "th")]
    with pytest.raises(ValueError, match="UTF-8") as caught:
        piped(b"one\n\xff\xfe two\n", monkeypatch)
    assert str(caught.value) == r"query: '\udcff\udcfe two' is not UTF-8; convert it"


@pytest.mark.parametrize("query", ["", " \t", ZERO_WIDTH, "\x01\x02"])
def test_a_query_that_cannot_be_seen(query: str) -> None:
    with pytest.raises(ValueError, match="query") as caught:
        refuse_unreadable(query)
    assert str(caught.value) == f"query: {query!r} has no character that can be seen; write a question"
    refuse_unreadable(f"{query}a")
