"""Whether windows cover their input exactly, in a sentence with what would make them fit."""

from __future__ import annotations

from alexnet.nn import Window

__all__ = ["covering"]


def covering(name: str, window: Window, size: int, *, zeros: bool) -> str | None:
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
    elif window.unseen(size):
        miss = _left_out(window, window.unseen(size))
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
    lacking = window.lacking(size)
    sizes = f"an input of {size + lacking - window.stride} or {size + lacking}"
    exact = window.exact_padding(size)
    if exact is not None:
        return f"A padding of {exact} on every side is exact, and so is {sizes}."
    before, after = window.padding, window.padding + lacking
    if 0 < window.unseen(size) <= window.padding:
        after = window.padding - window.unseen(size)
    return (
        f"No equal padding on all sides is exact; {before + after} in all is ({before} before, "
        f"{after} after), and so is {sizes}."
    )
