"""The encoder that a run leaves behind, in other libraries: the same vectors, and the same scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import SMALL, metrics, run_forked
from processes import python

# mteb is given the built-in benchmark as a task of its own: one pool of all languages, as in the multilingual setting.
MTEB = """
import json, sys
from pathlib import Path

import mteb
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from sentence_transformers import SentenceTransformer

from babelbatch.benchmarks.world_facts import load_benchmark

benchmark = load_benchmark(["en", "de", "zh"])
queries = [f"{language}/{name}" for name, language in zip(benchmark.query_ids, benchmark.query_languages)]
ends = benchmark.relevant_offsets


class Task(AbsTaskRetrieval):
    metadata = TaskMetadata(
        name="WorldFacts", description="one pool", reference="https://example.org", type="Retrieval", category="t2t",
        modalities=["text"], eval_splits=["test"], eval_langs=["eng-Latn"], main_score="ndcg_at_10",
        dataset={"path": "none", "revision": "none"}, date=None, domains=None, task_subtypes=None, license=None,
        annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation=None,
    )

    def load_data(self, num_proc=None, **kwargs):
        rows = zip(benchmark.candidate_ids, benchmark.candidate_texts)
        self.dataset = {"default": {"test": {
            "corpus": Dataset.from_list([{"id": name, "text": text, "title": ""} for name, text in rows]),
            "queries": Dataset.from_list([{"id": n, "text": t} for n, t in zip(queries, benchmark.query_texts)]),
            "relevant_docs": {
                name: {benchmark.candidate_ids[c]: 1 for c in benchmark.relevant[ends[n] : ends[n + 1]]}
                for n, name in enumerate(queries)
            },
            "top_ranked": None,
        }}}
        self.data_loaded = True


model = SentenceTransformer(sys.argv[1], device="cpu")
result = mteb.evaluate(model, Task(), cache=None, show_progress_bar=False, encode_kwargs={"batch_size": 64})
print(json.dumps(result.task_results[0].scores["test"][0]["ndcg_at_10"]))
"""


@pytest.mark.slow
def test_mteb_finds_our_ndcg(tmp_path: Path) -> None:
    run_forked(
        "babelbatch-train", *SMALL, "sampling=hybrid", "logger=none", "output_dir=run",
        "encoder.pooling=weighted_mean", "encoder.dimensions=24", "encoder.query_length=10", "trainer.max_steps=60",
        cwd=tmp_path,
    )  # fmt: skip
    found = float(python(MTEB, tmp_path / "run" / "encoder", cwd=tmp_path).stdout.splitlines()[-1])
    ours = metrics(tmp_path / "run")["world_facts/multilingual/ndcg@10"]
    assert found == pytest.approx(ours, abs=1e-4)  # mteb rounds to five places
    assert 0.02 < ours < 0.98
