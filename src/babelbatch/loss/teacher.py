"""A frozen encoder whose vectors are targets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from babelbatch.records import Padded


class Teacher:
    """An encoder that is only asked: without dropout, without a gradient, on the device of the texts.

    It is no module. So no checkpoint holds it, no optimiser moves it, and ranks have nothing to tell about it.
    """

    def __init__(self, encoder: nn.Module) -> None:
        self.encoder = encoder.eval().requires_grad_(False)

    @property
    def dimensions(self) -> int:
        """The size of a vector."""
        return self.encoder.dimensions

    def __call__(self, texts: Padded, role: Literal["query", "passage"]) -> Tensor:
        """(rows, its dimensions) vectors of texts that its own tokenizer made."""
        with torch.no_grad():
            return self.encoder.to(texts.input_ids.device)(texts, role)
