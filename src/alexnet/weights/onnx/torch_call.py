"""One of torch's operators as it ran, for the rules that write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.weights.onnx.draft import Draft, Value

__all__ = ["Call", "Made", "Rule"]

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
