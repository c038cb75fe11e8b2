"""Pooling as Caffe does it: rounded up, with padding.

Beside `MaxPool` and `MeanPool`, which are the authors' program's: a mean here divides by the
padding too, but never by what hangs over it.

Legend: H, W sides of a map.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError

__all__ = ["CaffePool", "PoolKind"]

PoolKind = Literal["max", "mean"]

_FILL = {"max": float("-inf"), "mean": 0.0}


class CaffePool(nn.Module):
    """The largest or the mean activation of each window.

    The number of windows is rounded up; a last window that would begin behind the map and its
    padding is left out.

    Args:
        kind: "max" or "mean".
        kernel, stride, padding: height and width, in positions; the padding is under the kernel.
        ceiling: round the number of windows up, as Caffe does unless it is told otherwise.

    Raises:
        RecipeError: a kernel or stride under 1, or a padding of the kernel or more.
    """

    def __init__(
        self,
        kind: PoolKind,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        ceiling: bool = True,
    ) -> None:
        super().__init__()
        if min(kernel) < 1 or min(stride) < 1 or min(padding) < 0:
            raise RecipeError(
                "Pooling needs a kernel and a stride of at least 1 and a padding of at least 0; "
                f"got kernel {kernel}, stride {stride}, padding {padding}."
            )
        if padding[0] >= kernel[0] or padding[1] >= kernel[1]:
            raise RecipeError(
                f"A pooling padding of {padding} is not under its kernel of {kernel}: a window "
                "would see nothing but padding."
            )
        self.kind: PoolKind = kind
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.ceiling = ceiling

    def outputs(self, height: int, width: int) -> tuple[int, int]:
        """Return how many windows lie on a map of H x W, down and across; 0 where none fits."""
        down, across = (self._along(axis, size) for axis, size in enumerate((height, width)))
        return down, across

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H', W') for (N, C, H, W)."""
        rows, columns = self.outputs(int(x.shape[2]), int(x.shape[3]))
        (down, across), (tall, wide) = self.padding, self.kernel
        padding = self.padding
        if 2 * down > tall or 2 * across > wide:  # more than torch pads by itself
            x = functional.pad(x, (across, across, down, down), value=_FILL[self.kind])
            padding = (0, 0)
        pool = functional.max_pool2d if self.kind == "max" else functional.avg_pool2d
        found = pool(x, self.kernel, self.stride, padding, ceil_mode=self.ceiling)
        return found[:, :, :rows, :columns]

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.kind}, {self.kernel}, stride={self.stride}, padding={self.padding}"

    def _along(self, axis: int, size: int) -> int:
        stride, padding = self.stride[axis], self.padding[axis]
        free = size + 2 * padding - self.kernel[axis]
        if free < 0:
            return 0
        windows = (-(-free // stride) if self.ceiling else free // stride) + 1
        return windows - 1 if (windows - 1) * stride >= size + padding else windows
