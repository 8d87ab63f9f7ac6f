"""Scores any encoder, or vectors, on a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from numpy.typing import NDArray

from babelbatch.commands.data import build_benchmarks
from babelbatch.configuration.schema import ConfigError, register
from babelbatch.configuration.shipped import CONF
from babelbatch.encoder import Encoder
from babelbatch.evaluation.evaluation import Evaluation
from babelbatch.evaluation.scoring import Result
from babelbatch.jobs.plan import check_jobs
from babelbatch.lexical import BM25, CharNgrams
from babelbatch.progress import silent, waiting
from babelbatch.python.loading import TextEncoder
from babelbatch.records import Benchmark

Array = NDArray[np.float32]


class Vectors(NamedTuple):
    """(Q, d) vectors of a benchmark's queries, in the order of `query_texts`, and (C, d) of its candidates, in the
    order of `candidate_texts`. Scores are their dot products: scale them to unit length for the cosine."""

    queries: Array
    candidates: Array


@runtime_checkable
class EncodesTexts(Protocol):
    """An encoder of your own: each method returns a matrix with a row for each text."""

    def encode_queries(self, texts: list[str], /) -> Any: ...

    def encode_passages(self, texts: list[str], /) -> Any: ...


@runtime_checkable
class SentenceEncoder(Protocol):
    """What `sentence_transformers.SentenceTransformer` has, from version 5 on."""

    def encode_query(self, texts: list[str], /, *, show_progress_bar: bool) -> Any: ...

    def encode_document(self, texts: list[str], /, *, show_progress_bar: bool) -> Any: ...


Evaluated = TextEncoder | Encoder | BM25 | CharNgrams | EncodesTexts | SentenceEncoder | Vectors | tuple[Array, Array]


def evaluate(
    encoder: Evaluated, benchmark: Benchmark | str, evaluation: Evaluation | None = None, *, progress: bool = True
) -> Result:
    """The metrics of an encoder or of vectors on a benchmark, by the protocol of babelbatch-evaluate: `metrics` is flat
    as metrics.json, `per_query` an Arrow table with a row for each query in each cell and pool, `matrices` (L, L).

    encoder: of babelbatch, of sentence-transformers, an object with `encode_queries` and `encode_passages`, or a pair
        of matrices (see `Vectors`). benchmark: a record, or the name of an option of `benchmarks=`, such as `xquad_r`.
    evaluation: how to evaluate; None: the defaults of `Evaluation`. progress: whether to show bars.
    Raises ValueError for vectors that do not fit the benchmark, and for an unknown benchmark.
    """
    evaluation = evaluation or Evaluation()
    with nullcontext() if progress else silent():
        benchmark = named_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
        if isinstance(encoder, TextEncoder):
            encoder = encoder.encoder
        if isinstance(encoder, Encoder | BM25 | CharNgrams):
            return evaluation(encoder, benchmark)
        if evaluation.index is not None:
            raise ValueError("evaluation: an index searches what babelbatch encodes itself; set index=None")
        vectors = encoder if isinstance(encoder, tuple) else _encoded(encoder, benchmark, progress)
        queries, candidates = _checked(vectors, benchmark)
        return evaluation.of_vectors(queries, candidates, benchmark)


def named_benchmark(name: str) -> Benchmark:
    """The benchmark that `benchmarks=<name>` reads. For other settings of one, call its `load_benchmark`.

    Raises ValueError for an unknown name, and as its loader does.
    """
    register()
    overrides = [f"benchmarks=[{name}]", "encoder=bm25"]  # any encoder will do
    try:
        check_jobs("evaluate", overrides, multirun=False)
    except ConfigError as error:
        raise ValueError("\n".join(error.problems)) from None
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("evaluate", overrides)
    try:
        (benchmark,) = build_benchmarks(cfg.benchmarks).values()
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            raise ValueError(str(error.__cause__)) from error
        raise
    return benchmark


def _encoded(encoder: EncodesTexts | SentenceEncoder, benchmark: Benchmark, progress: bool) -> Vectors:
    """The vectors of another encoder, which gets each distinct text once."""
    if isinstance(encoder, EncodesTexts):
        of_queries, of_passages = encoder.encode_queries, encoder.encode_passages
    elif isinstance(encoder, SentenceEncoder):
        of_queries = partial(encoder.encode_query, show_progress_bar=progress)
        of_passages = partial(encoder.encode_document, show_progress_bar=progress)
    else:
        raise ValueError(
            f"encoder: a {type(encoder).__name__} has neither encode_queries and encode_passages nor, as "
            "sentence-transformers 5 or later, encode_query and encode_document; add them, or give a pair of matrices"
        )
    return Vectors(
        _of_distinct(of_queries, benchmark.query_texts, "queries"),
        _of_distinct(of_passages, benchmark.candidate_texts, "passages"),
    )


def _of_distinct(encode: Callable[[list[str]], Any], texts: Sequence[str], name: str) -> Any:
    """(T, d) vectors of T texts, of which each distinct one is encoded once, so that equal texts tie exactly."""
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    with waiting(f"encoding {len(row_of):,} {name}"):
        vectors = _matrix(encode(list(row_of)), name, len(row_of))
    return vectors[[row_of[text] for text in texts]]


def _checked(vectors: Vectors | tuple[Array, Array], benchmark: Benchmark) -> Vectors:
    """Float32 matrices that fit the benchmark. Raises ValueError for anything else."""
    if len(vectors) != 2:
        raise ValueError(f"encoder: a tuple of {len(vectors)}; give a pair, the vectors of queries and of candidates")
    queries = _matrix(vectors[0], "queries", len(benchmark.query_ids))
    candidates = _matrix(vectors[1], "candidates", len(benchmark.candidate_ids))
    if queries.shape[1] != candidates.shape[1]:
        raise ValueError(
            f"vectors: queries have {queries.shape[1]} dimensions, candidates {candidates.shape[1]}; encode both with "
            "one encoder"
        )
    return Vectors(queries, candidates)


def _matrix(vectors: Any, name: str, rows: int) -> Array:
    """A contiguous float32 matrix with `rows` rows. Raises ValueError for anything else, and if it is not finite."""
    try:
        matrix = np.ascontiguousarray(vectors, np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"vectors: those of the {name} are no matrix of numbers ({reason}); give numpy arrays"
        ) from error
    if matrix.ndim != 2 or len(matrix) != rows:
        raise ValueError(
            f"vectors: those of the {name} have the shape {matrix.shape}; give a matrix of {rows:,} rows, one for each "
            f"of the {name}, in their order"
        )
    if not np.isfinite(matrix).all():
        raise ValueError(f"vectors: those of the {name} are not finite; encode them again")
    return matrix
