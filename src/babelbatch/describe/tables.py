"""The facts as tables, for a terminal and for a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from babelbatch.benchmarks.leakage import Overlap
from babelbatch.describe.facts import CHARACTERS, TOKENS, BenchmarkFacts, CorpusFacts, Facts, Kind
from babelbatch.describe.lengths import Lengths, sample_size
from babelbatch.progress import bounded_percent

_MATRIX = 12  # languages; more do not fit beside each other
_SHOWN = 70  # characters of an example
_SAMPLED = (
    "Characters are those of all texts. Tokens are those of a sample, at most so many texts of a language: the longest "
    "is the longest of these (sample= sets how many)."
)


@dataclass(frozen=True)
class Block:
    """A table with its heading. lines: printed below it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...] = ()


def blocks(
    corpus: CorpusFacts | None, benchmarks: Sequence[BenchmarkFacts], overlaps: Sequence[Overlap]
) -> Iterator[Block]:
    """All tables, in the order in which they are shown."""
    if corpus is not None:
        yield from _of_corpus(corpus)
    for benchmark in benchmarks:
        yield from _of_benchmark(benchmark)
    if overlaps:
        yield Block(
            "evaluation queries in the corpus",
            ("benchmark", "queries", "identical", "near duplicates"),
            tuple(
                (overlap.benchmark, f"{overlap.queries:,}", f"{overlap.identical:,}",
                 "-" if overlap.near is None else f"{overlap.near:,}")
                for overlap in overlaps
            ),
            tuple(
                f"{overlap.benchmark}: {_example(query, other, similarity)}"
                for overlap in overlaps
                for query, other, similarity in overlap.examples
            ),
        )  # fmt: skip


def show(found: Sequence[Block], console: Console) -> None:
    """Prints tables in the terminal."""
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
    """Tables, problems and notes as Markdown."""
    text = ""
    for block in found:
        text += f"## {block.title}\n\n"
        if block.rows:
            rule = ["---", *["---:"] * (len(block.header) - 1)]
            lines = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in (block.header, rule, *block.rows)]
            text += "".join(f"| {line} |\n" for line in lines) + "\n"
        text += "".join(f"* {line}\n" for line in block.lines) + ("\n" if block.lines else "")
    for title, sentences in (("Problems", problems), ("Notes", notes)):
        if sentences:
            text += f"## {title}\n\n" + "".join(f"* {sentence}\n" for sentence in sentences) + "\n"
    return text


def _of_corpus(corpus: CorpusFacts) -> Iterator[Block]:
    yield Block(
        f"corpus {corpus['name']}",
        ("language", "queries", "passages", "X-X pairs", "negatives", "repeated queries"),
        tuple(
            (language, f"{facts['queries']:,}", f"{facts['passages']:,}", f"{facts['pairs']:,}",
             f"{facts['negatives']:,}", f"{facts['repeated_queries']:,}")
            for language, facts in corpus["languages"].items()
        ),
        (
            f"{corpus['items']:,} items, {corpus['crosslingual_items']:,} of them for X-Y; "
            f"{corpus['passage_keys']:,} passage keys; fingerprint {corpus['fingerprint']}",
        ),
    )  # fmt: skip
    yield from _matrix("X-X and X-Y pairs: query language by passage language", corpus)
    yield _lengths("corpus", corpus, ("query", "passage"))


def _of_benchmark(benchmark: BenchmarkFacts) -> Iterator[Block]:
    yield Block(
        f"benchmark {benchmark['name']}",
        ("language", "queries", "candidates", "relevant a query", "repeated queries"),
        tuple(
            (language, f"{facts['queries']:,}", f"{facts['candidates']:,}",
             "-" if facts["relevant"] is None else f"{facts['relevant']:.2f}", f"{facts['repeated_queries']:,}")
            for language, facts in benchmark["languages"].items()
        ),
        (f"{benchmark['protocol']}; fingerprint {benchmark['fingerprint']}",),
    )  # fmt: skip
    yield from _matrix("queries with an answer: query language by candidate language", benchmark)
    yield _lengths(f"benchmark {benchmark['name']}", benchmark, ("query", "candidate"))


def _matrix(title: str, facts: Facts) -> Iterator[Block]:
    """The cells; in one line if they are all equal, as of parallel data."""
    languages, cells = list(facts["languages"]), facts["cells"]
    if len(languages) < 2:
        return
    if len(set(cells.values())) == 1:
        yield Block(title, (), (), (f"{title}: {next(iter(cells.values())):,} in each of {len(cells)} cells",))
    elif len(languages) > _MATRIX:
        least, most = min(cells.values()), max(cells.values())
        filled = sum(map(bool, cells.values()))
        line = f"{least:,} to {most:,} in a cell, {filled} of {len(cells)} cells are not empty (json= writes each)"
        yield Block(title, (), (), (f"{title}: {line}",))
    else:
        rows = ((one, *(f"{cells[f'{one}-{other}']:,}" for other in languages)) for one in languages)
        yield Block(title, ("", *languages), tuple(rows))


def _lengths(name: str, facts: Facts, kinds: tuple[Kind, ...]) -> Block:
    """Median, 95th percentile and maximum of the characters, and of the tokens if they were counted; of how many texts,
    where it was not all of them."""
    counted = any(TOKENS[kind] in of_language for of_language in facts["languages"].values() for kind in kinds)
    header, is_sampled = ["language"], False
    for kind in kinds:
        header.append(f"{kind} characters")
        size = sample_size(of_language.get(TOKENS[kind]) for of_language in facts["languages"].values())
        if size is not None:
            header += [f"{kind} tokens of {size:,} texts", "truncated of these"]
            is_sampled = True
        elif counted:
            header += [f"{kind} tokens", "truncated"]
    rows = []
    for language, of_language in facts["languages"].items():
        cells = [language]
        for kind in kinds:
            cells.append(_three(of_language[CHARACTERS[kind]]))
            if counted:
                lengths = of_language[TOKENS[kind]]
                cells += [_three(lengths), "-" if lengths is None else bounded_percent(lengths["cut"], 1)]
        rows.append(tuple(cells))
    lines = (_SAMPLED,) if is_sampled else ()
    return Block(f"{name}: lengths (median, 95 %, longest)", tuple(header), tuple(rows), lines)


def _three(lengths: Lengths | None) -> str:
    return "-" if lengths is None else f"{lengths['median']:,}  {lengths['p95']:,}  {lengths['max']:,}"


def _example(query: str, other: str, similarity: float) -> str:
    """A query of the benchmark and the one of the corpus that it is equal to or nearest to. Long ones are shown from
    where they begin to differ, because queries made from one template share a long beginning."""
    if other == query:
        return _short(query)
    query, other = (" ".join(text.split()) for text in (query, other))
    start = 0
    if max(len(query), len(other)) > _SHOWN:
        alike = next((n for n, (one, two) in enumerate(zip(query, other, strict=False)) if one != two), _SHOWN // 2)
        start = max(0, alike - _SHOWN // 2)
    return f"{_short(query, start)} ({similarity:.2f}), in the corpus {_short(other, start)}"


def _short(text: str, start: int = 0) -> str:
    text = " ".join(text.split())
    shown = text[start : start + _SHOWN]
    return f'"{"..." * (start > 0)}{shown}{"..." * (start + len(shown) < len(text))}"'
