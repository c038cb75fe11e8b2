"""Layers with windows as nodes: convolutions, pools, locally connected layers.

No rule of rounding is left to the reader: how far the last window hangs over is written as padding
at the end, which every program reads alike.

Legend: C channels, H and W sides of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.nn import CaffePool, LocallyConnected, OffsetPool

__all__ = [
    "Windows",
    "caffe_pool",
    "convolution",
    "locally_connected",
    "max_pool",
    "mean_pool",
    "offset_pool",
]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows over maps: along each axis their side, step, padding before the map, and number."""

    kernel: Sequence[int]
    stride: Sequence[int]
    outputs: Sequence[int]
    padding: Sequence[int] = (0, 0)

    def ends(
        self, sides: Sequence[int], padding: Sequence[int], dilation: Sequence[int] = (1, 1)
    ) -> list[int]:
        """Return how far the last window passes the end of maps of these sides, along each axis."""
        axes = zip(sides, self.kernel, self.stride, padding, self.outputs, strict=True)
        steps = (*dilation, 1)
        return [
            max(0, (n - 1) * stride + (side - 1) * steps[axis] + 1 - size - before)
            for axis, (size, side, stride, before, n) in enumerate(axes)
        ]


def convolution(
    draft: Draft,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
    overhang: Sequence[int] = (0, 0),
) -> str:
    """Write a convolution, perhaps one that reads zeros beyond the end."""
    inputs = [x.name, draft.tensor(f"{name}.weight", weight)]
    if bias is not None:
        inputs.append(draft.tensor(f"{name}.bias", bias))
    settings: dict[str, Any] = {"dilations": list(dilation)} if max(dilation) > 1 else {}
    if groups > 1:
        settings["group"] = groups
    ends = [side + more for side, more in zip(padding, overhang, strict=True)]
    return draft.node(
        "Conv",
        inputs,
        name,
        kernel_shape=list(weight.shape[2:]),
        strides=list(stride),
        pads=[*padding, *ends],
        **settings,
    )


def max_pool(
    draft: Draft, name: str, x: Value, windows: Windows, *, dilation: Sequence[int] = (1, 1)
) -> str:
    """Write max pooling; padding is never the largest."""
    settings: dict[str, Any] = {"dilations": list(dilation)} if max(dilation) > 1 else {}
    return draft.node(
        "MaxPool",
        [x.name],
        name,
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        pads=[*windows.padding, *windows.ends(x.shape[1:], windows.padding, dilation)],
        **settings,
    )


def mean_pool(
    draft: Draft, name: str, x: Value, windows: Windows, *, counts_padding: bool = False
) -> str:
    """Write mean pooling; what hangs over beyond the padding never counts."""
    taken, sides, before = x.name, x.shape[1:], list(windows.padding)
    if counts_padding and any(before):
        taken = pad(draft, f"{name}/padded", x, before, before)
        sides = [side + 2 * more for side, more in zip(sides, before, strict=True)]
        before = [0] * len(before)
    return draft.node(
        "AveragePool",
        [taken],
        name,
        kernel_shape=list(windows.kernel),
        strides=list(windows.stride),
        pads=[*before, *windows.ends(sides, before)],
        count_include_pad=0,
    )


def caffe_pool(draft: Draft, name: str, layer: CaffePool, x: Value) -> str:
    """Write Caffe's pooling."""
    windows = Windows(
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        outputs=layer.outputs(x.shape[1], x.shape[2]),
    )
    if layer.kind == "max":
        return max_pool(draft, name, x, windows)
    return mean_pool(draft, name, x, windows, counts_padding=True)


def offset_pool(draft: Draft, name: str, layer: OffsetPool, x: Value) -> str:
    """Write pooling whose windows begin elsewhere than at the first position."""
    side, first = x.shape[1], max(0, layer.start)
    end = min(side, layer.start + (layer.outputs - 1) * layer.stride + layer.kernel)
    if (first, end) != (0, side):
        cut = part(draft, f"{name}/part", x.name, (2, 3), (first, first), (end, end))
        x = Value(cut, (x.shape[0], end - first, end - first))
    windows = Windows(
        kernel=(layer.kernel,) * 2,
        stride=(layer.stride,) * 2,
        padding=(first - layer.start,) * 2,
        outputs=(layer.outputs,) * 2,
    )
    if layer.kind == "avg":
        return mean_pool(draft, name, x, windows)
    if layer.kind == "max":
        return max_pool(draft, name, x, windows)
    highest = max_pool(draft, f"{name}/highest", x, windows)
    turned = Value(draft.node("Neg", [x.name], f"{name}/turned"), x.shape)
    depth = max_pool(draft, f"{name}/depth", turned, windows)  # how far the lowest is below zero
    lowest = draft.node("Neg", [depth], f"{name}/lowest")
    further = draft.node("GreaterOrEqual", [highest, depth], f"{name}/further")
    return draft.node("Where", [further, highest, lowest], name)


def locally_connected(draft: Draft, name: str, layer: LocallyConnected, x: Value) -> str:
    """Write a convolution with weights for each place: windows side by side, and products."""
    window, side = layer.window, layer.positions
    before = [window.padding] * 2
    after = [window.padding + window.overhang(size) for size in x.shape[1:]]
    padded = x.name
    if any(before + after):
        padded = pad(draft, f"{name}/padded", x, before, after)
    reach = (side - 1) * window.stride + 1
    shifted = [
        part(
            draft,
            f"{name}/{row}_{column}",
            padded,
            (2, 3),
            (row, column),
            (row + reach, column + reach),
            (window.stride, window.stride),
        )
        for row in range(window.kernel)
        for column in range(window.kernel)
    ]
    patches = draft.node("Concat", shifted, f"{name}/patches", axis=1)
    numbers = window.kernel**2 * layer.inputs
    rows = draft.reshape(patches, (numbers, side**2), f"{name}/rows")
    rows = draft.node("Transpose", [rows], f"{name}/by_place", perm=[2, 0, 1])
    by_map = cast("Tensor", layer.weight.unflatten(1, (layer.inputs, -1)))
    weight = by_map.transpose(1, 2).flatten(1, 2)
    answers = draft.node(
        "MatMul", [rows, draft.tensor(f"{name}.weight", weight)], f"{name}/answers"
    )
    answers = draft.node("Transpose", [answers], f"{name}/by_map", perm=[1, 2, 0])
    if layer.bias is None:
        return draft.reshape(answers, (layer.outputs, side, side), name)
    maps = draft.reshape(answers, (layer.outputs, side, side), f"{name}/maps")
    return draft.node("Add", [maps, draft.tensor(f"{name}.bias", layer.bias)], name)


def pad(draft: Draft, name: str, x: Value, before: Sequence[int], after: Sequence[int]) -> str:
    """Write zeros around maps."""
    ends = draft.whole(f"{name}/pads", 0, 0, *before, 0, 0, *after)
    return draft.node("Pad", [x.name, ends], name)


def part(
    draft: Draft,
    name: str,
    x: str,
    axes: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int] | None = None,
) -> str:
    """Write the taking of a part."""
    settings = [
        draft.whole(f"{name}/starts", *starts),
        draft.whole(f"{name}/ends", *ends),
        draft.whole(f"{name}/axes", *axes),
    ]
    if steps is not None and max(steps) > 1:
        settings.append(draft.whole(f"{name}/steps", *steps))
    return draft.node("Slice", [x, *settings], name)
