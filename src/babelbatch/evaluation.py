"""Encode once, rank once, and read all three settings off the ranks (LAReQA and arXiv 2408.10536, section 3.2).

monolingual: the questions of language l over the candidates of l. crosslingual: over those of another language m, for
every ordered pair. multilingual: over the pool of all languages. A cell scores only questions with a relevant candidate
in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch

from babelbatch.cache_folder import cache_folder
from babelbatch.collectives import rank, total_on_cpu, world_size
from babelbatch.metrics import NAMES, POOL_NAMES, of_queries, rank_distance
from babelbatch.progress import bar
from babelbatch.ranking import Ranks, rank_relevant
from babelbatch.records import Benchmark
from babelbatch.tokens import tokenise

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder
    from babelbatch.encoder.model import Role


@dataclass(frozen=True, slots=True)
class Result:
    """The scores of one encoder on one benchmark.

    metrics: flat, `<benchmark>/<setting>/<metric>` (macro), `.../<question language>`, and for the cells of the
        crosslingual setting `.../<question language>-<candidate language>`.
    matrices: metric -> (L, L), question language by candidate language; NaN where no question can be scored.
    languages: the names of the rows and columns.
    per_query: one row for each question and cell or pool that scores it.
    """

    benchmark: str
    languages: tuple[str, ...]
    metrics: dict[str, float]
    matrices: dict[str, np.ndarray]
    per_query: pa.Table


@dataclass(frozen=True)
class Evaluation:
    """How to evaluate. token_budget: tokens in one forward pass, padding included."""

    token_budget: int = 16_384

    def __call__(self, encoder: Encoder, benchmark: Benchmark) -> Result:
        """Encodes both sides of the benchmark and scores it. Leaves the encoder's training mode as it was."""
        queries = encode(encoder, benchmark.query_texts, "question", self.token_budget)
        candidates = encode(encoder, benchmark.candidate_texts, "passage", self.token_budget)
        return score(benchmark, rank_relevant(benchmark, queries, candidates))


def encode(encoder: Encoder, texts: Sequence[str], role: Role, token_budget: int) -> np.ndarray:
    """(T, d) float32 vectors of T texts, in batches of texts of like length.

    What is distinct to the encoder is encoded once: texts that its tokenizer cannot tell apart (a sentence in a script
    it does not know may be all unknown tokens) get one vector, and so the same score exactly.
    Several ranks share the work; each gets all vectors.
    Raises ValueError if a vector is not finite.
    """
    settings = encoder.settings
    tokens, rows = tokenise(
        texts,
        encoder.tokenizer,
        prefix=settings.prefix(role),
        max_length=settings.max_length(role),
        description=f"tokenising {role}s",
        cache=cache_folder("tokens"),
    ).distinct()
    device = next(encoder.parameters()).device
    lengths = tokens.lengths
    vectors = np.zeros((len(lengths), encoder.dimensions), np.float32)
    batches = list(length_sorted_batches(lengths, token_budget))[rank() :: world_size()]
    training = encoder.training
    encoder.eval()
    total = sum(int(lengths[batch].sum()) for batch in batches)
    try:
        with torch.inference_mode(), bar(f"encoding {len(vectors):,} {role}s", total, worth_it=total > 10_000) as done:
            for batch in batches:
                texts_of_batch = tokens.padded(batch).to(device)
                vectors[batch] = encoder(texts_of_batch, role).float().cpu().numpy()
                done.advance(int(lengths[batch].sum()))
    finally:
        encoder.train(training)
    total_on_cpu(torch.from_numpy(vectors))  # what a rank did not encode is zero
    if not np.isfinite(vectors).all():
        raise ValueError("the encoder gives vectors that are not finite: its weights are damaged, or training diverged")
    return vectors[rows]


