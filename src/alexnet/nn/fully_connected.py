"""Fully connected layers, which read maps as a row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from alexnet.devices import convolution_form

__all__ = ["FullyConnected"]


class FullyConnected(nn.Linear):
    """torch's layer, which reads maps as a row, channel by channel.

    Its initial weights are left to `nn.initialization`. torch would draw some first, and on the
    device "meta" import sympy for it (2.13), which takes longer than reading an image.
    """

    def reset_parameters(self) -> None:
        """Leave the memory uninitialized: weights are drawn or loaded later."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, outputs) for (N, ...)."""
        rows = input.flatten(1) if input.dim() > 2 else input
        if convolution_form() == "winograd" and self.by_onednn(rows):
            return _multiply(rows, self.weight, self.bias)
        return super().forward(rows)

    def by_onednn(self, rows: Tensor) -> bool:
        """Whether oneDNN computes the product with (N, inputs) where the fastest form is asked for.

        torch calls MKL, which takes 1.1 to 1.4 times as long on Intel's processors and up to twice
        as long on AMD's. The gradients are MKL's: oneDNN is slow with transposed matrices.
        """
        return (
            rows.device.type == "cpu"
            and rows.dim() == 2
            and len(rows) > 0
            and rows.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and torch.backends.mkldnn.is_available()
            and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        )


def _multiply(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return _OneDnnProduct.apply(rows, weight, bias)  # type: ignore[no-any-return]


class _OneDnnProduct(torch.autograd.Function):
    """A product whose forward pass is oneDNN's."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        multiply: Any = torch.ops.mkldnn._linear_pointwise
        return multiply(rows, weight, bias, "none", [], "")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (g,) = gradients
        rows, weight = ctx.saved_tensors
        needs_rows, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            g.mm(weight) if needs_rows else None,
            g.t().mm(rows) if needs_weight else None,
            g.sum(0) if needs_bias else None,
        )
