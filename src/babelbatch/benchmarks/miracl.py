"""MIRACL: questions in 18 languages over their language's Wikipedia, 106 million passages (`sources/miracl.py`)."""

from __future__ import annotations

from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import miracl, wikipedia
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import chosen
from babelbatch.storage import file_signatures

SPLIT: miracl.Split = "dev"


def load_benchmark(pooled: bool, data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """The dev questions over all passages. Official are nDCG@10 and Recall@100, monolingual, mean over languages.

    A candidate is title, space, passage; relevant is what was judged 1.

    pooled: whether to rank over all languages too. Passages of another language were never judged, and count as wrong.
    data_dir: a folder with the files of both data sets; None fetches them.
    languages: which of the 18; default all.
    """
    kept = chosen("miracl", tuple(miracl.COUNTS[SPLIT]), languages)
    asked = miracl.question_files(kept, SPLIT, data_dir)
    told = [miracl.passage_files(language, data_dir) for language in kept]

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            for language, (topics, qrels), files in zip(kept, asked, told, strict=True):
                _add(assembly, language, topics, qrels, files, data_dir)
            return assembly.finish(kept)

    files = [path for pair in asked for path in pair] + [path for paths in told for path in paths]
    protocol = "MIRACL 1.0 dev: candidate = title and passage of the language's Wikipedia, relevant = judged 1"
    inputs = {"languages": kept, "files": file_signatures(files)}
    return stored_benchmark("miracl", inputs, build, protocol, "ndcg@10", pooled)


def _add(
    assembly: PoolAssembly, language: str, topics: Path, qrels: Path, files: list[Path], data_dir: str | None
) -> None:
    """Ids are of a language: the same one in another is another question, or passage."""
    counts = [0, 0, 0]
    for question in miracl.questions(topics):
        assembly.query(f"{language}:{question.id}", language, question.text, question.place)
        counts[0] += 1
    for judged in miracl.judgements(qrels):
        ids = (f"{language}:{judged.question}", f"{language}:{judged.passage}")
        assembly.judgement(*ids, float(judged.relevant), judged.place)
        counts[1] += 1
    for path in files:
        for passage in wikipedia.passages(path):
            assembly.candidate(f"{language}:{passage.id}", language, passage.text, passage.place)
            counts[2] += 1
    published = (*miracl.COUNTS[SPLIT][language], miracl.PASSAGE_COUNTS[language])
    for kind, found, expected in zip(("questions", "judgements", "passages"), counts, published, strict=True):
        check_count(f"miracl, {kind} in '{language}'", found, expected, data_dir)
