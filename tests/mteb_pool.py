"""A benchmark as a retrieval task of mteb: one pool of all languages, as in the multilingual setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mteb
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from sentence_transformers import SentenceTransformer

from babelbatch.records import Benchmark


def query_names(benchmark: Benchmark) -> list[str]:
    """The ids of its queries there, one for each language."""
    languages = [benchmark.languages[language] for language in benchmark.query_languages]
    return [f"{language}/{id_}" for id_, language in zip(benchmark.query_ids, languages, strict=True)]


def judgements(benchmark: Benchmark) -> dict[str, dict[str, int]]:
    """By query, its relevant candidates, each with the gain 1."""
    ends = benchmark.relevant_offsets
    return {
        name: {benchmark.candidate_ids[row]: 1 for row in benchmark.relevant[ends[n] : ends[n + 1]]}
        for n, name in enumerate(query_names(benchmark))
    }


class PooledTask(AbsTaskRetrieval):
    metadata = TaskMetadata(
        name="Pool", description="one pool", reference="https://example.org", type="Retrieval", category="t2t",
        modalities=["text"], eval_splits=["test"], eval_langs=["eng-Latn"], main_score="ndcg_at_10",
        dataset={"path": "none", "revision": "none"}, date=None, domains=None, task_subtypes=None, license=None,
        annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation=None,
    )  # fmt: skip

    def __init__(self, benchmark: Benchmark) -> None:
        super().__init__()
        self.benchmark = benchmark

    def load_data(self, num_proc: int | None = None, **_: object) -> None:
        benchmark = self.benchmark
        candidates = zip(benchmark.candidate_ids, benchmark.candidate_texts, strict=True)
        queries = zip(query_names(benchmark), benchmark.query_texts, strict=True)
        self.dataset = {"default": {"test": {
            "corpus": Dataset.from_list([{"id": name, "text": text, "title": ""} for name, text in candidates]),
            "queries": Dataset.from_list([{"id": name, "text": text} for name, text in queries]),
            "relevant_docs": judgements(benchmark),
            "top_ranked": None,
        }}}  # fmt: skip
        self.data_loaded = True


def score(model: SentenceTransformer, benchmark: Benchmark, predictions: Path | None = None) -> float:
    """nDCG@10 that mteb computes, rounded to five places. predictions: a folder for the rankings."""
    result = mteb.evaluate(
        model, PooledTask(benchmark), cache=None, show_progress_bar=False, encode_kwargs={"batch_size": 64},
        prediction_folder=predictions,
    )  # fmt: skip
    found: dict[str, Any] = result.task_results[0].scores["test"][0]
    return float(found["ndcg_at_10"])


def rankings(predictions: Path) -> dict[str, dict[str, float]]:
    """By query, the scores of the candidates that mteb ranked."""
    (file,) = predictions.rglob("*.json")
    found: dict[str, dict[str, float]] = json.loads(file.read_text())["default"]["test"]
    return found
