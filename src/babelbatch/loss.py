"""The contrastive loss over in-batch negatives (arXiv 2408.10536, eq. 1, with a temperature)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

_COLDEST = 0.01  # a learnable temperature stops here, as CLIP's logit scale stops at 100


@dataclass(frozen=True, slots=True)
class Loss:
    """value: scalar. masked: (B,) whether a question met a candidate that shares its passage key, and so was masked."""

    value: Tensor
    masked: Tensor


def contrastive_loss(
    questions: Tensor,
    candidates: Tensor,
    temperature: Tensor | float,
    question_keys: Tensor | None = None,
    candidate_keys: Tensor | None = None,
    *,
    symmetric: bool = False,
) -> Loss:
    """InfoNCE: the mean over i of -log(exp(s_ii) / sum_j exp(s_ij)), s_ij = questions[i] . candidates[j] / temperature.

    questions: (B, d). candidates: (C, d), C >= B: first the B positives in the order of the questions, then hard
    negatives.
    question_keys, candidate_keys: (B,) and (C,) passage keys. A candidate with the key of the question's own positive
    answers the question too, perhaps in another language, so it leaves the denominator (the positive itself stays).
    symmetric: average with the same loss from the B positives to the B questions.
    """
    size = len(questions)
    assert len(candidates) >= size, "the first candidates are the positives"
    with torch.autocast(questions.device.type, enabled=False):  # which would round the scores to half precision
        scores = (questions.float() @ candidates.float().T) / temperature
    labels = torch.arange(size, device=scores.device)
    masked = torch.zeros(size, dtype=torch.bool, device=scores.device)
    if question_keys is not None and candidate_keys is not None:
        same = question_keys[:, None] == candidate_keys[None, :]
        same[labels, labels] = False
        scores = scores.masked_fill(same, -torch.inf)
        masked = same.any(dim=1)
    value = cross_entropy(scores, labels)
    if symmetric:
        # Keys are equal both ways, so the mask of a positive's questions is the transposed block.
        value = (value + cross_entropy(scores[:, :size].T, labels)) / 2
    return Loss(value, masked)


class Contrastive(nn.Module):
    """Settings of `contrastive_loss`.

    temperature: divides the cosine. learn_temperature: train its logarithm with the encoder, starting there and never
        below 0.01.
    mask_same_passage: use the passage keys. symmetric: see `contrastive_loss`.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        learn_temperature: bool = False,
        mask_same_passage: bool = True,
        symmetric: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"loss.temperature must be above 0, not {temperature}")
        if learn_temperature and temperature < _COLDEST:
            raise ValueError(f"loss.temperature: a learned one starts at {_COLDEST} or above, not at {temperature}")
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=learn_temperature)
        self.mask_same_passage = mask_same_passage
        self.symmetric = symmetric

    @property
    def temperature(self) -> Tensor:
        learnable = self.log_temperature.requires_grad
        return (self.log_temperature.clamp(min=math.log(_COLDEST)) if learnable else self.log_temperature).exp()

    def forward(self, questions: Tensor, candidates: Tensor, question_keys: Tensor, candidate_keys: Tensor) -> Loss:
        if self.log_temperature.requires_grad:
            with torch.no_grad():  # in place as well: below the floor a clamp has no gradient, and no way back
                self.log_temperature.clamp_(min=math.log(_COLDEST))
        keys = (question_keys, candidate_keys) if self.mask_same_passage else (None, None)
        return contrastive_loss(questions, candidates, self.temperature, *keys, symmetric=self.symmetric)
