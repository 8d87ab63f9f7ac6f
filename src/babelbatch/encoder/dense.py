"""Dense layers after the pooling, as LaBSE and sentence-T5 have them. They are trained with the rest."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Dense:
    """One layer: activation(W x + b), plus x if it is residual (projected by a second matrix if the size changes).

    size: of the output. bias: whether there is a b. activation: a class of torch.nn, such as `Tanh` or `Identity`.
    """

    size: int
    bias: bool = True
    activation: str = "Tanh"
    residual: bool = False


class DenseLayer(nn.Module):
    """A `Dense` layer. Its weights have the names that sentence-transformers gives them."""

    def __init__(self, inputs: int, settings: Dense) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, settings.size, bias=settings.bias)
        self.activation: nn.Module = getattr(nn, settings.activation)()
        self.is_residual = settings.residual
        if settings.residual and inputs != settings.size:
            self.residual = nn.Linear(inputs, settings.size, bias=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """(rows, size) from (rows, inputs)."""
        output: Tensor = self.activation(self.linear(vectors))
        if not self.is_residual:
            return output
        return output + (self.residual(vectors) if hasattr(self, "residual") else vectors)


def dense_layers(inputs: int, settings: tuple[Dense, ...]) -> nn.Sequential:
    """The layers in sequence; without settings, the identity."""
    sizes = [inputs, *(layer.size for layer in settings)]
    return nn.Sequential(*(DenseLayer(size, layer) for size, layer in zip(sizes, settings, strict=False)))
