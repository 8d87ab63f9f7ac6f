"""A frozen encoder whose vectors are targets."""

from __future__ import annotations

from typing import Literal, Protocol, Self

import torch
from torch import Tensor

from babelbatch.records import Padded


class TeacherEncoder(Protocol):
    """An encoder as a teacher uses it; `babelbatch.encoder.Encoder` is one."""

    @property
    def dimensions(self) -> int: ...

    def __call__(self, texts: Padded, role: Literal["query", "passage"], /) -> Tensor: ...

    def eval(self) -> Self: ...

    def requires_grad_(self, requires_grad: bool = True) -> Self: ...

    def to(self, device: torch.device, /) -> Self: ...


class Teacher:
    """A frozen encoder in evaluation mode, on the device of the texts.

    It is not a module: checkpoints do not contain it, and neither optimisers nor data-parallel training see it.
    """

    def __init__(self, encoder: TeacherEncoder) -> None:
        self.encoder = encoder.eval().requires_grad_(False)

    @property
    def dimensions(self) -> int:
        """The size of a vector."""
        return self.encoder.dimensions

    def __call__(self, texts: Padded, role: Literal["query", "passage"]) -> Tensor:
        """(rows, dimensions) vectors of texts that the teacher's own tokenizer made."""
        with torch.no_grad():
            return self.encoder.to(texts.input_ids.device)(texts, role)
