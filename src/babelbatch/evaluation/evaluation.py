"""Encode once, rank once (or search), and read all three settings off the ranks."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from babelbatch.distributed.collectives import rank as rank_of_process
from babelbatch.evaluation import bias
from babelbatch.evaluation.cell_ranking import rank_cells
from babelbatch.evaluation.custom import Metric, check_names
from babelbatch.evaluation.debias import Method, debiased
from babelbatch.evaluation.encoding import encode
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scorer import Matrix
from babelbatch.evaluation.scoring import Result, score, score_searched
from babelbatch.evaluation.trec import write_trec
from babelbatch.lexical import Lexical
from babelbatch.records import Benchmark
from babelbatch.search.vectors import VectorWriter
from babelbatch.storage import cache_folder

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder
    from babelbatch.search.index import HNSW, IVF, Exact

_SHARD_TEXTS = 65_536  # encoded, and written to disk, at once


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
    index: search for the first hundred candidates with it, their vectors in mapped files, instead of ranking all: for
        large pools. Then there are the metrics that the first hundred define, see `scoring.score_searched`, and neither
        `debias` nor `trec_files`. None ranks all.
    metrics: metrics of your own by name, see `custom.Metric`; they are scored beside the others, under their names.
    """

    token_budget: int = 16_384
    vector_cache: bool = False
    sample_queries: int | None = None
    debias: Method = "none"
    components: int = 1
    trec_files: bool = False
    trec_depth: int = 1_000
    index: Exact | IVF | HNSW | None = None
    metrics: Mapping[str, Metric] | None = None

    def __post_init__(self) -> None:
        if self.index is not None and (self.debias != "none" or self.trec_files):
            raise ValueError(
                "a search has neither debias nor trec_files, which need all candidates: leave them out, or index=None"
            )
        check_names(self.metrics or {}, searched=self.index is not None)

    def __call__(self, encoder: Encoder | Lexical, benchmark: Benchmark, folder: Path | None = None) -> Result:
        """Encodes both sides of the benchmark and scores it, all questions. Leaves the encoder's training mode as it
        was. folder: where TREC files go; without one there are none.

        ValueError: a lexical encoder is to be searched with an index, or its vectors are to be debiased.
        """
        cache = cache_folder("vectors") if self.vector_cache else None
        if self.index is not None:
            if isinstance(encoder, Lexical):
                raise ValueError("an index searches dense vectors, which a lexical encoder has none of: leave it out")
            return self._by_search(encoder, benchmark, self.index, cache)
        queries, candidates = self._vectors(encoder, benchmark, cache)
        if self.trec_files and folder is not None and rank_of_process() == 0:
            write_trec(folder / "trec", benchmark, queries, candidates, self.trec_depth)
        return self._scored(benchmark, queries, candidates)

    def during_training(self, encoder: Encoder, benchmark: Benchmark) -> Result:
        """The same on a sample of the questions, if one is asked for. Nothing is kept: these weights will not be met
        again."""
        if self.sample_queries is not None:
            benchmark = sample_queries(benchmark, self.sample_queries)
        if self.index is not None:
            return self._by_search(encoder, benchmark, self.index, None)
        queries, candidates = self._vectors(encoder, benchmark, None)
        return self._scored(benchmark, queries, candidates)

    def _by_search(
        self, encoder: Encoder, benchmark: Benchmark, index: Exact | IVF | HNSW, cache: Path | None
    ) -> Result:
        """The candidates' vectors are in the folder `pools` of the cache until they have been searched. Every process
        has its own, as machines need not share a disk."""
        from babelbatch.evaluation.search_ranking import search_ranks, storage_order  # brings faiss

        queries = encode(encoder, benchmark.query_texts, "query", self.token_budget, cache)
        order = storage_order(benchmark)
        place = cache_folder("pools")
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=f"{benchmark.name}-") as folder:
            writer = VectorWriter(Path(folder), encoder.dimensions, benchmark.name, _SHARD_TEXTS)
            for start in range(0, len(order), _SHARD_TEXTS):
                texts = [benchmark.candidate_texts[row] for row in order[start : start + _SHARD_TEXTS]]
                writer.append(encode(encoder, texts, "passage", self.token_budget, cache))
            found = search_ranks(benchmark, queries, writer.close(), index, bias.TOP, torch.get_num_threads())
        facts: dict[str, object] = {f"search/{benchmark.name}": type(index).__name__}
        facts |= {f"search_recall/{benchmark.name}/{pool}": recall for pool, recall in found.recall.items()}
        return score_searched(benchmark, found.ranks, found.top, facts, self.metrics)

    def _vectors(self, encoder: Encoder | Lexical, benchmark: Benchmark, cache: Path | None) -> tuple[Matrix, Matrix]:
        if isinstance(encoder, Lexical):
            if self.debias != "none":
                raise ValueError("debias works on dense vectors, which a lexical encoder has none of: set debias=none")
            return encoder.vectors(benchmark)
        queries = encode(encoder, benchmark.query_texts, "query", self.token_budget, cache)
        candidates = encode(encoder, benchmark.candidate_texts, "passage", self.token_budget, cache)
        return debiased(
            self.debias,
            queries,
            benchmark.query_languages,
            candidates,
            benchmark.candidate_languages,
            self.components,
        )

    def _scored(self, benchmark: Benchmark, queries: Matrix, candidates: Matrix) -> Result:
        if not benchmark.pooled:
            return score(benchmark, rank_cells(benchmark, queries, candidates), custom=self.metrics)
        return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP), self.metrics)
