"""Computes the tables of docs/scaling.md from measured and assumed constants, and writes them into the page.

    python docs/tools/scaling.py                                   # rewrites the tables of the page
    python docs/tools/scaling.py gpu_price=2 gpu_peak=312e12       # prints them with other constants

A table stands between `<!-- name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

PAGE = Path(__file__).parents[1] / "scaling.md"
POOLS = (1_000_000, 33_000_000, 106_000_000)
PAIRS = 10_000_000
DEVICES = (1, 8, 64)
BATCHES = (128, 1_024, 16_384)


@dataclass(frozen=True, slots=True)
class Shape:
    """A transformer. weights: all of them, embeddings included."""

    name: str
    layers: int
    hidden: int
    inner: int
    weights: int

    def operations(self, tokens: float) -> float:
        """Operations to encode a text, as in docs/protocol.md: two for each weight of a layer and token; attention."""
        linear = 2 * self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.inner)
        return tokens * (linear + 4 * self.layers * self.hidden * tokens)


E5_SMALL = Shape("multilingual E5 small", 12, 384, 1_536, 117_653_760)
XLMR_BASE = Shape("XLM-R base", 12, 768, 3_072, 278_043_648)
BGE_M3 = Shape("BGE-M3", 24, 1_024, 4_096, 567_754_752)


PERFORMANCE = "performance.md#"


def constant(value: float, unit: str, source: str, scale: float = 1) -> float:
    """A field of `Constants`. The page shows `value / scale` in this unit, and where it is from."""
    shown: float = field(default=value, metadata={"unit": unit, "source": source, "scale": scale})
    return shown


@dataclass(frozen=True, slots=True)
class Constants:
    """Operations and bytes are those of a second, prices those of an hour in US dollars."""

    cpu_encoding: float = constant(
        0.83 * 126e9, "GFLOP/s",
        "measured: 83 % of 126 GFLOP/s, two threads, float32"
        f" ([encoding]({PERFORMANCE}encoding-compared-with-sentence-transformers))", 1e9,
    )  # fmt: skip
    tokenising: float = constant(
        18.9e6 / 54, "tokens/s",
        "measured: 54 s of a processor for a million texts of 18.9 tokens"
        f" ([token cache]({PERFORMANCE}the-token-cache))",
    )  # fmt: skip
    search: float = constant(
        2 * 384 * 100_000 / 0.94e-3, "GFLOP/s",
        f"measured: 0.94 ms a query for 100,000 vectors of 384, one thread ([search]({PERFORMANCE}search))", 1e9,
    )  # fmt: skip
    passage_tokens: float = constant(150, "tokens", "assumed: a paragraph of Wikipedia")
    query_tokens: float = constant(20, "tokens", "assumed")
    queries: float = constant(10_000, "queries", "assumed")
    id_bytes: float = constant(20, "bytes", "assumed: of the longest id")
    gpu_peak: float = constant(989e12, "TFLOP/s", "stated by the vendor: bfloat16 without sparsity, H100 SXM", 1e12)
    encoding_share: float = constant(0.06, "% of the peak", "assumed, after the published run below", 0.01)
    training_share: float = constant(0.15, "% of the peak", "assumed", 0.01)
    in_machine: float = constant(300e9, "GB/s", "assumed: two thirds of NVLink's 450 GB/s a direction", 1e9)
    between_machines: float = constant(40e9, "GB/s", "assumed: four fifths of 400 Gbit/s for each GPU", 1e9)
    disk: float = constant(1e9, "GB/s", "assumed", 1e9)
    gpu_price: float = constant(3, "$ an hour", "assumed: a GPU")
    cpu_price: float = constant(0.1, "$ an hour", "assumed: a machine of two cores")


def gathered(batch: int, ranks: int, dimensions: int) -> float:
    """Bytes that a rank receives in a step for the passages of the other ranks, one a pair, in float32: an all-gather
    of vectors, and a ring all-reduce of their gradients, see `distributed.collectives.gather_rows`."""
    return 3 * (ranks - 1) / ranks * batch * dimensions * 4


def reduced(weights: int, ranks: int) -> float:
    """Bytes that a rank receives in a step for the gradients of all weights in float32, by a ring all-reduce."""
    return 2 * (ranks - 1) / ranks * weights * 4


def step_seconds(shape: Shape, batch: int, ranks: int, constants: Constants) -> tuple[float, float]:
    """Of computing, and of communication that overlaps with none of it. A backward pass counts as two forward passes.
    GradCache, with one more, is used where a GPU has more than 1,024 pairs. Machines have eight GPUs."""
    pair = shape.operations(constants.query_tokens) + shape.operations(constants.passage_tokens)
    passes = 3 if batch / ranks <= 1_024 else 4
    computing = passes * batch * pair / (ranks * constants.gpu_peak * constants.training_share)
    bandwidth = constants.in_machine if ranks <= 8 else constants.between_machines
    return computing, (gathered(batch, ranks, shape.hidden) + reduced(shape.weights, ranks)) / bandwidth


def constants_table(constants: Constants) -> str:
    rows = []
    for each in fields(constants):
        value = _digits(getattr(constants, each.name) / each.metadata["scale"])
        rows.append((f"`{each.name}`", f"{value} {each.metadata['unit']}", each.metadata["source"]))
    return _table(("constant", ">value", "from"), rows)


def published(constants: Constants) -> str:
    """The share of the peak that the published run reached, if its passages have the assumed length."""
    rate = 32.9e6 / (6 * 3600 * 8)
    share = rate * BGE_M3.operations(constants.passage_tokens) / 312e12
    return f"{rate:,.0f} passages/s on each A800, {100 * share:.1f} % of its 312 TFLOP/s"


def encoding(constants: Constants) -> str:
    rows = []
    for shape in (E5_SMALL, XLMR_BASE):
        operations = shape.operations(constants.passage_tokens)
        cpu, gpu = constants.cpu_encoding / operations, constants.gpu_peak * constants.encoding_share / operations
        for pool in POOLS:
            tokenising = _hours(pool * constants.passage_tokens / constants.tokenising / 3600)
            on_cpu, on_gpu = pool / cpu / 3600, pool / gpu / 3600
            cells = [shape.name, f"{pool:,}", tokenising]
            cells += [_digits(cpu), _hours(on_cpu), _dollars(on_cpu * constants.cpu_price)]
            cells += [_digits(gpu), *(_hours(on_gpu / devices) for devices in DEVICES)]
            rows.append([*cells, _dollars(on_gpu * constants.gpu_price)])
    of_cpu, of_gpu = [">passages/s, two cores", ">time", ">cost"], [">passages/s, a GPU", ">time, 1 GPU", ">8", ">64"]
    return _table(["encoder", ">passages", ">tokenising, one core", *of_cpu, *of_gpu, ">cost"], rows)


def storing(constants: Constants) -> str:
    rows = []
    for pool in POOLS:
        order = pool * (2 * constants.id_bytes + 16)  # the ids twice while they are sorted, and two orders
        for dimensions in (384, 768):
            half, whole = (pool * (dimensions * size + 8) for size in (2, 4))
            read = _hours(half / constants.disk / 3600)
            cells = [f"{pool:,}", str(dimensions), _bytes(half), _bytes(whole), read]
            rows.append([*cells, _bytes(pool * dimensions * 4), _bytes(order)])
    stored = [">shards, float16", ">float32", ">to read float16"]
    return _table([">passages", ">dimensions", *stored, ">memory: vectors, float32", ">memory: order of ids"], rows)


def searching(constants: Constants) -> str:
    rows = []
    for pool in POOLS:
        for dimensions in (384, 768):
            one = 2 * dimensions * pool / constants.search
            hours = one * constants.queries / 3600
            rows.append(
                (
                    f"{pool:,}",
                    str(dimensions),
                    _seconds(one),
                    _hours(hours),
                    _dollars(hours * constants.cpu_price / 2),
                )
            )
    return _table((">passages", ">dimensions", ">one query", ">all queries", ">cost"), rows)


def training(constants: Constants) -> str:
    rows = []
    for shape in (E5_SMALL, XLMR_BASE):
        for batch in (1_024, 16_384):
            for ranks in DEVICES:
                computing, sending = step_seconds(shape, batch, ranks, constants)
                hours = PAIRS / batch * (computing + sending) / 3600
                share = f"{100 * sending / (computing + sending):.0f} %"
                cells = [shape.name, f"{batch:,}", str(ranks), _seconds(computing), _seconds(sending), share]
                price = _dollars(hours * ranks * constants.gpu_price)
                rows.append([*cells, f"{PAIRS / hours / 3600:,.0f}", _hours(hours), price])
    head = ("encoder", ">batch", ">GPUs", ">computing", ">communication", ">share", ">pairs/s", ">10^7 pairs", ">cost")
    return _table(head, rows)


def gathering(constants: Constants) -> str:
    del constants
    rows = []
    for batch in BATCHES:
        for ranks in (8, 64):
            cells = [
                _bytes(value)
                for shape in (E5_SMALL, XLMR_BASE)
                for value in (gathered(batch, ranks, shape.hidden), reduced(shape.weights, ranks))
            ]
            rows.append((f"{batch:,}", str(ranks), *cells, _bytes(batch / ranks * batch * 4)))
    head = (">batch", ">GPUs", ">384: vectors", ">weights", ">768: vectors", ">weights", ">scores of a rank")
    return _table(head, rows)


TABLES = {
    "constants": constants_table, "published": published, "encoding": encoding, "storing": storing,
    "searching": searching, "training": training, "gathering": gathering,
}  # fmt: skip


def filled(page: str, constants: Constants) -> str:
    """The page with its tables computed. Raises ValueError if it lacks one, or has one that is not known."""
    names = re.findall(r"<!-- (\w+) -->", page)
    if sorted(names) != sorted([*TABLES, *["end"] * len(TABLES)]):
        raise ValueError(f"the page has the tables {names}; it must have {', '.join(TABLES)}, each with an end")

    def computed(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n{TABLES[found[1]](constants)}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", computed, page, flags=re.DOTALL)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table. A column whose heading begins with > is aligned to the right."""
    head = list(head)
    lines = [[name.removeprefix(">") for name in head], ["---:" if name.startswith(">") else "---" for name in head]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*lines, *rows])


def _digits(number: float) -> str:
    """Two significant digits or all in front of the point, without trailing zeros."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{float(f'{number:.2g}'):g}"


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{_digits(hours * 3600)} s"
    return f"{_digits(hours * 60)} min" if hours < 1 else f"{_digits(hours)} h"


def _seconds(seconds: float) -> str:
    return f"{_digits(seconds)} s" if seconds >= 1 else f"{_digits(seconds * 1000)} ms"


def _dollars(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 10 else f"${amount:,.2f}"


def _bytes(number: float) -> str:
    for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= size:
            return f"{_digits(number / size)} {name}"
    return f"{_digits(number / 1e3)} kB"


def main() -> None:
    changed = dict(argument.split("=", 1) for argument in sys.argv[1:])
    known = [each.name for each in fields(Constants)]
    if wrong := [name for name in changed if name not in known]:
        raise SystemExit(f"there is no constant {wrong[0]}; there are {', '.join(known)}")
    constants = replace(Constants(), **{name: float(value) for name, value in changed.items()})
    if changed:
        print("\n\n".join(f"{name}\n\n{table(constants)}" for name, table in TABLES.items()))
    else:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), constants), encoding="utf-8")


if __name__ == "__main__":
    main()
