"""MIRACL: queries in 18 languages over their language's Wikipedia, 106 million passages (`sources/miracl.py`)."""

from __future__ import annotations

from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import miracl, wikipedia
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.storage import file_signatures

SPLIT: miracl.Split = "dev"


def load_benchmark(pooled: bool, data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """The dev queries over all passages. The official metrics are nDCG@10 and Recall@100, monolingual, mean over
    languages.

    A candidate is title, space, passage; relevant are those judged 1.

    pooled: whether to rank over all languages too. Passages of other languages are unjudged and count as irrelevant.
    data_dir: a folder with the files of both data sets; None fetches them.
    languages: some of the 18; default all.
    """
    selected = select_languages("miracl", tuple(miracl.COUNTS[SPLIT]), languages)
    query_files = miracl.query_files(selected, SPLIT, data_dir)
    passage_files = [miracl.passage_files(language, data_dir) for language in selected]

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            for language, (topics, qrels), files in zip(selected, query_files, passage_files, strict=True):
                _add(assembly, language, topics, qrels, files, data_dir)
            return assembly.finish(selected)

    files = [path for pair in query_files for path in pair] + [path for paths in passage_files for path in paths]
    protocol = "MIRACL 1.0 dev: candidate = title and passage of the language's Wikipedia, relevant = judged 1"
    inputs = {"languages": selected, "files": file_signatures(files)}
    return stored_benchmark("miracl", inputs, build, protocol, "ndcg@10", pooled)


def _add(
    assembly: PoolAssembly, language: str, topics: Path, qrels: Path, files: list[Path], data_dir: str | None
) -> None:
    """Prefixes ids with the language: an id in another language is another query or passage."""
    counts = [0, 0, 0]
    for query in miracl.queries(topics):
        assembly.query(f"{language}:{query.id}", language, query.text, query.place)
        counts[0] += 1
    for judged in miracl.judgements(qrels):
        ids = (f"{language}:{judged.query}", f"{language}:{judged.passage}")
        assembly.judgement(*ids, float(judged.relevant), judged.place)
        counts[1] += 1
    for path in files:
        for passage in wikipedia.passages(path):
            assembly.candidate(f"{language}:{passage.id}", language, passage.text, passage.place)
            counts[2] += 1
    published = (*miracl.COUNTS[SPLIT][language], miracl.PASSAGE_COUNTS[language])
    for kind, found, expected in zip(("queries", "judgements", "passages"), counts, published, strict=True):
        check_count(f"miracl, {kind} in '{language}'", found, expected, data_dir)
