"""Classic classifiers on a layer's numbers as nodes, in float32 in every precision."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.models import Head

__all__ = ["write_head"]

_NAME = "classifier"


def write_head(draft: Draft, head: Head, inputs: Sequence[Value]) -> str:
    """Write a head; return the name of its logarithms of probabilities.

    Args:
        draft: the graph.
        head: the head.
        inputs: what the layers make that it looks at, side by side.

    Raises:
        WeightsError: a kind of head that has no rule.
    """
    numbers = dict(head.named_buffers())

    def gemm(x: str, weight: str, what: str) -> str:
        own = [
            draft.tensor(f"{_NAME}.{each}", numbers[each], full=True)
            for each in (weight, weight.replace("weight", "bias"))
        ]
        return draft.node("Gemm", [x, *own], f"{_NAME}/{what}", transB=1)

    x = _scaled(draft, numbers, inputs)
    match head.settings["kind"]:
        case "logistic":
            return draft.node("LogSoftmax", [gemm(x, "weight", "sums")], _NAME, axis=1)
        case "mlp":
            hidden = draft.node("Relu", [gemm(x, "hidden_weight", "hidden")], f"{_NAME}/relu")
            return draft.node("LogSoftmax", [gemm(hidden, "weight", "sums")], _NAME, axis=1)
        case "svm":
            turned = draft.node("Neg", [gemm(x, "weight", "sums")], f"{_NAME}/turned")
            unsure = draft.node("Softplus", [turned], f"{_NAME}/unsure")
            sure = draft.node("Neg", [unsure], f"{_NAME}/sure")
            whole = draft.node("ReduceLogSumExp", [sure], f"{_NAME}/whole", axes=[1], keepdims=1)
            return draft.node("Sub", [sure, whole], _NAME)
        case kind:
            raise WeightsError(
                f"No rule says how a head of kind {kind} is written as ONNX. Choose --to "
                "torchscript, or teach a head that is logistic, svm or mlp."
            )


def _scaled(draft: Draft, numbers: dict[str, Tensor], inputs: Sequence[Value]) -> str:
    """Write the features as the head was taught on them: a row, each brought to its scale."""
    rows = [
        draft.node("Flatten", [each.name], f"{_NAME}/row{i}", axis=1)
        for i, each in enumerate(inputs)
    ]
    row = rows[0] if len(rows) == 1 else draft.node("Concat", rows, f"{_NAME}/row", axis=1)
    wide = draft.widen(row, f"{_NAME}/wide")
    shift = draft.tensor(f"{_NAME}.shift", numbers["shift"], full=True)
    scale = draft.tensor(f"{_NAME}.scale", numbers["scale"], full=True)
    return draft.node(
        "Div", [draft.node("Sub", [wide, shift], f"{_NAME}/less"), scale], f"{_NAME}/scaled"
    )
