"""The arithmetic of windows: how many fit, and whether they cover their input exactly.

The authors' program rounds up (`layer.py`): a last window that hangs over the right or bottom edge
reads zeros there. torchvision rounds down; Caffe rounds up for pooling only.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import RecipeError

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """Kernel, stride and padding of a layer, in positions; `ceiling` rounds up.

    Raises:
        RecipeError: kernel or stride under 1, or a negative padding.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    ceiling: bool = False

    def __post_init__(self) -> None:
        if self.kernel < 1 or self.stride < 1 or self.padding < 0:
            raise RecipeError(
                "A window needs a kernel and a stride of at least 1 and a padding of at least 0; "
                f"got kernel {self.kernel}, stride {self.stride}, padding {self.padding}."
            )

    def outputs(self, size: int) -> int:
        """Return how many windows lie on `size` positions; 0 where none fits."""
        free = self._padded(size) - self.kernel
        if free < 0:
            return 0
        return (-(-free // self.stride) if self.ceiling else free // self.stride) + 1

    def overhang(self, size: int) -> int:
        """Return by how much the last window passes the padded edge (rounding up), 0 if exact."""
        return max(0, self._end(size) - self._padded(size))

    def unseen(self, size: int) -> int:
        """Return how many positions at the end no window reaches (rounding down), 0 if exact.

        They are counted on the padded input, so the first of them may be zeros of the padding.
        """
        return max(0, self._padded(size) - self._end(size))

    def lacking(self, size: int) -> int:
        """Return how many positions more would make the covering exact; 0 where it is."""
        return -(self._padded(size) - self.kernel) % self.stride

    def exact_padding(self, size: int) -> int | None:
        """Return the smallest padding, from the present one on, that covers exactly on both sides.

        None: no equal padding does, because the stride divides none of the sums.
        """
        for padding in range(self.padding, self.padding + self.stride):
            if (size + 2 * padding - self.kernel) % self.stride == 0:
                return padding
        return None

    def _padded(self, size: int) -> int:
        return size + 2 * self.padding

    def _end(self, size: int) -> int:
        """Return where the last window ends, counted from the beginning of the padding."""
        found = self.outputs(size)
        return (found - 1) * self.stride + self.kernel if found else 0
