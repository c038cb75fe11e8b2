"""The neurons of cuda-convnet's layer files as nodes."""

from __future__ import annotations

from alexnet.nn import Neuron
from alexnet.weights.onnx.draft import Draft

__all__ = ["write_neuron"]

_OPERATORS = {"relu": "Relu", "logistic": "Sigmoid", "abs": "Abs", "sqrt": "Sqrt"}
_OPERATORS["softrelu"] = "Softplus"


def write_neuron(draft: Draft, name: str, layer: Neuron, x: str) -> str:
    """Write a neuron by its formula (`alexnet.nn.NEURONS`)."""
    a, b = (*layer.numbers, 0.0, 0.0)[:2]

    def with_number(operator: str, value: str, number: float, what: str) -> str:
        own = draft.number(f"{what}/number", number)
        return draft.node(operator, [value, own], what)

    def tanh(into: str, scale: float) -> str:
        return draft.node("Tanh", [with_number("Mul", x, scale, f"{into}/inside")], f"{into}/tanh")

    match layer.kind:
        case "ident":
            return draft.node("Identity", [x], name)
        case "square":
            return draft.node("Mul", [x, x], name)
        case "log":
            return draft.node("Log", [with_number("Add", x, a, f"{name}/inside")], name)
        case "tanh":
            return with_number("Mul", tanh(name, b), a, name)
        case "abstanh":
            size = draft.node("Abs", [tanh(name, b)], f"{name}/size")
            return with_number("Mul", size, a, name)
        case "brelu":
            above = draft.node("Relu", [x], f"{name}/above")
            return with_number("Min", above, a, name)
        case "drelu":
            shrunk = with_number("Mul", tanh(name, 1 / a), a, f"{name}/shrunk")
            return draft.node("Sub", [x, shrunk], name)
        case "linear":
            scaled = with_number("Mul", x, a, f"{name}/scaled")
            return with_number("Add", scaled, b, name)
        case kind:
            return draft.node(_OPERATORS[kind], [x], name)
