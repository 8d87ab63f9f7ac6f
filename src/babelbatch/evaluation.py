"""Encode once, rank once, and read all three settings off the ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from babelbatch import bias
from babelbatch.encoding import encode
from babelbatch.ranking import rank
from babelbatch.records import Benchmark
from babelbatch.scoring import Result, score

if TYPE_CHECKING:
    from babelbatch.encoder import Encoder


@dataclass(frozen=True)
class Evaluation:
    """How to evaluate. token_budget: tokens in one forward pass, padding included."""

    token_budget: int = 16_384

    def __call__(self, encoder: Encoder, benchmark: Benchmark) -> Result:
        """Encodes both sides of the benchmark and scores it. Leaves the encoder's training mode as it was."""
        queries = encode(encoder, benchmark.query_texts, "question", self.token_budget)
        candidates = encode(encoder, benchmark.candidate_texts, "passage", self.token_budget)
        return score(benchmark, *rank(benchmark, queries, candidates, k=bias.TOP))
