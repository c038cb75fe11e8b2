"""Fully connected layers, which read maps as a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alexnet.devices import convolution_form

__all__ = ["FullyConnected", "TakeRows", "has_bias"]

TakeRows = Callable[[int, Tensor], None]
"""Is handed rows of a gradient: the number of the first one, and (n, inputs)."""

_ROWS = 1024
"""Of a gradient that is handed over; with fewer, two threads of MKL take longer."""


class FullyConnected(nn.Linear):
    """torch's layer, which reads maps as a row, channel by channel.

    Its initial weights are left to `nn.initialization`. torch would draw some first, and on the
    device "meta" import sympy for it (2.13), which takes longer than reading an image.

    Attributes:
        take_rows: where it is set, a backward pass hands it the gradient of the weights, some rows
            at a time, when nothing reads the weights any more; `weight.grad` stays as it was. The
            bits are those of the whole gradient, which takes as much memory as the weights.
    """

    take_rows: TakeRows | None = None

    def reset_parameters(self) -> None:
        """Leave the memory uninitialized: weights are drawn or loaded later."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, outputs) for (N, ...)."""
        rows = input.flatten(1) if input.dim() > 2 else input
        by_onednn = convolution_form() == "winograd" and self.by_onednn(rows)
        if by_onednn or (self.take_rows is not None and self.gives_rows(rows)):
            take_rows = self.take_rows
            return _multiply(rows, self.weight, self.bias, by_onednn=by_onednn, take_rows=take_rows)
        return super().forward(rows)

    def product(self, rows: Tensor) -> Tensor:
        """Return the same for (N, inputs), of which no gradient is made."""
        if convolution_form() == "winograd" and self.by_onednn(rows):
            return _by_onednn(rows, self.weight, self.bias)
        return functional.linear(rows, self.weight, self.bias)

    def gives_rows(self, rows: Tensor) -> bool:
        """Whether the gradient of a product with (N, inputs) comes in rows, as `take_rows` has it.

        Otherwise it is in `weight.grad`, as torch makes it.
        """
        return (
            rows.device.type == "cpu"
            and rows.dim() == 2
            and rows.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
        )

    def by_onednn(self, rows: Tensor) -> bool:
        """Whether oneDNN computes the product with (N, inputs) where the fastest form is asked for.

        torch calls MKL, which takes 1.1 to 1.4 times as long on Intel's processors and up to twice
        as long on AMD's. The gradients are MKL's: oneDNN is slow with transposed matrices.
        """
        return (
            self.gives_rows(rows)
            and len(rows) > 0
            and torch.backends.mkldnn.is_available()
            and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        )


def has_bias(layer: nn.Linear) -> bool:
    """Whether a layer has a bias; torch's annotations say that each has."""
    return any(name == "bias" for name, _ in layer.named_parameters())


def _multiply(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    by_onednn: bool,
    take_rows: TakeRows | None,
) -> Tensor:
    return _Product.apply(rows, weight, bias, by_onednn, take_rows)  # type: ignore[no-any-return]


def _by_onednn(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    multiply: Any = torch.ops.mkldnn._linear_pointwise
    return multiply(rows, weight, bias, "none", [], "")


class _Product(torch.autograd.Function):
    """A product, by oneDNN where that is asked for, whose weights' gradient may come in rows."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        by_onednn: bool,
        take_rows: TakeRows | None,
    ) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.take_rows = take_rows
        if not by_onednn:
            return functional.linear(rows, weight, bias)
        return _by_onednn(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (g,) = gradients
        rows, weight = ctx.saved_tensors
        needs_rows, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        rows_gradient = g.mm(weight) if needs_rows else None
        bias_gradient = g.sum(0) if needs_bias else None
        weight_gradient = None
        if needs_weight and ctx.take_rows is not None:
            _hand_over(g, rows, ctx.take_rows)  # who takes them may change the weights
        elif needs_weight:
            weight_gradient = g.t().mm(rows)
        return rows_gradient, weight_gradient, bias_gradient, None, None


def _hand_over(g: Tensor, rows: Tensor, take_rows: TakeRows) -> None:
    """Make a gradient of weights in memory for some of its rows."""
    outputs = g.shape[1]
    memory = rows.new_empty(min(_ROWS, outputs), rows.shape[1])
    for start in range(0, outputs, _ROWS):
        some = g[:, start : start + _ROWS].t()
        take_rows(start, torch.mm(some, rows, out=memory[: len(some)]))
