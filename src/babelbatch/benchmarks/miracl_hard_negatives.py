"""MIRACL with small pools: at most 1,000 dev queries per language, over the results of three retrievers."""

from __future__ import annotations

from babelbatch.benchmarks.mteb_task import Task, load_task
from babelbatch.records import Benchmark
from babelbatch.sources.hub import Published

COUNTS = {
    "ar": (1_000, 192_103),
    "bn": (411, 297_265),
    "de": (305, 71_277),
    "en": (799, 178_768),
    "es": (648, 146_750),
    "fa": (632, 133_596),
    "fi": (1_000, 194_415),
    "fr": (343, 75_357),
    "hi": (350, 63_066),
    "id": (960, 168_173),
    "ja": (860, 185_319),
    "ko": (213, 43_293),
    "ru": (1_000, 219_114),
    "sw": (482, 131_924),
    "te": (828, 101_961),
    "th": (733, 116_649),
    "yo": (119, 49_043),
    "zh": (393, 81_309),
}
"""Queries and passages, by language: 11,076 and 2,449,382."""

TASK = Task(
    Published("mteb/MIRACLRetrievalHardNegatives", "d7d94fa4b946cec4a27c84653aa0cf6b33f74a3c", "CC BY-SA 4.0"),
    split="dev",
    codes={language: language for language in COUNTS},
    counts=COUNTS,
    metric="ndcg@10",
    joined=False,
)


def load_benchmark(pooled: bool, data_dir: str | None = None, languages: list[str] | None = None) -> Benchmark:
    """mteb's MIRACLRetrievalHardNegatives: the judged passages and the first 250 of BM25, multilingual E5 large and
    E5 Mistral, in the query's language. Bengali, Swahili and Yoruba have their whole Wikipedia.

    A candidate is title, space, passage; relevant are those judged 1.

    pooled: whether to rank over all languages too. Passages of other languages are unjudged and count as irrelevant.
    data_dir: a folder with the data set's files; None fetches them. languages: some of the 18; default all.
    """
    protocol = "MIRACL dev, hard negatives of mteb: candidate = title and passage, relevant = judged 1"
    return load_task("miracl_hard_negatives", TASK, protocol, data_dir, languages, pooled)
