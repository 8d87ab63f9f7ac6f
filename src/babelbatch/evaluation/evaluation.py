"""Evaluates an encoder on a benchmark: encodes once, ranks once (or searches), and scores all settings."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from babelbatch.distributed.collectives import errors_on_every_rank, max_over_ranks
from babelbatch.distributed.collectives import rank as rank_of_process
from babelbatch.evaluation import bias
from babelbatch.evaluation.cell_ranking import rank_cells
from babelbatch.evaluation.custom import Metric, check_metrics
from babelbatch.evaluation.debias import Method, debiased
from babelbatch.evaluation.dimensions import at_dimensions
from babelbatch.evaluation.encoding import MatmulPrecision, Task, encode
from babelbatch.evaluation.query_sample import sample_queries
from babelbatch.evaluation.ranking import rank
from babelbatch.evaluation.scorer import Matrix
from babelbatch.evaluation.scoring import Result, score, score_searched
from babelbatch.evaluation.text_sets import candidates_of, folders_in, queries_of, stored_vectors
from babelbatch.evaluation.trec import check_trec, write_trec
from babelbatch.lexical import Lexical
from babelbatch.progress import bar
from babelbatch.records import Benchmark
from babelbatch.search.sharded_vectors import Reordered, ShardedVectors
from babelbatch.search.vectors import Vectors, VectorWriter
from babelbatch.storage import cache_folder

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder, Role
    from babelbatch.search.index import HNSW, IVF, Exact

_SHARD_TEXTS = 65_536  # encoded, and written to disk, at once


@dataclass(frozen=True)
class Evaluation:
    """How to evaluate.

    token_budget: tokens in one forward pass, padding included. None means 1,024 on a CPU, else 16,384.
    precision: bfloat16 computes the encoder's matrix products in bfloat16, which is faster on GPUs and CPUs with such
        instructions. Scores change in the fourth digit, so compare only runs of one precision.
    vector_cache: store the vectors of the final evaluation in the cache folder (`vectors`), and read them from there
        when the same weights encode the same texts again.
    sample_queries: number of query ids per benchmark (each in all its languages) for evaluations during training; None
        means all. The final evaluation always uses all queries.
    debias: remove each language's mean from the vectors (`centre`), or its leading principal components (`lir`), see
        `debias.py`. components: how many of them, for `lir`.
    trec_files: write the final rankings and judgements in TREC format. trec_depth: candidates per query in them.
    index: for large pools, search for the first hundred candidates with this index, over vectors on disk, instead of
        ranking all candidates. It gives the metrics that the first hundred define, see `scoring.score_searched`, and
        excludes `debias` and `trec_files`. None ranks all.
    metrics: custom metrics by name, see `custom.Metric`; they are scored beside the others, under their names.
    vectors: a folder, or several, in which babelbatch-encode wrote the vectors of the candidates (and perhaps of the
        queries) with the same encoder; they are read instead of computed. None computes them.
    dimensions: sizes of vectors, such as [256, 128, 64], to score beside the whole ones in the final evaluation, see
        `dimensions.py`. Texts are encoded once. It excludes `index`.
    """

    token_budget: int | None = None
    precision: MatmulPrecision = "float32"
    vector_cache: bool = False
    sample_queries: int | None = None
    debias: Method = "none"
    components: int = 1
    trec_files: bool = False
    trec_depth: int = 1_000
    index: Exact | IVF | HNSW | None = None
    metrics: Mapping[str, Metric] | None = None
    dimensions: Sequence[int] | None = None
    vectors: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.index is not None and (self.debias != "none" or self.trec_files):
            raise ValueError(
                "a search has neither debias nor trec_files, which need all candidates: leave them out, or index=None"
            )
        if self.index is not None and self.dimensions:
            raise ValueError("a search has no dimensions, since its index is of whole vectors: leave out one of them")
        check_metrics(self.metrics or {}, searched=self.index is not None)

    def __call__(self, encoder: Encoder | Lexical, benchmark: Benchmark, folder: Path | None = None) -> Result:
        """Encodes queries and candidates of the benchmark and scores all queries. Keeps the encoder's training mode.

        folder: for TREC files; None writes none. Raises ValueError for a lexical encoder with an index or debias, and
        for vectors that are not finite.
        """
        if self.dimensions and isinstance(encoder, Lexical):
            raise ValueError("dimensions cut dense vectors, and a lexical encoder has none: leave them out")
        if folder is not None:
            self.check(benchmark)
        cache = cache_folder("vectors") if self.vector_cache else None
        if self.index is not None:
            if isinstance(encoder, Lexical):
                raise ValueError("an index searches dense vectors, and a lexical encoder has none: leave it out")
            return self._by_search(encoder, benchmark, self.index, cache)
        whole = self._vectors(encoder, benchmark, cache)
        divided = not isinstance(encoder, Lexical)  # all processes are here, because they have encoded together
        result = self._scored(*whole, benchmark, folder, divided=divided)
        if not self.dimensions or isinstance(encoder, Lexical):
            return result
        scores = at_dimensions(
            self.dimensions,
            *whole,
            whole=result.metrics,
            scored=lambda queries, candidates: self._scored(queries, candidates, benchmark, divided=divided).metrics,
            normalise=encoder.settings.normalise,
        )
        return replace(result, facts={**result.facts, **scores})

    def check(self, benchmark: Benchmark) -> None:
        """Raises ValueError, before anything is computed, for a benchmark that `trec_files` cannot hold."""
        if self.trec_files:
            check_trec(benchmark)

    def of_vectors(
        self, queries: Matrix, candidates: Matrix, benchmark: Benchmark, folder: Path | None = None
    ) -> Result:
        """Scores vectors that are there already: of the queries and of the candidates of the benchmark, in its order.

        Each process does all of it by itself. folder: for TREC files; None writes none. Raises ValueError for `debias`
        of sparse vectors. `index` is not used.
        """
        return self._scored(queries, candidates, benchmark, folder, divided=False)

    def _scored(
        self, queries: Matrix, candidates: Matrix, benchmark: Benchmark, folder: Path | None = None, *, divided: bool
    ) -> Result:
        if self.debias != "none":
            if not (isinstance(queries, np.ndarray) and isinstance(candidates, np.ndarray)):
                raise ValueError("debias works on dense vectors, and a lexical encoder has none: set debias=none")
            languages = benchmark.query_languages, benchmark.candidate_languages
            queries, candidates = debiased(
                self.debias, queries, languages[0], candidates, languages[1], self.components
            )
        if self.trec_files and folder is not None and rank_of_process() == 0:
            write_trec(folder / "trec", benchmark, queries, candidates, self.trec_depth)
        if not benchmark.pooled:
            return score(benchmark, rank_cells(benchmark, queries, candidates, divided=divided), custom=self.metrics)
        return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP, divided=divided), self.metrics)

    def during_training(self, encoder: Encoder, benchmark: Benchmark) -> Result:
        """The same on a sample of the queries, if `sample_queries` is set. Caches no vectors and writes no files."""
        if self.sample_queries is not None:
            benchmark = sample_queries(benchmark, self.sample_queries)
        if self.index is not None:
            return self._by_search(encoder, benchmark, self.index, None)
        return self._scored(*self._vectors(encoder, benchmark, None), benchmark, divided=True)

    def _by_search(
        self, encoder: Encoder, benchmark: Benchmark, index: Exact | IVF | HNSW, cache: Path | None
    ) -> Result:
        """Searches candidates whose vectors are on disk, in the folder `pools` of the cache, until it is done.

        Every process has a folder of its own, because machines need not share a disk.
        """
        from babelbatch.evaluation.search_ranking import search_ranks, storage_order  # imports faiss

        if benchmark.excluded is not None:
            raise ValueError(
                f"benchmarks.{benchmark.name}.exclude_same_id: a search does not leave out a query's own candidate; "
                "set evaluation=default"
            )
        order = storage_order(benchmark)
        if self.vectors:
            queries, candidates = self._stored(encoder, benchmark, cache)
            pool = Reordered(candidates, order)
            found = search_ranks(benchmark, queries, pool, index, bias.TOP, torch.get_num_threads())
        else:
            queries = self._queries(encoder, benchmark, cache)
            pools = cache_folder("pools")
            pools.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=pools, prefix=f"{benchmark.name}-") as folder:
                vectors = self._encode_to_disk(encoder, benchmark, order, Path(folder), cache)
                found = search_ranks(benchmark, queries, vectors, index, bias.TOP, torch.get_num_threads())
        facts: dict[str, object] = {f"search/{benchmark.name}": type(index).__name__}
        facts |= {f"search_recall/{benchmark.name}/{pool}": recall for pool, recall in found.recall.items()}
        return score_searched(benchmark, found.ranks, found.top, facts, self.metrics)

    def _encode_to_disk(
        self, encoder: Encoder, benchmark: Benchmark, order: NDArray[np.int64], folder: Path, cache: Path | None
    ) -> Vectors:
        """The vectors of the candidates in an order."""
        writer = VectorWriter(folder, encoder.dimensions, benchmark.name, _SHARD_TEXTS)
        with bar(f"encoding the pool of {benchmark.name}", len(order), unit="passages") as progress:
            for start in range(0, len(order), _SHARD_TEXTS):
                texts = [benchmark.candidate_texts[row] for row in order[start : start + _SHARD_TEXTS].tolist()]
                writer.append(self._encode(encoder, texts, "passage", cache))
                progress.advance(len(texts))
        return writer.close()

    def _stored(
        self, encoder: Encoder, benchmark: Benchmark, cache: Path | None
    ) -> tuple[NDArray[np.float32], ShardedVectors]:
        """The vectors that babelbatch-encode wrote: of the queries, encoded if it wrote none, and of the candidates."""
        sets = [queries_of(benchmark), candidates_of(benchmark)]
        with errors_on_every_rank():
            queries, candidates = stored_vectors(folders_in(self.vectors or []), sets, encoder)
        assert candidates is not None
        is_missing = bool(max_over_ranks(queries is None))  # a rank without them needs the others' help
        if is_missing or queries is None:
            return self._queries(encoder, benchmark, cache), candidates
        return queries.whole(), candidates

    def _vectors(self, encoder: Encoder | Lexical, benchmark: Benchmark, cache: Path | None) -> tuple[Matrix, Matrix]:
        if isinstance(encoder, Lexical):
            return encoder.vectors(benchmark)
        if self.vectors:
            queries, candidates = self._stored(encoder, benchmark, cache)
            return queries, candidates.whole()
        queries = self._queries(encoder, benchmark, cache)
        return queries, self._encode(encoder, benchmark.candidate_texts, "passage", cache)

    def _queries(self, encoder: Encoder, benchmark: Benchmark, cache: Path | None) -> NDArray[np.float32]:
        return self._encode(encoder, benchmark.query_texts, "query", cache, benchmark.query_tasks or benchmark.name)

    def _encode(
        self, encoder: Encoder, texts: Sequence[str], role: Role, cache: Path | None, task: Task = None
    ) -> NDArray[np.float32]:
        return encode(encoder, texts, role, self.token_budget, cache, self.precision, task)
