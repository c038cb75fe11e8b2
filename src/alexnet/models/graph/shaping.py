"""Operations that spread, move or resize numbers, in the table of a graph's operations.

Legend: a shape is (C, H, W) or (D,), without the batch.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from alexnet.errors import RecipeError
from alexnet.models.graph.settings import Settings
from alexnet.nn import AxisResize, Broadcast, BroadcastOperation, ChannelBias, Permute

__all__ = ["SHAPING", "covered_axes", "format_shape"]

_Shape = tuple[int, ...]
_Layer = tuple[nn.Module, _Shape]


def covered_axes(settings: Settings, shape: _Shape) -> tuple[int, _Shape]:
    """Return the first axis of some learned numbers, and their shape, from the settings.

    Raises:
        RecipeError: more axes than there are.
    """
    axis, axes = settings.whole("axis", 1, len(shape)), settings.whole("axes", 0, 3)
    covered = shape[axis - 1 : axis - 1 + axes]
    if len(covered) != axes:
        raise RecipeError(
            f'The node "{settings.node}" scales {axes} axes from the {axis}. on, and its input is '
            f"{format_shape(shape)}."
        )
    return axis, covered


def format_shape(shape: _Shape) -> str:
    """Return a shape as errors say it."""
    return " x ".join(map(str, shape))


def _bias(settings: Settings, shapes: list[_Shape]) -> _Layer:
    axis, covered = covered_axes(settings, shapes[0])
    return ChannelBias(covered, axis=axis), shapes[0]


def _broadcast(operation: BroadcastOperation) -> Callable[[Settings, list[_Shape]], _Layer]:
    def make(settings: Settings, shapes: list[_Shape]) -> _Layer:
        axis = settings.whole("axis", 1, len(shapes[0]))
        if len(shapes) != 2 or shapes[0][axis - 1 : axis - 1 + len(shapes[1])] != shapes[1]:
            raise RecipeError(
                f'The node "{settings.node}" ({settings.operation}) takes two inputs, of which the '
                f"second has the sizes of the first from its {axis}. axis on; got "
                f"{', '.join(map(format_shape, shapes))}."
            )
        return Broadcast(operation, axis), shapes[0]

    return make


def _permute(settings: Settings, shapes: list[_Shape]) -> _Layer:
    order = settings.wholes("order", 1)
    if sorted(order) != list(range(1, len(shapes[0]) + 1)):
        raise RecipeError(
            f'The node "{settings.node}" needs each of the axes 1 to {len(shapes[0])} once as '
            f'"order"; got {list(order)}.'
        )
    return Permute(order), tuple(shapes[0][axis - 1] for axis in order)


def _resize(settings: Settings, shapes: list[_Shape]) -> _Layer:
    size = settings.pair("size", 1)
    if len(shapes[0]) != 3 or size[0] > shapes[0][1] or size[1] > shapes[0][2]:
        raise RecipeError(
            f'The node "{settings.node}" makes images of {size[0]} x {size[1]} smaller ones; its '
            f"input is {format_shape(shapes[0])}."
        )
    return AxisResize(size), (shapes[0][0], *size)


SHAPING: dict[str, Callable[[Settings, list[_Shape]], _Layer]] = {
    "bias": _bias,
    "scale_by": _broadcast("product"),
    "shift_by": _broadcast("sum"),
    "permute": _permute,
    "resize": _resize,
}
"""Each such operation and the function that makes its layer."""
