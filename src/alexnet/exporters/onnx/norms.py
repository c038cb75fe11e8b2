"""Normalizations as nodes: ONNX's own operator where it says the same, else elementary ones.

ONNX's LRN divides by the window and runs across channels; an even window reaches one further
toward the end there and toward the start in the authors' program, so that only odd ones are the
same. Sums of squares stay in float32, also in a graph of half precision: they soon pass what
float16 holds.

Readers narrow the operator further: ONNX Runtime 1.32 refuses an alpha or beta of 0 or below, and
OpenVINO 2026.4 cuts its constant to a whole number (findings/openvino-lrn.sh). What is not the same
everywhere is written as elementary operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.windows import pad
from alexnet.nn import ContrastNorm, ResponseNorm

__all__ = ["contrast_norm", "response_norm"]

_LARGEST_CONSTANT = 2**24  # up to which float32 holds every whole number


def response_norm(graph: OnnxGraph, name: str, norm: ResponseNorm, x: Value) -> str:
    """Write a response normalization of (C, H, W)."""
    x32 = graph.to_float32(x.name, f"{name}/x32")
    if _has_operator(norm) and not graph.plain:
        output = _by_operator(graph, name, norm, x32, x.shape[0])
    else:
        squares = graph.node("Mul", [x32, x32], f"{name}/squares")
        if norm.region == "channels":
            sums = _channel_sums(graph, name, norm, squares, x.shape[0])
        else:
            sums = _patch_sums(graph, name, norm.size, Value(squares, x.shape))
        output = _divided(graph, name, x32, sums, (norm.scale, norm.k, norm.beta))
    return graph.to_compute_dtype(output, name)


def _has_operator(norm: ResponseNorm) -> bool:
    """Say whether every reader takes ONNX's operator for this normalization."""
    return (
        norm.region == "channels"
        and norm.size % 2 == 1
        and float(np.float32(norm.scale * norm.size)) > 0
        and float(np.float32(norm.beta)) > 0
        and float(norm.k).is_integer()
        and norm.k <= _LARGEST_CONSTANT
    )


def contrast_norm(graph: OnnxGraph, name: str, norm: ContrastNorm, x: Value) -> str:
    """Write the normalization by the energy about the local mean."""
    x32 = graph.to_float32(x.name, f"{name}/x32")
    area = norm.size**2
    sums = _patch_sums(graph, f"{name}/mean", norm.size, Value(x32, x.shape))
    counts = _window_counts(norm.size, x.shape[1], x.shape[2])
    count = graph.tensor(f"{name}/counts", counts, float32=True)
    mean = graph.node("Div", [sums, count], f"{name}/mean")
    centered = graph.node("Sub", [x32, mean], f"{name}/centered")
    squares = graph.node("Mul", [centered, centered], f"{name}/squares")
    energy = _patch_sums(graph, name, norm.size, Value(squares, x.shape))
    output = _divided(graph, name, x32, energy, (norm.alpha / area, norm.k, norm.beta))
    return graph.to_compute_dtype(output, name)


def _float32_name(graph: OnnxGraph, name: str) -> str:
    """Return the name of the result before it is cast back to half precision."""
    return f"{name}/float32_out" if graph.half else name


def _by_operator(graph: OnnxGraph, name: str, norm: ResponseNorm, x: str, channels: int) -> str:
    settings: dict[str, Any] = {
        "size": norm.size,
        "alpha": norm.scale * norm.size,
        "beta": norm.beta,
        "bias": norm.k,
    }
    if norm.towers == 1:
        return graph.node("LRN", [x], _float32_name(graph, name), **settings)
    sizes = graph.ints(f"{name}/sizes", *[channels // norm.towers] * norm.towers)
    towers = graph.multi_output_node("Split", [x, sizes], f"{name}/towers", norm.towers, axis=1)
    normalized = [
        graph.node("LRN", [tower], f"{name}/tower{i}", **settings) for i, tower in enumerate(towers)
    ]
    return graph.node("Concat", normalized, _float32_name(graph, name), axis=1)


def _divided(
    graph: OnnxGraph, name: str, x: str, sums: str, settings: tuple[float, float, float]
) -> str:
    """Write x * (k + scale * sums) ** -beta."""
    scale, k, beta = settings
    scaled = graph.node(
        "Mul", [sums, graph.scalar(f"{name}/scale", scale, float32=True)], f"{name}/scaled"
    )
    base = graph.node("Add", [scaled, graph.scalar(f"{name}/k", k, float32=True)], f"{name}/base")
    power = graph.node(
        "Pow", [base, graph.scalar(f"{name}/exponent", -beta, float32=True)], f"{name}/factor"
    )
    return graph.node("Mul", [x, power], _float32_name(graph, name))


def _channel_sums(graph: OnnxGraph, name: str, norm: ResponseNorm, x: str, channels: int) -> str:
    """Sum over neighboring channels: a convolution of 1 x 1 whose weights are a band of ones."""
    width = channels // norm.towers
    before, after = norm.size // 2, norm.size - norm.size // 2 - 1
    offset = np.arange(width)[None, :] - np.arange(width)[:, None]  # source less target
    band = ((offset >= -before) & (offset <= after)).astype(np.float32)
    weight = np.tile(band, (norm.towers, 1))[:, :, None, None]
    ones = graph.tensor(f"{name}/band", weight, float32=True)
    return graph.node("Conv", [x, ones], f"{name}/sums", kernel_shape=[1, 1], group=norm.towers)


def _patch_sums(graph: OnnxGraph, name: str, size: int, x: Value) -> str:
    """Sum over a patch of each map, padded with zeros."""
    before, after = size // 2, size - size // 2 - 1
    padded = x.name
    if size > 1:  # written out: OpenCV 4.14 does not count padding (findings/opencv-pooling.sh)
        padded = pad(graph, f"{name}/padded", x, (before,) * 2, (after,) * 2)
    means = graph.node(
        "AveragePool",
        [padded],
        f"{name}/means",
        kernel_shape=[size, size],
        strides=[1, 1],
        pads=[0, 0, 0, 0],
    )
    area = graph.scalar(f"{name}/area", size**2, float32=True)
    return graph.node("Mul", [means, area], f"{name}/sums")


def _window_counts(size: int, height: int, width: int) -> NDArray[np.float32]:
    """Return how many positions of the patch about each position lie in the map: (1, H, W)."""
    before, after = size // 2, size - size // 2 - 1

    def counts(length: int) -> NDArray[np.int64]:
        position = np.arange(length)
        return np.minimum(position + after, length - 1) - np.maximum(position - before, 0) + 1

    return np.outer(counts(height), counts(width))[None].astype(np.float32)
