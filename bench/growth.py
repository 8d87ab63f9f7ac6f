"""How cost grows: seconds against size for a training step, an evaluation, the start of a sampler, and a report.

    python bench/growth.py batch languages pool items runs questions [--rounds 3] [--smallest] [--out docs/pictures]

    batch       a training step (above 256 with GradCache) against its pairs, 64 to 16,384, of two languages
    languages   a training step of 256 pairs against the languages of the corpus, 2 to 64
    pool        the full ranking of 1,000 queries against the candidates, 10^4 to 10^6, and the exact search of them
    items       the start of a sampler against the items of a corpus, 10^4 to 10^7, in 14 languages
    runs        a report against the runs it compares, 3 to 300, of 1,000 questions in one language
    questions   a report of nine runs against the questions, 100 to 10,000

Each size is measured --rounds times, after one that is not counted, and then the next one. Printed are the median, the
exponent from the size before, log(time ratio) / log(size ratio), and the peak memory of the process so far. --out
writes a plot of each subject. --smallest measures the two smallest sizes only.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

from babelbatch.batches.builder import BatchBuilder
from babelbatch.batches.tokenized import TokenizedCorpus
from babelbatch.encoder import tiny
from babelbatch.evaluation import bias
from babelbatch.evaluation.ranking import rank
from babelbatch.loss import Contrastive
from babelbatch.progress import silent
from babelbatch.records import Benchmark, Corpus
from babelbatch.report.page import write_report
from babelbatch.sampling import Sampler, Sampling
from babelbatch.search.index import Exact
from babelbatch.training.learner import Learner
from babelbatch.training.scheduler import constant
from sampler import make_corpus

DIMENSIONS = 384

Measure = Callable[[], float]
"""Does the work once. Returns its seconds."""


class Subject(NamedTuple):
    """What grows. sizes: ascending. prepare: size -> what to measure, by name."""

    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int], dict[str, Measure]]


def worded_corpus(items: int, languages: int) -> Corpus:
    """Parallel items with texts of eight to sixteen words, of which each language has its own thousand."""
    random = np.random.default_rng(0)
    codes = [f"l{number:02}" for number in range(languages)]

    def texts(name: str) -> tuple[str, ...]:
        lengths = random.integers(8, 17, items * languages)
        words = random.integers(0, 1_000, (items * languages, 16))
        return tuple(
            f"{name}{row} " + " ".join(f"{codes[row % languages]}w{word}" for word in words[row, :length])
            for row, length in enumerate(lengths.tolist())
        )

    rows = np.arange(items * languages, dtype=np.int32).reshape(items, languages)
    return Corpus(
        name="words",
        languages=tuple(codes),
        ids=tuple(map(str, range(items))),
        query_texts=texts("q"),
        passage_texts=texts("p"),
        queries=rows,
        passages=rows.copy(),
        passage_keys=np.arange(items),
        negatives=np.empty((items, languages, 0), np.int32),
        negative_keys=np.empty((items, languages, 0), np.int64),
    )


def training_step(corpus: Corpus, batch_size: int) -> Measure:
    """A step of a small encoder, above 256 pairs with GradCache, whose batch is built before the clock starts."""
    torch.manual_seed(0)
    texts = (*corpus.query_texts[:20_000], *corpus.passage_texts[:20_000])
    encoder = tiny(texts, vocab_size=4_000, hidden_size=64, layers=2, heads=2)
    learner = Learner(
        encoder, Contrastive(), partial(torch.optim.AdamW, lr=1e-5), constant, 10**6, grad_cache=batch_size > 256
    )
    optimizer = learner.configure_optimizers()["optimizer"]
    builder = BatchBuilder(TokenizedCorpus(corpus, encoder))
    sampler = Sampler(corpus, Sampling("hybrid", alpha=0.5, batch_size=batch_size), seed=0)
    batches = (builder(sampler.plan(step), step, token_limit=16_384) for step in iter(range(10**6)))

    def measure() -> float:
        batch = next(batches)
        began = time.perf_counter()
        learner.training_step(batch, 0)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - began

    return measure


def by_batch(size: int) -> dict[str, Measure]:
    return {"a training step": training_step(worded_corpus(max(2_000, size), 2), size)}


def by_languages(size: int) -> dict[str, Measure]:
    return {"a training step": training_step(worded_corpus(1_000, size), 256)}


def by_pool(size: int) -> dict[str, Measure]:
    """A thousand queries, each with one relevant candidate, in ten languages."""
    random = np.random.default_rng(0)
    candidates = random.standard_normal((size, DIMENSIONS), np.float32)
    queries = random.standard_normal((1_000, DIMENSIONS), np.float32)
    languages = tuple(f"l{number}" for number in range(10))
    benchmark = Benchmark(
        name="random",
        protocol="random",
        languages=languages,
        query_ids=tuple(f"q{row // 10}" for row in range(1_000)),
        query_texts=("",) * 1_000,
        query_languages=(np.arange(1_000) % 10).astype(np.int16),
        candidate_ids=tuple(f"c{row}" for row in range(size)),
        candidate_texts=("",) * size,
        candidate_languages=(np.arange(size) % 10).astype(np.int16),
        relevant=np.arange(1_000),
        relevant_offsets=np.arange(1_001),
    )
    blocks = np.array_split(candidates, -(-size // 65_536))
    search = Exact().build(blocks)
    return {
        "a full ranking": lambda: seconds(lambda: rank(benchmark, queries, candidates, k=bias.TOP)),
        "an exact search for 100": lambda: seconds(lambda: search(queries, 100)),
    }


def by_items(size: int) -> dict[str, Measure]:
    corpus = make_corpus(size, 14, partial=True)
    return {"the start of a sampler": lambda: seconds(lambda: Sampler(corpus, Sampling("hybrid", alpha=0.5), seed=0))}


def by_runs(size: int) -> dict[str, Measure]:
    return {"a report": report_of(runs=size, questions=1_000)}


def by_questions(size: int) -> dict[str, Measure]:
    return {"a report": report_of(runs=9, questions=size)}


def report_of(runs: int, questions: int) -> Measure:
    """A report of three strategies with as many seeds as make up the runs."""
    place = tempfile.TemporaryDirectory()
    folder = Path(place.name)
    for number in range(runs):
        write_run(folder / "runs" / str(number), (0.0, 0.5, 1.0)[number % 3], number // 3, questions)

    def measure() -> float:
        assert place.name  # the folder lives as long as this function
        return seconds(lambda: write_report([folder / "runs"], folder / "report"))

    return measure


def write_run(folder: Path, alpha: float, seed: int, questions: int) -> None:
    """A run of one benchmark in one language, whose scores scatter about those of its question and its strategy."""
    folder.mkdir(parents=True)
    random = np.random.default_rng((seed, int(10 * alpha)))
    easy = np.random.default_rng(0).normal(0, 0.1, questions)
    columns: dict[str, list[object]] = {name: [] for name in ("setting", "candidate_language", "map", "rank_distance")}
    metrics: dict[str, object] = {}
    for setting, candidate in (("monolingual", "en"), ("multilingual", None)):
        scores = np.clip(0.5 + 0.1 * alpha + easy + random.normal(0, 0.05, questions), 0, 1)
        distances = np.abs(100 * (1 + easy) + random.normal(0, 5, questions)) if candidate is None else None
        columns["setting"] += [setting] * questions
        columns["candidate_language"] += [candidate] * questions
        columns["map"] += scores.tolist()
        columns["rank_distance"] += [None] * questions if distances is None else distances.tolist()
        metrics[f"b/{setting}/map"] = metrics[f"b/{setting}/map/en"] = float(scores.mean())
        if distances is not None:
            metrics[f"b/{setting}/rank_distance"] = float(distances.mean())
    rows = len(columns["map"])
    table = {
        "benchmark": ["b"] * rows,
        "setting": columns["setting"],
        "query_id": [f"q{number}" for number in range(questions)] * 2,
        "query_language": ["en"] * rows,
        "candidate_language": pa.array(columns["candidate_language"], pa.string()),
        "map": pa.array(columns["map"], pa.float64()),
        "rank_distance": pa.array(columns["rank_distance"], pa.float64()),
    }
    pq.write_table(pa.table(table), folder / "per_query.parquet")
    strategy = {0.0: "x_y", 0.5: "hybrid", 1.0: "x_x"}[alpha]
    facts = {
        "name": "growth", "strategy": strategy, "alpha": alpha, "seed": seed, "steps": 1, "benchmarks": ["b"],
        "fingerprint/b": "b", "protocol/b": "random", "metric/b": "map", "languages/b": ["en"],
        "parameters": 1, "parameters_trained": 1, "seconds/train": 1.0, "seconds/evaluate": 1.0,
        "fingerprint/corpus": "c",
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(facts | metrics), encoding="utf-8")
    config = {"sampling": {"name": strategy, "alpha": alpha}, "seed": seed, "name": "growth", "output_dir": "."}
    config |= {"encoder": {"_target_": "babelbatch.encoder.static"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


SUBJECTS = {
    "batch": Subject("pairs in a batch", (64, 256, 1_024, 4_096, 16_384), by_batch),
    "languages": Subject("languages", (2, 4, 8, 16, 32, 64), by_languages),
    "pool": Subject("candidates", (10_000, 31_623, 100_000, 316_228, 1_000_000), by_pool),
    "items": Subject("items", (10_000, 100_000, 1_000_000, 10_000_000), by_items),
    "runs": Subject("runs", (3, 9, 30, 99, 300), by_runs),
    "questions": Subject("questions", (100, 316, 1_000, 3_162, 10_000), by_questions),
}


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measured(subject: Subject, sizes: tuple[int, ...], rounds: int) -> Iterator[tuple[int, dict[str, float], float]]:
    """Yields each size with its medians by name, and the peak memory of the process so far, in GiB."""
    for size in sizes:
        with silent(), redirect_stderr(StringIO()):
            work = subject.prepare(size)
        times: dict[str, list[float]] = {name: [] for name in work}
        for number in range(rounds + 1):
            for name, measure in work.items():
                with silent(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                    taken = measure()
                if number:
                    times[name].append(taken)
        yield size, {name: statistics.median(each) for name, each in times.items()}, peak_memory()


def peak_memory() -> float:
    with open("/proc/self/status", encoding="utf-8") as file:
        return int(file.read().split("VmHWM:")[1].split()[0]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="+", choices=list(SUBJECTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smallest", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    for name in options.subjects:
        subject = SUBJECTS[name]
        found: dict[str, list[tuple[int, float]]] = {}
        for size, medians, memory in measured(
            subject, subject.sizes[: 2 if options.smallest else None], options.rounds
        ):
            for work, taken in medians.items():
                found.setdefault(work, []).append((size, taken))
                print(f"{size:>12,} {subject.unit}: {work} {taken:10.4f} s{exponent(found[work])}   {memory:.1f} GiB")
        if options.out is not None:
            draw(options.out / f"growth_{name}.svg", subject.unit, found)


def exponent(points: list[tuple[int, float]]) -> str:
    if len(points) < 2:
        return ""
    (size, taken), (larger, longer) = points[-2:]
    return f", exponent {math.log(longer / taken) / math.log(larger / size):.2f}"


def draw(path: Path, unit: str, found: dict[str, list[tuple[int, float]]]) -> None:
    """Seconds against size, both on logarithmic axes, with a dotted line of exponent 1 through the largest size."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    mpl.rcParams["svg.hashsalt"] = "babelbatch"
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    for (work, points), marker in zip(found.items(), "os", strict=False):
        sizes, times = zip(*points, strict=True)
        (line,) = axes.loglog(sizes, times, marker=marker, label=work)
        proportional = [times[-1] * size / sizes[-1] for size in sizes]
        axes.loglog(sizes, proportional, linestyle=":", linewidth=1, color=line.get_color())
    axes.set_ylim(bottom=min(taken for points in found.values() for _, taken in points) / 2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize="small")
    axes.xaxis.set_minor_locator(NullLocator())
    lowest, highest = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if highest < 50 * lowest else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(unit)
    axes.set_ylabel("seconds")
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
