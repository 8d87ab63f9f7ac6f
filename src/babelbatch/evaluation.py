"""Encode once, rank once, and read all three settings off the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from babelbatch import bias
from babelbatch.cache_folder import cache_folder
from babelbatch.collectives import rank as rank_of_process
from babelbatch.debias import Method, debiased
from babelbatch.encoding import encode
from babelbatch.query_sample import sample_questions
from babelbatch.ranking import rank
from babelbatch.records import Benchmark
from babelbatch.scoring import Result, score
from babelbatch.trec import write_trec

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder


@dataclass(frozen=True)
class Evaluation:
    """How to evaluate.

    token_budget: tokens in one forward pass, padding included.
    vector_cache: keep the vectors of the final evaluation in the cache folder (`vectors`), and read them from there
        when the same weights meet the same texts again.
    sample_queries: questions a benchmark (each in all its languages) for evaluations during training; None means all.
        The final evaluation has all questions whatever this says.
    debias: remove each language's mean from the vectors (`centre`), or its leading principal components (`lir`), see
        `debias.py`. components: how many of them, for `lir`.
    trec_files: write the final rankings and judgements in TREC format. trec_depth: candidates a question in them.
    """

    token_budget: int = 16_384
    vector_cache: bool = False
    sample_queries: int | None = None
    debias: Method = "none"
    components: int = 1
    trec_files: bool = False
    trec_depth: int = 1_000

    def __call__(self, encoder: Encoder, benchmark: Benchmark, folder: Path | None = None) -> Result:
        """Encodes both sides of the benchmark and scores it, all questions. Leaves the encoder's training mode as it
        was. folder: where TREC files go; without one there are none."""
        queries, candidates = self._vectors(encoder, benchmark, cache_folder("vectors") if self.vector_cache else None)
        if self.trec_files and folder is not None and rank_of_process() == 0:
            write_trec(folder / "trec", benchmark, queries, candidates, self.trec_depth)
        return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP))

    def during_training(self, encoder: Encoder, benchmark: Benchmark) -> Result:
        """The same on a sample of the questions, if one is asked for. Nothing is kept: these weights will not be met
        again."""
        if self.sample_queries is not None:
            benchmark = sample_questions(benchmark, self.sample_queries)
        queries, candidates = self._vectors(encoder, benchmark, None)
        return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP))

    def _vectors(self, encoder: Encoder, benchmark: Benchmark, cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
        queries = encode(encoder, benchmark.query_texts, "question", self.token_budget, cache)
        candidates = encode(encoder, benchmark.candidate_texts, "passage", self.token_budget, cache)
        return debiased(
            self.debias,
            queries,
            benchmark.query_languages,
            candidates,
            benchmark.candidate_languages,
            self.components,
        )
