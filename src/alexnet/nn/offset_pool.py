"""Pooling whose windows start and end where a layer file says (the program's `pool`)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError

__all__ = ["OffsetPool", "Pooling"]

Pooling = Literal["max", "maxabs", "avg"]


class OffsetPool(nn.Module):
    """Windows from `start` on; of each the part inside the map counts, nothing else.

    Beside `MaxPool` and `MeanPool`, which begin at the first position and cover the map.

    Args:
        kind: "max", "maxabs" (the number that is farthest from zero), or "avg".
        kernel: side of a window, in positions.
        stride: from one window to the next; at most the kernel.
        start: first position of the first window; below 0 it reaches over the top and left edge.
        outputs: windows in a row.

    Raises:
        RecipeError: another kind, or a geometry that leaves gaps.
    """

    def __init__(
        self, kind: Pooling, kernel: int, *, stride: int, start: int = 0, outputs: int
    ) -> None:
        super().__init__()
        if kind not in get_args(Pooling) or not 1 <= stride <= kernel or outputs < 1:
            raise RecipeError(
                'Pooling is "max", "maxabs" or "avg", with a stride between 1 and the kernel and '
                f'at least one output; got "{kind}", kernel {kernel}, stride {stride}, outputs '
                f"{outputs}."
            )
        self.kind: Pooling = kind
        self.kernel, self.stride, self.start, self.outputs = kernel, stride, start, outputs

    def misses(self, size: int) -> bool:
        """Say whether the first or the last window lies outside a map of this side."""
        last = self.start + (self.outputs - 1) * self.stride
        return self.start + self.kernel <= 0 or last >= size

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, outputs, outputs) for (N, C, H, W)."""
        if self.kind == "avg":
            return self._sums(x) / self._sums(torch.ones_like(x[:1, :1]))
        highest = functional.max_pool2d(self._spread(x, -torch.inf), self.kernel, self.stride)
        if self.kind == "max":
            return highest
        lowest = -functional.max_pool2d(self._spread(-x, -torch.inf), self.kernel, self.stride)
        return torch.where(highest >= -lowest, highest, lowest)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return (
            f"{self.kind}, {self.kernel}, stride={self.stride}, start={self.start}, "
            f"outputs={self.outputs}"
        )

    def _sums(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(
            self._spread(x, 0.0), self.kernel, self.stride, divisor_override=1
        )

    def _spread(self, x: Tensor, fill: float) -> Tensor:
        """Return the positions from the first window's beginning to the last one's end."""
        span = (self.outputs - 1) * self.stride + self.kernel
        ends = [span + self.start - int(size) for size in x.shape[2:]]  # negative: cut off
        return functional.pad(x, (-self.start, ends[1], -self.start, ends[0]), value=fill)
