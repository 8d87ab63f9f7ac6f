"""What a search prints: the first passages, and the languages of the first ten beside those of the pool."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, chop_cells

from babelbatch.encoder import Encoder
from babelbatch.progress import percent
from babelbatch.sources.passages import Passages

_SHOWN = 12  # languages of the pool that one line names


@dataclass(frozen=True, slots=True)
class Answer:
    """The passages of a query, best first. counts: (languages,) how many of the first ten are in each."""

    query: str
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.int64]


def pool_line(passages: Passages) -> str:
    """How many passages there are, and the share of each language."""
    shares = passages.shares
    order = np.argsort(-shares, kind="stable")
    parts = [f"{passages.languages[row]} {percent(shares[row], 1)}" for row in order[:_SHOWN]]
    if len(order) > _SHOWN:
        parts.append(f"{len(order) - _SHOWN} more")
    plural = "s" if len(order) > 1 else ""
    kind = f"script{plural}, since no language is given" if passages.by_script else f"language{plural}"
    return f"{len(passages.texts):,} passages in {len(order)} {kind}: {', '.join(parts)}"


def prompt_line(encoder: Encoder, task: str | None) -> str:
    """What is put before each query, and which other prompts the encoder has."""
    settings = encoder.settings
    prompt = settings.prefix("query", task)
    line = f"queries are encoded with the prompt {prompt!r}" if prompt else "queries are encoded without a prompt"
    others = [name for name in settings.query_prompts if name != task]
    return f"{line}; there are prompts for task={', '.join(others)}" if others else line


def answer_lines(answer: Answer, passages: Passages, top: int, typed: bool = False) -> list[str]:
    """The query, a line a passage with place, language, score and text, and the line of the languages. At a terminal a
    text is cut to the line, and languages are not torn apart. typed: the query stands there already."""
    width = max(map(len, passages.languages))
    lines = [] if typed else [answer.query]
    for place, (row, score) in enumerate(zip(answer.rows[:top].tolist(), answer.scores[:top].tolist(), strict=True), 1):
        language = passages.languages[passages.language_of[row]]
        lines.append(_cut(f"{place:3}  {language:{width}}  {score:6.3f}  {_printable(passages.texts[row])}"))
    return [*lines, *_wrapped(languages_line(answer, passages)), ""]


def languages_line(answer: Answer, passages: Passages) -> str:
    """The languages of the first ten, most frequent first, each beside its share of the pool; then the others."""
    found, shares = int(answer.counts.sum()), passages.shares
    order = np.argsort(-answer.counts, kind="stable")
    there = [row for row in order.tolist() if answer.counts[row]]
    parts = [
        f"{passages.languages[row]} {percent(answer.counts[row] / found)} ({percent(shares[row], 1)})" for row in there
    ]
    if others := len(shares) - len(there):
        left = max(0.0, 1 - float(shares[there].sum()))
        parts.append(f"{others} other{'s' if others > 1 else ''} {percent(0)} ({percent(left, 1)})")
    return f"languages of the first {found} (of the pool): {', '.join(parts)}"


def _printable(text: str) -> str:
    """On one line, without characters that control a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _cut(line: str) -> str:
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if cell_len(line) <= width else f"{chop_cells(line, width - 1)[0]}…"


def _wrapped(line: str) -> list[str]:
    if not sys.stdout.isatty():
        return [line]
    width = shutil.get_terminal_size().columns
    whole = re.sub(r"(?<![,:]) ", "\N{NO-BREAK SPACE}", line)  # break after a comma only
    return textwrap.wrap(whole, width, subsequent_indent="  ", break_on_hyphens=False)
