"""Contrastive loss, and a penalty on score distributions that change with the language.

PLAID-X (hltcoe/ColBERT-X) regularises its multilingual training in this way, over mined candidates; here they are the
in-batch candidates. Over the translations of queries it is a symmetric form of LaKDA (Yang, Jiang and Baldwin, MRL
2024, arXiv 2509.06195).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from babelbatch.distributed.collectives import gather_rows
from babelbatch.loss.blocks import in_blocks
from babelbatch.loss.contrastive import Contrastive
from babelbatch.loss.interface import Encoded, Loss, PairedVectors, Side, Sides, mean_of, translations_of
from babelbatch.loss.positions import positions, same_passage

_MASKED = -1e9  # far below any score, and finite: the difference of two masked scores is a number


class LanguageKL(Contrastive):
    """contrastive + weight * divergence.

    The divergence is the mean, over the queries concerned, of (KL(p, q) + KL(q, p)) / 2, where p and q are softmax
    distributions over the candidates of the global batch. Candidates that share the positive's passage key are masked
    in both, as they are in the contrastive loss.

    weight: of the divergence.
    sides: `queries`: p is of the query as planned, q of its translation. `passages`: p is over the candidates as
        planned, q over the candidates with each positive translated, for the queries whose own positive has a
        translation. `both`: the mean of the two.
    kl_temperature: divides the cosines of p and q; None: the contrastive loss's temperature, as a constant.
    Other arguments: see `Contrastive`.
    """

    parts = ("contrastive", "language_kl")

    def __init__(
        self,
        weight: float = 1.0,
        sides: Sides = "queries",
        kl_temperature: float | None = None,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
        matryoshka: Sequence[int] | None = None,
    ) -> None:
        super().__init__(temperature, learn_temperature, mask_same_passage, symmetric, matryoshka)
        self.weight = weight
        self.kl_temperature = kl_temperature
        self.requirements = translations_of(sides)

    def of_vectors(self, encoded: Encoded, progress: float) -> Loss:
        loss = super().of_vectors(encoded, progress)
        temperature = self.temperature.detach() if self.kl_temperature is None else self.kl_temperature
        terms = [
            language_divergence(encoded, translations, side, temperature, mask=self.mask_same_passage)
            for side, translations in encoded.translations
        ]
        divergence = mean_of(terms, like=loss.value)
        value = loss.value + self.weight * divergence
        return Loss(value, loss.masked, {"contrastive": loss.value, "language_kl": divergence})


def language_divergence(
    encoded: Encoded, translations: PairedVectors, side: Side, temperature: Tensor | float, *, mask: bool = True
) -> Tensor:
    """The divergence that `LanguageKL` defines; with several ranks, this rank's part of the mean.

    translations: of the texts of `side`. mask: use the passage keys.
    """
    query_counts = encoded.query_counts or (len(encoded.queries),)
    candidate_counts = encoded.candidate_counts or (len(encoded.candidates),)
    device, pairs = encoded.queries.device, translations.pairs
    mine, positives = positions(query_counts, candidate_counts, device)
    with torch.autocast(device.type, enabled=False):
        queries, candidates, translated = (
            vectors.float() for vectors in (encoded.queries, encoded.candidates, translations.vectors)
        )
        rows = translated_rows = queries[pairs]
        columns = translated_columns = gather_rows(candidates, candidate_counts)
        if side == "queries":
            translated_rows = translated
        else:
            translated_columns = gather_rows(candidates.index_copy(0, pairs, translated), candidate_counts)
        keys = encoded.candidate_keys if mask else None
        row_keys = None if keys is None or encoded.positive_keys is None else encoded.positive_keys[mine][pairs]

        def of_block(
            rows: Tensor, translated_rows: Tensor, labels: Tensor, row_keys: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            same = None if row_keys is None or keys is None else same_passage(row_keys, keys, labels)
            p = _log_softmax(rows @ columns.T, same)
            q = _log_softmax(translated_rows @ translated_columns.T, same)
            divergences = ((p.exp() - q.exp()) * (p - q)).sum(dim=1) / 2
            return divergences.sum(), divergences.detach()

        rows, translated_rows = rows / temperature, translated_rows / temperature
        value, _ = in_blocks(of_block, (rows, translated_rows, positives[pairs], row_keys), len(columns))
    return value / translations.total


def _log_softmax(scores: Tensor, masked: Tensor | None) -> Tensor:
    """(rows, columns) logarithms of probabilities over the columns, without the masked ones."""
    return (scores if masked is None else scores.masked_fill(masked, _MASKED)).log_softmax(dim=1)
