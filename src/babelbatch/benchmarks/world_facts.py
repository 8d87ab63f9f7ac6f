"""The built-in benchmark: held-out facts from CLDR, asked in eleven languages. Nothing is downloaded."""

from __future__ import annotations

import numpy as np

from babelbatch.benchmarks.clusters import joined_clusters
from babelbatch.records import Benchmark
from babelbatch.sources.world_facts import CLDR_VERSION, choose_languages, facts, split, texts


def load_benchmark(languages: list[str] | None = None, split_seed: int = 0, held_out: float = 0.2) -> Benchmark:
    """The queries are the held-out facts. The candidates are the passages of all facts, those of training too: the pool
    holds what the model has learnt about the same subjects, and the answer is none of it.

    A query is answered by the passage of its fact, in every language.

    languages: which of the eleven; default all. They also make up the pool of the multilingual setting.
    split_seed, held_out: the draw of the facts to ask about. Give the corpus `world_facts` the same values.

    ValueError: a language that there is not, held_out not between 0 and 1, nothing held out.
    """
    chosen = choose_languages(languages)
    _, asked = split(split_seed, held_out)
    if not asked:
        raise ValueError(f"held_out={held_out} holds out none of {len(facts())} facts: raise it")
    told = [texts(language) for language in chosen]
    columns = np.arange(len(chosen), dtype=np.int16)
    first_row = np.arange(len(chosen), dtype=np.int64) * len(facts())
    answers = np.array(asked, np.int64)[:, None] + first_row
    ids = tuple(facts()[row].id for row in asked) * len(chosen)
    return Benchmark(
        name="world_facts",
        languages=chosen,
        query_ids=ids,
        query_texts=tuple(text.questions[row] for text in told for row in asked),
        query_languages=np.repeat(columns, len(asked)),
        candidate_ids=tuple(f"{language}:{fact.id}" for language in chosen for fact in facts()),
        candidate_texts=tuple(passage for text in told for passage in text.passages),
        candidate_languages=np.repeat(columns, len(facts())),
        relevant_offsets=np.arange(len(asked) * len(chosen) + 1) * len(chosen),
        relevant=np.tile(answers, (len(chosen), 1)).ravel(),
        protocol=f"world_facts of CLDR {CLDR_VERSION}: candidate = the passage of any fact, relevant = the fact asked "
        f"about, in every language; held_out = {held_out}, split_seed = {split_seed}",
        clusters=joined_clusters(ids, [facts()[row].entities[0] for row in asked] * len(chosen)),
        cluster_unit="subject",
    )
