"""Mr. TyDi 1.1: queries in eleven languages over the Wikipedia of their language (`sources/mr_tydi.py`)."""

from __future__ import annotations

from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import mr_tydi, wikipedia
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.storage import file_signatures

_TEST = 2  # position in `mr_tydi.COUNTS`


def load_benchmark(pooled: bool, data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """The test queries over all passages, 58 million. The official metrics are MRR@100 and Recall@100, monolingual.

    A candidate is title, space, passage; relevant are the query's positive passages.

    pooled: whether to rank over all languages too. Passages of other languages are unjudged and count as irrelevant.
    data_dir: a folder with the files of both data sets; None fetches them. languages: some of the eleven; default
        all.
    """
    selected = select_languages("mr_tydi", tuple(mr_tydi.COUNTS), languages)
    query_files = mr_tydi.query_files(selected, "test", data_dir)
    passage_files = [mr_tydi.passage_file(language, data_dir) for language in selected]

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            for language, queries, passages in zip(selected, query_files, passage_files, strict=True):
                _add(assembly, language, queries, passages, data_dir)
            return assembly.finish(selected)

    protocol = "Mr. TyDi 1.1 test: candidate = title and passage of the language's Wikipedia, relevant = positive"
    inputs = {"languages": selected, "files": file_signatures([*query_files, *passage_files])}
    return stored_benchmark("mr_tydi", inputs, build, protocol, "mrr@100", pooled)


def _add(assembly: PoolAssembly, language: str, queries: Path, passages: Path, data_dir: str | None) -> None:
    """Prefixes ids with the language: an id in another language is another query or passage."""
    query_count = passage_count = 0
    for query in mr_tydi.queries(queries):
        id_ = f"{language}:{query.id}"
        assembly.query(id_, language, query.text, query.place)
        for passage_id in dict.fromkeys(passage.id for passage in query.positives):
            assembly.judgement(id_, f"{language}:{passage_id}", 1.0, query.place)
        query_count += 1
    for passage in wikipedia.passages(passages):
        assembly.candidate(f"{language}:{passage.id}", language, passage.text, passage.place)
        passage_count += 1
    check_count(f"mr_tydi, queries in '{language}'", query_count, mr_tydi.COUNTS[language][_TEST], data_dir)
    check_count(f"mr_tydi, passages in '{language}'", passage_count, mr_tydi.COUNTS[language][-1], data_dir)
