"""The facts as tables, for a terminal and for a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from babelbatch.benchmarks.leakage import Overlap
from babelbatch.describe.facts import Facts

_MATRIX = 12  # languages; more do not fit beside each other
_SHOWN = 70  # characters of an example


@dataclass(frozen=True)
class Block:
    """A table with its heading. lines: what is said below it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...] = ()


def blocks(corpus: Facts | None, benchmarks: Sequence[Facts], overlaps: Sequence[Overlap]) -> Iterator[Block]:
    """All that is shown, in order."""
    if corpus is not None:
        counts = ("queries", "passages", "pairs", "negatives", "repeated_queries")
        header = ("language", "questions", "passages", "X-X pairs", "negatives", "repeated questions")
        yield Block(
            f"corpus {corpus['name']}",
            header,
            tuple(
                (language, *(f"{found[name]:,}" for name in counts)) for language, found in corpus["languages"].items()
            ),
            (
                f"{corpus['items']:,} items, {corpus['crosslingual_items']:,} of them for X-Y; "
                f"{corpus['passage_keys']:,} passage keys; fingerprint {corpus['fingerprint']}",
            ),
        )
        yield from _matrix("X-X and X-Y pairs: question language by passage language", corpus)
        yield _lengths("corpus", corpus, ("query", "passage"))
    for benchmark in benchmarks:
        yield Block(
            f"benchmark {benchmark['name']}",
            ("language", "queries", "candidates", "relevant a query", "repeated queries"),
            tuple(
                (
                    language,
                    f"{found['queries']:,}",
                    f"{found['candidates']:,}",
                    "-" if found["relevant"] is None else f"{found['relevant']:.2f}",
                    f"{found['repeated_queries']:,}",
                )
                for language, found in benchmark["languages"].items()
            ),
            (f"{benchmark['protocol']}; fingerprint {benchmark['fingerprint']}",),
        )
        yield from _matrix("queries with an answer: query language by candidate language", benchmark)
        yield _lengths(f"benchmark {benchmark['name']}", benchmark, ("query", "candidate"))
    if overlaps:
        yield Block(
            "evaluation questions in the corpus",
            ("benchmark", "questions", "the same", "nearly"),
            tuple(
                (found.benchmark, f"{found.queries:,}", f"{found.identical:,}",
                 "-" if found.near is None else f"{found.near:,}")
                for found in overlaps
            ),
            tuple(
                f"{found.benchmark}: {_example(asked, other, near)}"
                for found in overlaps
                for asked, other, near in found.examples
            ),
        )  # fmt: skip


def show(found: Sequence[Block], console: Console) -> None:
    """In the terminal."""
    for block in found:
        if block.rows:
            console.print(escape(block.title), style="italic", highlight=False, soft_wrap=True)
        table = Table()
        for place, column in enumerate(block.header):
            table.add_column(escape(column), justify="right" if place else "left", overflow="fold")
        for row in block.rows:
            table.add_row(*map(escape, row))
        if block.rows:
            console.print(table)
        for line in block.lines:
            console.print(escape(line), highlight=False, soft_wrap=True)
        console.print()


def to_markdown(found: Sequence[Block], problems: Sequence[str], notes: Sequence[str]) -> str:
    """For a document."""
    text = ""
    for block in found:
        text += f"## {block.title}\n\n"
        if block.rows:
            rule = ["---", *["---:"] * (len(block.header) - 1)]
            lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (block.header, rule, *block.rows)]
            text += "".join(f"| {line} |\n" for line in lines) + "\n"
        text += "".join(f"* {line}\n" for line in block.lines) + ("\n" if block.lines else "")
    for title, lines in (("Problems", problems), ("Notes", notes)):
        if lines:
            text += f"## {title}\n\n" + "".join(f"* {line}\n" for line in lines) + "\n"
    return text


def _matrix(title: str, facts: Facts) -> Iterator[Block]:
    """The cells; in one line where they are all the same, as of parallel data."""
    languages, cells = list(facts["languages"]), facts["cells"]
    if len(languages) < 2:
        return
    if len(set(cells.values())) == 1:
        yield Block(title, (), (), (f"{title}: {next(iter(cells.values())):,} in each of {len(cells)} cells",))
    elif len(languages) > _MATRIX:
        least, most = min(cells.values()), max(cells.values())
        filled = sum(map(bool, cells.values()))
        told = f"{least:,} to {most:,} in a cell, {filled} of {len(cells)} cells are not empty (json= writes each)"
        yield Block(title, (), (), (f"{title}: {told}",))
    else:
        rows = ((one, *(f"{cells[f'{one}-{other}']:,}" for other in languages)) for one in languages)
        yield Block(title, ("", *languages), tuple(rows))


def _lengths(name: str, facts: Facts, roles: tuple[str, str]) -> Block:
    """Characters, and tokens if they were counted: half of the texts have no more than the first number, 19 of 20 no
    more than the second."""
    header, rows = ["language"], []
    counted = any(f"{role}_tokens" in found for found in facts["languages"].values() for role in roles)
    for role in roles:
        header += [f"{role} characters", *([f"{role} tokens", "cut off"] if counted else [])]
    for language, found in facts["languages"].items():
        cells = []
        for role in roles:
            cells.append(_range(found[f"{role}_characters"]))
            if counted:
                size = found[f"{role}_tokens"]
                cells += [_range(size), "-" if size is None else f"{size['cut']:.1%}"]
        rows.append((language, *cells))
    return Block(f"{name}: lengths (median, 95 %, longest)", tuple(header), tuple(rows))


def _range(size: dict[str, float] | None) -> str:
    return "-" if size is None else f"{size['median']:,}  {size['p95']:,}  {size['max']:,}"


def _example(asked: str, other: str, near: float) -> str:
    """A question of the benchmark, and the one of the corpus that it is near to, each from where they begin to differ
    if that is far in: questions of one template share a long beginning."""
    if other == asked:
        return _short(asked)
    asked, other = (" ".join(text.split()) for text in (asked, other))
    start = 0
    if max(len(asked), len(other)) > _SHOWN:
        alike = next((n for n, (one, two) in enumerate(zip(asked, other, strict=False)) if one != two), _SHOWN // 2)
        start = max(0, alike - _SHOWN // 2)
    return f"{_short(asked, start)} ({near:.2f}), in the corpus {_short(other, start)}"


def _short(text: str, start: int = 0) -> str:
    text = " ".join(text.split())
    shown = text[start : start + _SHOWN]
    return f'"{"..." * (start > 0)}{shown}{"..." * (start + len(shown) < len(text))}"'
