"""Retrieval tasks of mteb, in its files on the hub (`sources/mteb.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.judged_files import Part, Readers, add
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import beir
from babelbatch.sources.hub import Published, check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.mteb import files
from babelbatch.storage import file_signatures


@dataclass(frozen=True, slots=True)
class Task:
    """A published task. codes: our language -> the publisher's code. counts: published numbers of judged queries and of
    candidates.

    metric: as `Benchmark.metric`. joined: whether a query id is the same query in every language.
    """

    published: Published
    split: str
    codes: Mapping[str, str]
    counts: Mapping[str, tuple[int, int]]
    metric: str
    joined: bool


def load_task(
    name: str, task: Task, protocol: str, data_dir: str | None, languages: Sequence[str] | None, pooled: bool
) -> Benchmark:
    """The benchmark of a task. data_dir: a folder with its files; None fetches them.

    Raises ValueError as `judged_files.add`, for an unknown language, and for counts other than the published ones.
    """
    selected = select_languages(name, tuple(task.codes), languages)
    found = files(task.published, [task.codes[language] for language in selected], task.split, data_dir)

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            none: beir.Columns = {}
            read = Readers(
                partial(beir.queries, columns=none),
                partial(beir.candidates, columns=none, blank=True),  # some tasks have empty documents
                partial(beir.judgements, columns=none),
            )
            for language, of_language in zip(selected, found, strict=True):
                prefix = f"{language}:"
                part = Part(of_language, language, "" if task.joined else prefix, prefix)
                queries, candidates = add(assembly, part, read)
                published = task.counts[language]
                check_count(f"{name}, judged queries in '{language}'", queries, published[0], data_dir)
                check_count(f"{name}, candidates in '{language}'", candidates, published[1], data_dir)
            return assembly.finish(selected)

    inputs = {"languages": selected, "files": file_signatures([path for each in found for path in each.all()])}
    source = f"{task.published.hub} @ {task.published.revision[:8]}"
    return stored_benchmark(name, inputs, build, f"{protocol}; {source}", task.metric, pooled)
