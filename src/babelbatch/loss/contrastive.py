"""The contrastive loss over in-batch negatives (arXiv 2408.10536, eq. 1, with a temperature)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from babelbatch.distributed.collectives import gather_rows
from babelbatch.loss.blocks import in_blocks
from babelbatch.loss.interface import Encoded, Loss, Objective
from babelbatch.loss.matryoshka import sorted_sizes, truncated
from babelbatch.loss.positions import positions, same_passage

_MIN_TEMPERATURE = 0.01  # of a learned temperature, as CLIP's logit scale stops at 100


def contrastive_loss(
    queries: Tensor,
    candidates: Tensor,
    temperature: Tensor | float,
    positive_keys: Tensor | None = None,
    candidate_keys: Tensor | None = None,
    *,
    symmetric: bool = False,
    query_counts: tuple[int, ...] | None = None,
    candidate_counts: tuple[int, ...] | None = None,
) -> Loss:
    """InfoNCE: the mean over i of -log(exp(s_ii) / sum_j exp(s_ij)), s_ij = queries[i] . candidates[j] / temperature.

    queries: (b, d). candidates: (c, d), c >= b: first the b positives in the order of the queries, then hard
        negatives.
    positive_keys, candidate_keys: (B,) and (C,) passage keys. A candidate with the key of the query's own positive
        answers the query too, perhaps in another language, so it is masked out of the denominator; the positive stays.
    symmetric: average with the same loss from the B positives to the B queries.
    query_counts, candidate_counts: sizes of each rank's share of the global batch. `queries` and `candidates` are then
        this rank's share, the keys those of the global batch in the order of the ranks, and each query is scored
        against the candidates of all ranks. Without them there is one rank, with b = B and c = C.
    """
    query_counts = query_counts or (len(queries),)
    candidate_counts = candidate_counts or (len(candidates),)
    device = queries.device
    mine, positives = positions(query_counts, candidate_counts, device)
    assert len(candidates) >= len(queries), "the first candidates are the positives"
    with torch.autocast(device.type, enabled=False):  # which would round the scores to half precision
        queries, candidates = queries.float(), candidates.float()
        keys = None if positive_keys is None or candidate_keys is None else (positive_keys[mine], candidate_keys)
        value, masked = _summed(
            queries / temperature, gather_rows(candidates, candidate_counts), labels=positives, keys=keys
        )
        if symmetric:
            back = candidates[: len(queries)]
            keys = None if positive_keys is None else (positive_keys[mine], positive_keys)
            labels = torch.arange(mine.start, mine.stop, device=device)
            value = (value + _summed(back / temperature, gather_rows(queries, query_counts), labels, keys)[0]) / 2
    return Loss(value / sum(query_counts), masked)


def _summed(rows: Tensor, columns: Tensor, labels: Tensor, keys: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The negative log likelihoods of `labels`, summed over rows, and (rows,) the number of masked columns."""

    def of_block(rows: Tensor, labels: Tensor, row_keys: Tensor | None) -> tuple[Tensor, Tensor]:
        scores = rows @ columns.T
        masked = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        if row_keys is not None and keys is not None:
            same = same_passage(row_keys, keys[1], labels)
            scores = scores.masked_fill(same, -torch.inf)
            masked = same.sum(dim=1)
        return cross_entropy(scores, labels, reduction="sum"), masked

    return in_blocks(of_block, (rows, labels, None if keys is None else keys[0]), len(columns))


class Contrastive(Objective):
    """Settings of `contrastive_loss`.

    temperature: divides the cosine. learn_temperature: train its logarithm with the encoder, starting there and never
        below 0.01.
    mask_same_passage: use the passage keys. symmetric: average with the same loss from positives to queries.
    matryoshka: sizes of vectors, such as [384, 256, 128, 64], the whole one among them. The objective is then summed
        over vectors cut to their first components and scaled to unit length, so that cut vectors retrieve well, too.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
        matryoshka: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"loss.temperature must be above 0, not {temperature}")
        if learn_temperature and temperature < _MIN_TEMPERATURE:
            raise ValueError(
                f"loss.temperature: a learned one starts at {_MIN_TEMPERATURE} or above, not at {temperature}"
            )
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=learn_temperature)
        self.mask_same_passage = mask_same_passage
        self.symmetric = symmetric
        self.matryoshka = sorted_sizes(matryoshka) if matryoshka is not None else ()
        if self.matryoshka:
            self.parts = (*(self.parts or ("contrastive",)), *map(_part_name, self.matryoshka[1:]))

    @property
    def temperature(self) -> Tensor:
        learnable = self.log_temperature.requires_grad
        return (self.log_temperature.clamp(min=math.log(_MIN_TEMPERATURE)) if learnable else self.log_temperature).exp()

    def forward(self, encoded: Encoded, progress: float = 0.0) -> Loss:
        if self.log_temperature.requires_grad:
            with torch.no_grad():  # in place as well: below the floor a clamp has no gradient, and no way back
                self.log_temperature.clamp_(min=math.log(_MIN_TEMPERATURE))
        loss = self.of_vectors(encoded, progress)
        if not self.matryoshka:
            return loss
        assert encoded.queries.shape[1] == self.matryoshka[0], "the largest size is that of the vectors"
        cut = {_part_name(size): self.of_vectors(truncated(encoded, size), progress) for size in self.matryoshka[1:]}
        values = {name: of_size.value for name, of_size in cut.items()}
        whole = loss.parts or {"contrastive": loss.value}
        return Loss(sum(values.values(), loss.value), loss.masked, {**whole, **values})

    def of_vectors(self, encoded: Encoded, progress: float) -> Loss:
        """The objective of the vectors as they are, at one size. progress: see `Objective`."""
        return contrastive_loss(
            encoded.queries,
            encoded.candidates,
            self.temperature,
            encoded.positive_keys if self.mask_same_passage else None,
            encoded.candidate_keys if self.mask_same_passage else None,
            symmetric=self.symmetric,
            query_counts=encoded.query_counts,
            candidate_counts=encoded.candidate_counts,
        )


def _part_name(size: int) -> str:
    """Of a term in the log: the whole objective on vectors cut to this size."""
    return f"dimensions_{size}"