def length_sorted_batches(lengths: np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Splits rows into batches of like length, longest first, each at most `token_budget` tokens when padded (and at
    least one row)."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = max(1, token_budget // int(lengths[order[start]]))
        yield order[start : start + rows]
        start += rows


def score(benchmark: Benchmark, ranks: Ranks) -> Result:
    """All metrics of the three settings from the ranks of the relevant candidates."""
    offsets = benchmark.relevant_offsets
    query_of_pair = np.repeat(np.arange(len(benchmark.query_ids)), np.diff(offsets))
    question_language = benchmark.query_languages[query_of_pair]
    candidate_language = benchmark.candidate_languages[benchmark.relevant]
    names = benchmark.languages
    size = len(names)
    matrices = {metric: np.full((size, size), np.nan) for metric in NAMES}
    tables: list[pa.Table] = []
    for row in range(size):
        for column in range(size):
            pairs = np.flatnonzero((question_language == row) & (candidate_language == column))
            if len(pairs) == 0:
                continue
            queries, starts = np.unique(query_of_pair[pairs], return_index=True)
            values = of_queries(ranks.within_language[pairs], np.append(starts, len(pairs)))
            for metric, per_query in values.items():
                matrices[metric][row, column] = per_query.mean()
            setting = "monolingual" if row == column else "crosslingual"
            tables.append(_rows(benchmark, setting, queries, names[column], values))

    pool = of_queries(ranks.in_pool, offsets)
    pool["rank_distance"] = rank_distance(ranks.in_pool, offsets)
    pool["rank_distance_normalised"] = pool["rank_distance"] / max(1, len(benchmark.candidate_ids) - 1)
    tables.append(_rows(benchmark, "multilingual", np.arange(len(benchmark.query_ids)), None, pool))
    return Result(
        benchmark=benchmark.name,
        languages=names,
        metrics=_cell_metrics(benchmark, matrices) | _pool_metrics(benchmark, pool),
        matrices=matrices,
        per_query=pa.concat_tables(tables).combine_chunks(),
    )


def _cell_metrics(benchmark: Benchmark, matrices: dict[str, np.ndarray]) -> dict[str, float]:
    """The monolingual and crosslingual keys: the diagonal, the rest, their means by question language and overall."""
    found: dict[str, float] = {}
    names = benchmark.languages
    for metric, matrix in matrices.items():
        for setting in ("monolingual", "crosslingual"):
            diagonal = np.eye(len(names), dtype=bool)
            scored = ~np.isnan(matrix) & (diagonal if setting == "monolingual" else ~diagonal)
            if not scored.any():
                continue
            key = f"{benchmark.name}/{setting}/{metric}"
            found[key] = float(matrix[scored].mean())
            for row, name in enumerate(names):
                if scored[row].any():
                    found[f"{key}/{name}"] = float(matrix[row, scored[row]].mean())
                if setting == "crosslingual":
                    for column in np.flatnonzero(scored[row]):
                        found[f"{key}/{name}-{names[column]}"] = float(matrix[row, column])
    return found


def _pool_metrics(benchmark: Benchmark, pool: dict[str, np.ndarray]) -> dict[str, float]:
    """The multilingual keys: the mean over each question language, and the mean of those."""
    found: dict[str, float] = {}
    for metric in (*NAMES, *POOL_NAMES):
        key = f"{benchmark.name}/multilingual/{metric}"
        by_language = {
            name: float(pool[metric][benchmark.query_languages == row].mean())
            for row, name in enumerate(benchmark.languages)
            if (benchmark.query_languages == row).any()
        }
        found[key] = float(np.mean(list(by_language.values())))
        found |= {f"{key}/{name}": value for name, value in by_language.items()}
    return found


def _rows(
    benchmark: Benchmark,
    setting: str,
    queries: np.ndarray,
    candidate_language: str | None,
    values: dict[str, np.ndarray],
) -> pa.Table:
    """Rows of `per_query`; the pool has no candidate language, the cells no rank distance."""
    count = len(queries)
    languages = np.array(benchmark.languages)
    columns: dict[str, pa.Array] = {
        "benchmark": pa.array([benchmark.name] * count),
        "setting": pa.array([setting] * count),
        "query_id": pa.array([benchmark.query_ids[query] for query in queries]),
        "query_language": pa.array(languages[benchmark.query_languages[queries]].tolist()),
        "candidate_language": pa.array([candidate_language] * count, pa.string()),
    }
    for metric in (*NAMES, *POOL_NAMES):
        columns[metric] = pa.array(values[metric]) if metric in values else pa.nulls(count, pa.float64())
    return pa.table(columns)
