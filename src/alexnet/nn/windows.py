"""The arithmetic of windows: how many fit, and whether they cover their input exactly.

The authors' program rounds up (`layer.py`): a last window that hangs over the right or bottom edge
reads zeros there. torchvision rounds down; Caffe rounds up for pooling only.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """Kernel, stride and padding of a layer, in positions; `ceiling` rounds up."""

    kernel: int
    stride: int = 1
    padding: int = 0
    ceiling: bool = False

    def outputs(self, size: int) -> int:
        """Return how many windows lie on `size` positions; under 1 where none fits."""
        free = size + 2 * self.padding - self.kernel
        if free < 0:
            return 0
        return (-(-free // self.stride) if self.ceiling else free // self.stride) + 1

    def overhang(self, size: int) -> int:
        """Return by how much the last window passes the padded edge (rounding up), 0 if exact."""
        return max(0, (self.outputs(size) - 1) * self.stride + self.kernel - self._padded(size))

    def unseen(self, size: int) -> int:
        """Return how many positions at the end no window reaches (rounding down), 0 if exact."""
        return max(0, self._padded(size) - (self.outputs(size) - 1) * self.stride - self.kernel)

    def _padded(self, size: int) -> int:
        return size + 2 * self.padding
