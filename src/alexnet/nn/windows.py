"""The arithmetic of windows: how many fit, and whether they cover their input exactly.

The authors' program rounds up (`layer.py`): a last window that hangs over the right or bottom edge
reads zeros there. torchvision rounds down; Caffe rounds up for pooling only.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import RecipeError

__all__ = ["Window", "describe_coverage"]


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

    def uncovered(self, size: int) -> int:
        """Return how many positions at the end no window covers (rounding down), 0 if exact.

        They are counted on the padded input, so the first of them may be zeros of the padding.
        """
        return max(0, self._padded(size) - self._end(size))

    def missing(self, size: int) -> int:
        """Return how many positions more would be covered exactly; 0 where these are."""
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
        count = self.outputs(size)
        return (count - 1) * self.stride + self.kernel if count else 0


def describe_coverage(name: str, window: Window, size: int, *, zeros: bool) -> str | None:
    """Say how a layer's windows miss their input; None where they cover it exactly.

    Args:
        name: of the layer.
        window: its kernel, stride, padding and rounding.
        size: side of its input, in positions.
        zeros: whether the part of a window beyond the edge reads zeros (a convolution), or does
            not count (pooling).
    """
    if window.overhang(size):
        beyond = "where it reads zeros" if zeros else "where only the part inside counts"
        miss = (
            f"the last one hangs {window.overhang(size)} over the right and bottom edge, {beyond}"
        )
    elif window.uncovered(size):
        miss = _left_out(window, window.uncovered(size))
    else:
        return None
    padded = f" with a padding of {window.padding}" if window.padding else ""
    return (
        f"{name}: {window.outputs(size)} windows of {window.kernel} with stride {window.stride} do "
        f"not cover {size} positions{padded} exactly: {miss}. {_remedy(window, size)}"
    )


def _left_out(window: Window, left: int) -> str:
    last = "the last position" if left == 1 else f"the last {left} positions"
    verb = "is" if left == 1 else "are"
    zeros = ""
    if window.padding >= left:
        zeros = ", padding alone,"
    elif window.padding:
        zeros = f", {window.padding} of them padding,"
    return f"{last} at the right and bottom{zeros} {verb} left out"


def _remedy(window: Window, size: int) -> str:
    missing = window.missing(size)
    sizes = f"an input of {size + missing - window.stride} or {size + missing}"
    exact = window.exact_padding(size)
    if exact is not None:
        return f"A padding of {exact} on every side is exact, and so is {sizes}."
    before, after = window.padding, window.padding + missing
    if 0 < window.uncovered(size) <= window.padding:
        after = window.padding - window.uncovered(size)
    return (
        f"No equal padding on all sides is exact; {before + after} in all is ({before} before, "
        f"{after} after), and so is {sizes}."
    )
