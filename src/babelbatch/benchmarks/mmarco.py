"""mMARCO's small development set: web queries over passages, parallel in 14 languages; the domain of `corpus=mmarco`.

Bonifacio et al. 2021 (arXiv 2108.13897), translated from MS MARCO. The official pool is 8.8 million passages a
language; here it is the relevant ones and a sample, so that all languages can be ranked together in full.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from babelbatch.benchmarks.assembly import PoolAssembly
from babelbatch.benchmarks.stored import stored_benchmark
from babelbatch.records import Benchmark
from babelbatch.sources import mmarco, trec
from babelbatch.sources.hub import check_count
from babelbatch.sources.languages import select_languages
from babelbatch.sources.lines import Place
from babelbatch.storage import file_signatures


def load_benchmark(
    data_dir: str | None = None, languages: list[str] | None = None, distractors: int = 20_000
) -> Benchmark:
    """The 6,980 queries in each language. A query is answered by its 1 to 4 relevant passages, in every language.

    Training queries are others, but a passage of the pool may be a training passage: the collection is one.
    data_dir: a folder with the hub's files in the same places, and `qrels.dev.small.tsv` of MS MARCO; None fetches
        them, 3 to 8 GB a language.
    languages: which of the 14; default all. They make up the pool.
    distractors: passages of the collection beside the relevant ones, the same sample in every language.
    ValueError: a file that is missing or damaged, or, if it was fetched, not as long as published.
    """
    known = select_languages("mMARCO", tuple(mmarco.NAMES), languages)
    if distractors < 0:
        raise ValueError(f"distractors must be 0 or more, not {distractors}")
    qrels = mmarco.dev_judgements_file(data_dir)
    files = {language: mmarco.dev_files(language, data_dir) for language in known}

    def build(folder: Path) -> list[str]:
        judged = [(row.query, int(row.candidate), row.place) for row in trec.judgements(qrels) if row.gain > 0]
        check_count(f"{qrels}: judgements", len(judged), mmarco.DEV_JUDGEMENTS, data_dir)
        wanted = _pool(np.array([passage for _, passage, _ in judged], np.int64), distractors)
        about = {query: passage for query, passage, _ in reversed(judged)}  # its first relevant passage
        with PoolAssembly(folder) as assembly:
            for language, (queries, passages) in files.items():
                read, there = 0, set()
                for query in trec.queries(queries):
                    assembly.query(query.id, language, query.text, query.place, about.get(query.id))
                    read += 1
                check_count(f"{queries}: queries", read, mmarco.DEV_QUERIES, data_dir)
                texts = mmarco.texts(passages, wanted, partial(_check_passages, passages, data_dir))
                for number, text in texts:
                    assembly.candidate(f"{language}:{number}", language, text, Place(passages, number + 1))
                    there.add(number)
                for name, passage, place in judged:
                    if passage in there:  # a translation may be blank
                        assembly.judgement(name, f"{language}:{passage}", 1.0, place)
            return assembly.finish(known)

    protocol = (
        f"mMARCO dev.small: candidate = passage, relevant = judged so, in every language, and {distractors:,} other "
        "passages"
    )
    signatures = file_signatures([qrels, *(file for pair in files.values() for file in pair)])
    inputs = {"languages": known, "distractors": distractors, "files": signatures}
    return stored_benchmark("mmarco_dev", inputs, build, protocol, "ndcg@10", cluster_unit="passage")


def _check_passages(path: Path, data_dir: str | None, lines: int) -> None:
    check_count(f"{path}: passages", lines, mmarco.PASSAGES, data_dir)


def _pool(relevant: NDArray[np.int64], distractors: int) -> NDArray[np.int64]:
    """(W,) ascending ids of passages: the relevant ones, and a sample of the others that depends on nothing else."""
    relevant = np.unique(relevant)
    drawn = np.random.default_rng(0).permutation(mmarco.PASSAGES)
    others = drawn[~np.isin(drawn, relevant)][:distractors]
    return np.union1d(relevant, others)
