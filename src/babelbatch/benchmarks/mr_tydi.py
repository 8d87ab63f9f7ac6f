"""Mr. TyDi 1.1: questions in eleven languages over the Wikipedia of their language (`sources/mr_tydi.py`)."""

from __future__ import annotations

from pathlib import Path

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import mr_tydi, wikipedia
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import chosen
from babelbatch.storage import file_signatures

_TEST = 2  # of the numbers in `mr_tydi.COUNTS`


def load_benchmark(pooled: bool, data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """The test questions over all passages, 58 million. Official are MRR@100 and Recall@100, monolingual.

    A candidate is title, space, passage; relevant are the question's positive passages.

    pooled: whether to rank over all languages too. Passages of another language were never judged, and count as wrong.
    data_dir: a folder with the files of both data sets; None fetches them. languages: which of the eleven; default all.
    """
    kept = chosen("mr_tydi", tuple(mr_tydi.COUNTS), languages)
    asked = mr_tydi.question_files(kept, "test", data_dir)
    told = [mr_tydi.passage_file(language, data_dir) for language in kept]

    def build(folder: Path) -> list[str]:
        with PoolAssembly(folder) as assembly:
            for language, questions, passages in zip(kept, asked, told, strict=True):
                _add(assembly, language, questions, passages, data_dir)
            return assembly.finish(kept)

    protocol = "Mr. TyDi 1.1 test: candidate = title and passage of the language's Wikipedia, relevant = positive"
    inputs = {"languages": kept, "files": file_signatures([*asked, *told])}
    return stored_benchmark("mr_tydi", inputs, build, protocol, "mrr@100", pooled)


def _add(assembly: PoolAssembly, language: str, questions: Path, passages: Path, data_dir: str | None) -> None:
    """Ids are of a language: the same one in another is another question, or passage."""
    asked = told = 0
    for question in mr_tydi.questions(questions):
        id_ = f"{language}:{question.id}"
        assembly.query(id_, language, question.text, question.place)
        for passage_id in dict.fromkeys(passage.id for passage in question.positives):
            assembly.judgement(id_, f"{language}:{passage_id}", 1.0, question.place)
        asked += 1
    for passage in wikipedia.passages(passages):
        assembly.candidate(f"{language}:{passage.id}", language, passage.text, passage.place)
        told += 1
    check_count(f"mr_tydi, questions in '{language}'", asked, mr_tydi.COUNTS[language][_TEST], data_dir)
    check_count(f"mr_tydi, passages in '{language}'", told, mr_tydi.COUNTS[language][-1], data_dir)
