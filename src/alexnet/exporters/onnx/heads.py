"""Classic classifiers on a layer's features as nodes, in float32 in every precision."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.elementwise import write_softplus
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.models import Head

__all__ = ["write_head"]

_NAME = "classifier"


def write_head(graph: OnnxGraph, head: Head, inputs: Sequence[Value]) -> str:
    """Write a head; return the name of its log probabilities.

    Args:
        graph: the graph.
        head: the head.
        inputs: outputs of the layers that it is on, to be concatenated.

    Raises:
        WeightsError: a kind of head that has no rule.
    """
    with graph.keep_precision():
        return _nodes(graph, head, inputs)


def _nodes(graph: OnnxGraph, head: Head, inputs: Sequence[Value]) -> str:
    tensors = dict(head.named_buffers())

    def gemm(x: str, weight: str, output: str) -> str:
        own = [
            graph.tensor(f"{_NAME}.{name}", tensors[name], float32=True)
            for name in (weight, weight.replace("weight", "bias"))
        ]
        return graph.node("Gemm", [x, *own], f"{_NAME}/{output}", transB=1)

    x = _scaled(graph, tensors, inputs)
    match head.settings["kind"]:
        case "logistic":
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
                "torchscript, or fit a head that is logistic, svm or mlp."
            )


def _scaled(graph: OnnxGraph, tensors: dict[str, Tensor], inputs: Sequence[Value]) -> str:
    """Write the features as the head was fitted on them: a row, each standardized."""
    rows = [
        graph.node("Flatten", [each.name], f"{_NAME}/row{i}", axis=1)
        for i, each in enumerate(inputs)
    ]
    row = rows[0] if len(rows) == 1 else graph.node("Concat", rows, f"{_NAME}/row", axis=1)
    row32 = graph.to_float32(row, f"{_NAME}/float32")
    shift = graph.tensor(f"{_NAME}.shift", tensors["shift"], float32=True)
    scale = graph.tensor(f"{_NAME}.scale", tensors["scale"], float32=True)
    return graph.node(
        "Div", [graph.node("Sub", [row32, shift], f"{_NAME}/centered"), scale], f"{_NAME}/scaled"
    )
