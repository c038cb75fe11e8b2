"""How those of torch's operators are written that go number by number, and the softmax."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.graph import Draft, Value

__all__ = ["ELEMENTWISE", "Call", "Made", "Rule"]

Made = Value | Tensor | list["Made"] | None


@dataclass(frozen=True)
class Call:
    """One operator as it ran."""

    operator: str
    draft: Draft
    name: str
    given: Mapping[str, Any]  # by the names of torch's schema: values, numbers, settings
    shape: tuple[int, ...]  # of what it gives

    def value(self, key: str = "self") -> Value:
        """Return an argument that was computed of the pictures."""
        found = self.given[key]
        if not isinstance(found, Value):
            raise self.refusal(f"{key} is no value of the graph")
        return found

    def numbers(self, key: str) -> Tensor | None:
        """Return an argument that holds weights."""
        found = self.given[key]
        if found is not None and not isinstance(found, Tensor):
            raise self.refusal(f"{key} depends on the pictures")
        return found

    def operand(self, key: str) -> str:
        """Return what an argument is called, whatever it is."""
        found = self.given[key]
        if isinstance(found, Value):
            return found.name
        if isinstance(found, Tensor):
            return self.draft.tensor(f"{self.name}.{key}", found)
        return self.draft.number(f"{self.name}.{key}", found)

    def write(self, operator: str, inputs: Sequence[str], **attributes: Any) -> Value:
        """Append the node that gives the result."""
        return Value(self.draft.node(operator, inputs, self.name, **attributes), self.shape)

    def step(self, operator: str, inputs: Sequence[str], what: str, **attributes: Any) -> str:
        """Append a node on the way to the result."""
        return self.draft.node(operator, inputs, f"{self.name}/{what}", **attributes)

    def axes(self, key: str) -> list[int]:
        """Return axes, counted from the batch as 0."""
        found = self.given[key]
        rank = len(self.value().shape) + 1
        listed = [found] if isinstance(found, int) else found or list(range(1, rank))
        return [axis % rank for axis in listed]

    def refusal(self, why: str) -> WeightsError:
        """Return the error for a way of using an operator that has no rule."""
        return WeightsError(
            f'"{self.operator}" of the layer "{self.name}" cannot be written as ONNX: {why}. '
            "Choose --to torchscript."
        )


Rule = Callable[[Call], Made]


def _sum_of_two(operator: str) -> Rule:
    """Write self + alpha * other, or self - alpha * other."""

    def rule(call: Call) -> Made:
        other, alpha = call.operand("other"), call.given.get("alpha", 1)
        if alpha != 1:
            factor = call.draft.number(f"{call.name}/alpha", alpha)
            other = call.step("Mul", [other, factor], "scaled")
        return call.write(operator, [call.operand("self"), other])

    return rule


def _of_two(operator: str, second: str = "other") -> Rule:
    return lambda call: call.write(operator, [call.operand("self"), call.operand(second)])


def _alone(operator: str, key: str = "self", **attributes: str) -> Rule:
    """Write an operator of one value; attributes are called so in torch."""

    def rule(call: Call) -> Made:
        settings = {name: float(call.given[own]) for name, own in attributes.items()}
        return call.write(operator, [call.value(key).name], **settings)

    return rule


def _clip(call: Call) -> Made:
    low, high = (call.given.get(key, call.given.get(f"{key}_val")) for key in ("min", "max"))
    if call.operator.startswith("aten.relu6"):
        low, high = 0.0, 6.0
    x = call.value().name
    least = None if low is None else call.draft.number(f"{call.name}/least", low)
    most = None if high is None else call.draft.number(f"{call.name}/most", high)
    if least is not None and most is not None:
        return call.write("Min", [call.step("Max", [x, least], "above"), most])
    if least is not None:
        return call.write("Max", [x, least])
    assert most is not None
    return call.write("Min", [x, most])


def _silu(call: Call) -> Made:
    gate = call.step("Sigmoid", [call.value().name], "gate")
    return call.write("Mul", [call.value().name, gate])


def _gelu(call: Call) -> Made:
    x, draft = call.value().name, call.draft
    if call.given["approximate"] == "none":
        scaled = call.step("Mul", [x, draft.number(f"{call.name}/root", math.sqrt(0.5))], "scaled")
        bent = call.step("Erf", [scaled], "erf")
    else:
        square = call.step("Mul", [x, x], "square")
        third = call.step(
            "Mul", [square, draft.number(f"{call.name}/third", 0.044715)], "third_part"
        )
        one = call.step("Add", [third, draft.number(f"{call.name}/one", 1.0)], "factor")
        inside = call.step("Mul", [x, one], "inside")
        root = draft.number(f"{call.name}/root", math.sqrt(2 / math.pi))
        bent = call.step("Tanh", [call.step("Mul", [inside, root], "scaled")], "tanh")
    share = call.step("Add", [bent, draft.number(f"{call.name}/shift", 1.0)], "shifted")
    half = call.step("Mul", [share, draft.number(f"{call.name}/half", 0.5)], "share")
    return call.write("Mul", [x, half])


def _hard_sigmoid(call: Call) -> Made:
    return call.write("HardSigmoid", [call.value().name], alpha=1 / 6, beta=0.5)


def _rsqrt(call: Call) -> Made:
    return call.write("Reciprocal", [call.step("Sqrt", [call.value().name], "root")])


def _as_numbers(call: Call) -> Made:
    """Write a change of type: a graph has one for all that is no whole number."""
    if call.given.get("dtype") not in (None, torch.float16, torch.float32, torch.float64):
        raise call.refusal(f"it makes {call.given['dtype']} of its input")
    return call.value()


def _softmax(operator: str) -> Rule:
    return lambda call: call.write(operator, [call.value().name], axis=call.axes("dim")[0])


ELEMENTWISE: Mapping[str, Rule] = {
    "add.Tensor": _sum_of_two("Add"),
    "sub.Tensor": _sum_of_two("Sub"),
    "mul.Tensor": _of_two("Mul"),
    "div.Tensor": _of_two("Div"),
    "maximum": _of_two("Max"),
    "minimum": _of_two("Min"),
    "pow.Tensor_Scalar": _of_two("Pow", "exponent"),
    "pow.Tensor_Tensor": _of_two("Pow", "exponent"),
    "relu": _alone("Relu"),
    "leaky_relu": _alone("LeakyRelu", alpha="negative_slope"),
    "elu": _alone("Elu", alpha="alpha"),
    "sigmoid": _alone("Sigmoid"),
    "tanh": _alone("Tanh"),
    "softplus": _alone("Softplus"),
    "hardswish": _alone("HardSwish"),
    "hardsigmoid": _hard_sigmoid,
    "hardtanh": _clip,
    "relu6": _clip,
    "clamp": _clip,
    "clamp_min": _clip,
    "silu": _silu,
    "gelu": _gelu,
    "abs": _alone("Abs"),
    "neg": _alone("Neg"),
    "exp": _alone("Exp"),
    "log": _alone("Log"),
    "sqrt": _alone("Sqrt"),
    "square": lambda call: call.write("Mul", [call.value().name] * 2),
    "rsqrt": _rsqrt,
    "softmax.int": _softmax("Softmax"),
    "log_softmax.int": _softmax("LogSoftmax"),
    **dict.fromkeys(("_to_copy", "to.dtype"), _as_numbers),
}
"""Operators by name, without "aten", and how each is written."""
