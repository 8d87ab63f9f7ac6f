"""The built-in benchmark: held-out facts from CLDR, asked in eleven languages. Nothing is downloaded."""

from __future__ import annotations

import numpy as np

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.records import Benchmark
from babelbatch.sources.world_facts import CLDR_VERSION, facts, select_fact_languages, split, texts


def load_benchmark(languages: list[str] | None = None, split_seed: int = 0, held_out: float = 0.2) -> Benchmark:
    """Queries: the held-out facts. Candidates: the passages of all facts, so the pool includes the training passages
    about the same subjects, none of which is relevant.

    The passage of a query's fact is relevant, in every language.

    languages: some of the eleven; default all. They also form the pool of the multilingual setting.
    split_seed, held_out: the draw of the held-out facts. Give the corpus `world_facts` the same values.

    Raises ValueError for an unknown language, held_out not between 0 and 1, and if no fact is held out.
    """
    selected = select_fact_languages(languages)
    _, held_out_rows = split(split_seed, held_out)
    if not held_out_rows:
        raise ValueError(f"held_out={held_out} holds out none of {len(facts())} facts: raise it")
    all_texts = [texts(language) for language in selected]
    columns = np.arange(len(selected), dtype=np.int16)
    first_row = np.arange(len(selected), dtype=np.int64) * len(facts())
    answers = np.array(held_out_rows, np.int64)[:, None] + first_row
    ids = tuple(facts()[row].id for row in held_out_rows) * len(selected)
    return Benchmark(
        name="world_facts",
        languages=selected,
        query_ids=ids,
        query_texts=tuple(text.queries[row] for text in all_texts for row in held_out_rows),
        query_languages=np.repeat(columns, len(held_out_rows)),
        candidate_ids=tuple(f"{language}:{fact.id}" for language in selected for fact in facts()),
        candidate_texts=tuple(passage for text in all_texts for passage in text.passages),
        candidate_languages=np.repeat(columns, len(facts())),
        relevant_offsets=np.arange(len(held_out_rows) * len(selected) + 1) * len(selected),
        relevant=np.tile(answers, (len(selected), 1)).ravel(),
        protocol=f"world_facts of CLDR {CLDR_VERSION}: candidate = the passage of any fact, relevant = the fact asked "
        f"about, in every language; held_out = {held_out}, split_seed = {split_seed}",
        clusters=joined_clusters(ids, [facts()[row].entities[0] for row in held_out_rows] * len(selected)),
        cluster_unit="subject",
    )
