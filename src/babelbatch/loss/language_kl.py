"""Contrastive loss, and a penalty on score distributions that change with the language.

As PLAID-X (hltcoe/ColBERT-X) regularises its multilingual training, with in-batch candidates in the place of its mined
ones; over the versions of questions, a symmetric form of LaKDA (Yang, Jiang and Baldwin, MRL 2024, arXiv 2509.06195).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from babelbatch.distributed.collectives import gather_rows
from babelbatch.loss.blocks import in_blocks
from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Counterparts, Encoded, Loss, averaged
from babelbatch.loss.positions import positions, same_passage
from babelbatch.records import Needs

_MASKED = -1e9  # far below any score, and finite: the difference of two masked scores is a number


class LanguageKL(Contrastive):
    """contrastive + weight * divergence.

    The divergence is the mean, over the questions concerned, of (KL(p, q) + KL(q, p)) / 2, where p and q are softmax
    distributions over the candidates of the global batch. Candidates that share the positive's passage key are left out
    of both, as they are left out of the contrastive loss.

    sides: `questions`: p is of the question as planned, q of its version in another language. `passages`: p is over
        the candidates as planned, q over them with each positive in another language, for the questions whose own
        positive has one. `both`: the mean of the two.
    kl_temperature: divides the cosines of p and q; None: the contrastive loss's, as a constant.
    The others: see `Contrastive`.
    """

    parts = ("contrastive", "language_kl")

    def __init__(
        self,
        weight: float = 1.0,
        sides: Literal["queries", "passages", "both"] = "queries",
        kl_temperature: float | None = None,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric)
        self.weight = weight
        self.kl_temperature = kl_temperature
        self.needs = Needs(queries=sides != "passages", passages=sides != "queries")

    def forward(self, encoded: Encoded, progress: float = 0.0) -> Loss:
        loss = super().forward(encoded, progress)
        temperature = self.temperature.detach() if self.kl_temperature is None else self.kl_temperature
        found = []
        for name, others in (("queries", encoded.other_queries), ("passages", encoded.other_passages)):
            if others is not None:
                found.append(language_divergence(encoded, others, name, temperature, mask=self.mask_same_passage))
        divergence = averaged(found, loss.value)
        value = loss.value + self.weight * divergence
        return Loss(value, loss.masked, {"contrastive": loss.value, "language_kl": divergence})


def language_divergence(
    encoded: Encoded,
    others: Counterparts,
    side: Literal["queries", "passages"],
    temperature: Tensor | float,
    *,
    mask: bool = True,
) -> Tensor:
    """The divergence that `LanguageKL` describes; of several ranks, this one's part of the sum.

    others: of the side, its versions in another language. mask: use the passage keys.
    """
    query_counts = encoded.query_counts or (len(encoded.queries),)
    candidate_counts = encoded.candidate_counts or (len(encoded.candidates),)
    device, pairs = encoded.queries.device, others.pairs
    mine, positives = positions(query_counts, candidate_counts, device)
    with torch.autocast(device.type, enabled=False):
        queries, candidates, versions = (
            vectors.float() for vectors in (encoded.queries, encoded.candidates, others.vectors)
        )
        rows = other_rows = queries[pairs]
        columns = other_columns = gather_rows(candidates, candidate_counts)
        if side == "queries":
            other_rows = versions
        else:
            other_columns = gather_rows(candidates.index_copy(0, pairs, versions), candidate_counts)
        keys = encoded.candidate_keys if mask else None
        row_keys = None if keys is None or encoded.positive_keys is None else encoded.positive_keys[mine][pairs]

        def of_block(
            rows: Tensor, other_rows: Tensor, labels: Tensor, row_keys: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            scores, other_scores = rows @ columns.T, other_rows @ other_columns.T
            if row_keys is not None and keys is not None:
                same = same_passage(row_keys, keys, labels)
                scores, other_scores = scores.masked_fill(same, _MASKED), other_scores.masked_fill(same, _MASKED)
            p, q = scores.log_softmax(dim=1), other_scores.log_softmax(dim=1)
            divergences = ((p.exp() - q.exp()) * (p - q)).sum(dim=1) / 2
            return divergences.sum(), divergences.detach()

        value, _ = in_blocks(
            of_block, (rows / temperature, other_rows / temperature, positives[pairs], row_keys), len(columns)
        )
    return value / others.total
