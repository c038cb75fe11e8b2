"""Classic classifiers on a layer's features as nodes, in float32 in every precision."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.elementwise import write_softplus
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.windows import adaptive_pool
from alexnet.models import Block, Head, PooledFeatures
from alexnet.nn import AdaptiveAvgPool

__all__ = ["head_layers", "write_block", "write_head"]

_NAME = "classifier"
_SMALLEST_NORM = 2.0**-14  # of a block: OpenVINO's half precision would keep less as 0, and 0 / 0


def head_layers(head: Head) -> tuple[str, ...]:
    """Return the names of the layers whose outputs a head takes."""
    return head.pooling.layers if head.pooling else tuple(head.layer.split(","))


def write_head(graph: OnnxGraph, head: Head, inputs: Mapping[str, Value]) -> str:
    """Write a head; return the name of its log probabilities.

    Args:
        graph: the graph.
        head: the head.
        inputs: outputs of its layers by name: to be concatenated, or to be pooled before.

    Raises:
        WeightsError: a kind of head that has no rule.
    """
    with graph.keep_precision():
        return _nodes(graph, head, inputs)


def _nodes(graph: OnnxGraph, head: Head, inputs: Mapping[str, Value]) -> str:
    tensors = dict(head.named_buffers())

    def gemm(x: str, weight: str, output: str) -> str:
        own = [
            graph.tensor(f"{_NAME}.{name}", tensors[name], float32=True)
            for name in (weight, weight.replace("weight", "bias"))
        ]
        return graph.node("Gemm", [x, *own], f"{_NAME}/{output}", transB=1)

    row = _row(graph, inputs) if head.pooling is None else _pooled_row(graph, head.pooling, inputs)
    x = _standardized(graph, tensors, row)
    match head.settings["kind"]:
        case "logistic" | "ridge":
            return graph.node("LogSoftmax", [gemm(x, "weight", "logits")], _NAME, axis=1)
        case "mlp":
            hidden = graph.node("Relu", [gemm(x, "hidden_weight", "hidden")], f"{_NAME}/relu")
            return graph.node("LogSoftmax", [gemm(hidden, "weight", "logits")], _NAME, axis=1)
        case "svm":
            negated = graph.node("Neg", [gemm(x, "weight", "logits")], f"{_NAME}/negated")
            softplus = write_softplus(graph, f"{_NAME}/softplus", negated, float32=True)
            log_sigmoid = graph.node("Neg", [softplus], f"{_NAME}/log_sigmoid")
            total = graph.node(
                "ReduceLogSumExp", [log_sigmoid], f"{_NAME}/total", axes=[1], keepdims=1
            )
            return graph.node("Sub", [log_sigmoid, total], _NAME)
        case kind:
            raise WeightsError(
                f"No rule says how a head of kind {kind} is written as ONNX. Choose --to "
                "torchscript, or fit a head that is logistic, ridge, svm or mlp."
            )


def _row(graph: OnnxGraph, inputs: Mapping[str, Value]) -> str:
    """Write the outputs side by side as they are, in float32."""
    rows = [
        graph.node("Flatten", [each.name], f"{_NAME}/row{i}", axis=1)
        for i, each in enumerate(inputs.values())
    ]
    row = rows[0] if len(rows) == 1 else graph.node("Concat", rows, f"{_NAME}/row", axis=1)
    return graph.to_float32(row, f"{_NAME}/float32")


def _pooled_row(graph: OnnxGraph, pooling: PooledFeatures, inputs: Mapping[str, Value]) -> str:
    """Write `PooledFeatures`: blocks side by side, those that are not raw of one length."""
    full = {
        name: Value(graph.to_float32(each.name, f"{_NAME}/{name}/float32"), each.shape)
        for name, each in inputs.items()
    }
    lengths = sum(not block.raw for block in pooling.blocks)
    length = graph.scalar(f"{_NAME}/length", max(lengths, 1) ** -0.5, float32=True)
    parts: list[str] = []
    for block in pooling.blocks:
        part = write_block(graph, f"{_NAME}/{block}", block, full[block.layer])
        if not block.raw:
            part = graph.node("Mul", [part, length], f"{_NAME}/{block}/scaled")
        parts.append(part)
    return parts[0] if len(parts) == 1 else graph.node("Concat", parts, f"{_NAME}/row", axis=1)


def write_block(graph: OnnxGraph, name: str, block: Block, x: Value) -> str:
    """Write a block: signed square roots of averages, of unit length; or what is raw as it is."""
    flat = x.name
    if block.grid:
        flat = adaptive_pool(graph, f"{name}/cells", AdaptiveAvgPool(block.grid), x)
    flat = graph.node("Flatten", [flat], f"{name}/flat", axis=1)
    if block.raw:
        return flat
    size = graph.node("Abs", [flat], f"{name}/abs")
    sign = graph.node("Sign", [flat], f"{name}/sign")
    rooted = graph.node("Mul", [sign, graph.node("Sqrt", [size], f"{name}/sqrt")], f"{name}/rooted")
    # The sum of the squares of square roots is the sum of the sizes.
    total = graph.node("ReduceSum", [size, graph.ints(f"{name}/axes", 1)], f"{name}/sum")
    norm = graph.node("Sqrt", [total], f"{name}/norm")
    least = graph.scalar(f"{name}/least", _SMALLEST_NORM, float32=True)
    return graph.node("Div", [rooted, graph.node("Max", [norm, least], f"{name}/divisor")], name)


def _standardized(graph: OnnxGraph, tensors: Mapping[str, Tensor], row: str) -> str:
    """Write the features as the head was fitted on them."""
    shift = graph.tensor(f"{_NAME}.shift", tensors["shift"], float32=True)
    scale = graph.tensor(f"{_NAME}.scale", tensors["scale"], float32=True)
    return graph.node(
        "Div", [graph.node("Sub", [row, shift], f"{_NAME}/centered"), scale], f"{_NAME}/scaled"
    )
