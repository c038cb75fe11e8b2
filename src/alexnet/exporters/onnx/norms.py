"""Normalisations as nodes: ONNX's own operator where it says the same, else elementary ones.

ONNX's LRN divides by the window and runs across channels; an even window reaches one further
towards the end there and towards the start in the authors' program, so that only odd ones are the
same. Sums of squares stay in float32, also in a graph of half precision: they soon pass what
float16 holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.nn import ContrastNorm, ResponseNorm

__all__ = ["contrast_norm", "response_norm"]


def response_norm(draft: Draft, name: str, norm: ResponseNorm, x: Value) -> str:
    """Write a response normalisation of (C, H, W)."""
    wide = draft.widen(x.name, f"{name}/wide")
    if norm.region == "channels" and norm.size % 2 and not draft.plain:
        found = _by_operator(draft, name, norm, wide, x.shape[0])
    else:
        squares = draft.node("Mul", [wide, wide], f"{name}/squares")
        if norm.region == "channels":
            sums = _channel_sums(draft, name, norm, squares, x.shape[0])
        else:
            sums = _patch_sums(draft, name, norm.size, squares)
        found = _divided(draft, name, wide, sums, (norm.scale, norm.k, norm.beta))
    return draft.narrow(found, name)


def contrast_norm(draft: Draft, name: str, norm: ContrastNorm, x: Value) -> str:
    """Write the normalisation by the energy about the local mean."""
    wide = draft.widen(x.name, f"{name}/wide")
    area = norm.size**2
    sums = _patch_sums(draft, f"{name}/mean", norm.size, wide)
    inside = _inside(norm.size, x.shape[1], x.shape[2])
    count = draft.tensor(f"{name}/inside", inside, full=True)
    mean = draft.node("Div", [sums, count], f"{name}/mean")
    apart = draft.node("Sub", [wide, mean], f"{name}/apart")
    squares = draft.node("Mul", [apart, apart], f"{name}/squares")
    energy = _patch_sums(draft, name, norm.size, squares)
    found = _divided(draft, name, wide, energy, (norm.alpha / area, norm.k, norm.beta))
    return draft.narrow(found, name)


def _inner(draft: Draft, name: str) -> str:
    """Return what the result is called before it is made narrow again."""
    return f"{name}/full" if draft.half else name


def _by_operator(draft: Draft, name: str, norm: ResponseNorm, x: str, channels: int) -> str:
    settings: dict[str, Any] = {
        "size": norm.size,
        "alpha": norm.scale * norm.size,
        "beta": norm.beta,
        "bias": norm.k,
    }
    if norm.towers == 1:
        return draft.node("LRN", [x], _inner(draft, name), **settings)
    sizes = draft.whole(f"{name}/sizes", *[channels // norm.towers] * norm.towers)
    towers = draft.split("Split", [x, sizes], f"{name}/towers", norm.towers, axis=1)
    done = [
        draft.node("LRN", [tower], f"{name}/tower{i}", **settings) for i, tower in enumerate(towers)
    ]
    return draft.node("Concat", done, _inner(draft, name), axis=1)


def _divided(
    draft: Draft, name: str, x: str, sums: str, settings: tuple[float, float, float]
) -> str:
    """Write x * (k + scale * sums) ** -beta."""
    scale, k, beta = settings
    scaled = draft.node(
        "Mul", [sums, draft.number(f"{name}/scale", scale, full=True)], f"{name}/scaled"
    )
    base = draft.node("Add", [scaled, draft.number(f"{name}/k", k, full=True)], f"{name}/base")
    power = draft.node(
        "Pow", [base, draft.number(f"{name}/exponent", -beta, full=True)], f"{name}/factor"
    )
    return draft.node("Mul", [x, power], _inner(draft, name))


def _channel_sums(draft: Draft, name: str, norm: ResponseNorm, x: str, channels: int) -> str:
    """Sum over neighbouring channels: a convolution of 1 x 1 whose weights are a band of ones."""
    width = channels // norm.towers
    before, after = norm.size // 2, norm.size - norm.size // 2 - 1
    offset = np.arange(width)[None, :] - np.arange(width)[:, None]  # source less target
    band = ((offset >= -before) & (offset <= after)).astype(np.float32)
    weight = np.tile(band, (norm.towers, 1))[:, :, None, None]
    ones = draft.tensor(f"{name}/band", weight, full=True)
    return draft.node("Conv", [x, ones], f"{name}/sums", kernel_shape=[1, 1], group=norm.towers)


def _patch_sums(draft: Draft, name: str, size: int, x: str) -> str:
    """Sum over a patch of each map; outside of it there is nothing."""
    before, after = size // 2, size - size // 2 - 1
    means = draft.node(
        "AveragePool",
        [x],
        f"{name}/means",
        kernel_shape=[size, size],
        pads=[before, before, after, after],
        count_include_pad=1,
    )
    area = draft.number(f"{name}/area", size**2, full=True)
    return draft.node("Mul", [means, area], f"{name}/sums")


def _inside(size: int, height: int, width: int) -> NDArray[np.float32]:
    """Return how many positions of the patch about each position lie in the map: (1, H, W)."""
    before, after = size // 2, size - size // 2 - 1

    def along(length: int) -> NDArray[np.int64]:
        place = np.arange(length)
        return np.minimum(place + after, length - 1) - np.maximum(place - before, 0) + 1

    return np.outer(along(height), along(width))[None].astype(np.float32)
