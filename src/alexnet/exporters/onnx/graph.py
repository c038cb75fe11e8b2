"""A graph of ONNX while it is being written: nodes, numbers, names; nothing of ONNX's library yet.

Every value is called as the layer that makes it, and what lies between as the layer, a stroke and
what it is: "norm1/squares". Numbers are called as in the weights: "conv1.weight".

Legend: a shape is (C, H, W) or (D,), without the batch, which may have any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError

__all__ = ["BATCH", "IR", "OPSET", "Draft", "Node", "Value", "onnx_library"]

OPSET, IR = 17, 8
"""Of the operators and of the file: old enough for programs of 2022, and all that is needed."""

BATCH = "N"

_FLOAT, _HALF, _BYTE = 1, 10, 2  # TensorProto.FLOAT, FLOAT16, UINT8
_KINDS = {"float32": _FLOAT, "float16": _HALF, "uint8": _BYTE}


def onnx_library() -> Any:
    """Return the module `onnx`.

    Raises:
        AlexNetError: it is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise AlexNetError(
            'Writing ONNX needs the package onnx: pip install "alexnet[export]"'
        ) from None
    return onnx


@dataclass(frozen=True)
class Value:
    """What a node makes: its name, and its shape without the batch."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operation."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


class Draft:
    """Nodes in order, and the numbers that they use.

    Args:
        half: keep numbers as float16 and compute so, but where `full` is asked for.
        plain: no operator for normalisation.

    Attributes:
        single: values that one node alone reads.
        shapes: of the values that layers make.
    """

    def __init__(self, *, half: bool = False, plain: bool = False) -> None:
        self.half, self.plain = half, plain
        self.single: set[str] = set()
        self.nodes: list[Node] = []
        self.numbers: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._taken: set[str] = set()
        self._full: set[str] = set()

    def name(self, wanted: str) -> str:
        """Return a name that no value has yet."""
        free, number = wanted, 2
        while free in self._taken:
            free, number = f"{wanted}_{number}", number + 1
        self._taken.add(free)
        return free

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node of one output, which is called as the node; return that name."""
        return self.split(operator, inputs, name, 1, **attributes)[0]

    def split(
        self, operator: str, inputs: Sequence[str], name: str, count: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node of several outputs."""
        own = self.name(name)
        outputs = (own,) if count == 1 else tuple(self.name(f"{own}/{i}") for i in range(count))
        self.nodes.append(Node(operator, own, tuple(inputs), outputs, attributes))
        return outputs

    def tensor(self, name: str, values: torch.Tensor | NDArray[Any], *, full: bool = False) -> str:
        """Keep numbers; of floating point they become float16 in a half draft unless `full`."""
        array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
        own = self.name(name)
        self.numbers[own] = array
        if full:
            self._full.add(own)
        return own

    def whole(self, name: str, *values: int) -> str:
        """Keep whole numbers, as axes and shapes are given."""
        return self.tensor(name, np.array(values, dtype=np.int64))

    def number(self, name: str, value: float, *, full: bool = False) -> str:
        """Keep one number."""
        return self.tensor(name, np.array(value, dtype=np.float32), full=full)

    def widen(self, value: str, name: str) -> str:
        """Return a value in float32."""
        return self.node("Cast", [value], name, to=_FLOAT) if self.half else value

    def narrow(self, value: str, name: str) -> str:
        """Return a float32 value as the draft computes."""
        return self.node("Cast", [value], name, to=_HALF) if self.half else value

    def cast_picture(self, value: str, name: str) -> str:
        """Return bytes as float32."""
        return self.node("Cast", [value], name, to=_FLOAT)

    def reshape(self, value: str, shape: Sequence[int], name: str) -> str:
        """Read the numbers of each picture in another shape."""
        return self.node("Reshape", [value, self.whole(f"{name}/shape", 0, *shape)], name)

    def append_input(self, node: Node, value: str) -> None:
        """Give a node one input more."""
        place = self.nodes.index(node)
        self.nodes[place] = replace(node, inputs=(*node.inputs, value))

    def maker(self, value: str) -> Node | None:
        """Return the node that makes a value."""
        return next((node for node in reversed(self.nodes) if value in node.outputs), None)

    def model(
        self,
        *,
        takes: tuple[str, str, Sequence[int]],
        gives: tuple[str, int],
        title: str,
        metadata: Mapping[str, str],
    ) -> Any:
        """Return the ModelProto.

        Args:
            takes: name, kind and shape of the input.
            gives: name and count of the output's numbers.
            title: name of the graph.
            metadata: texts that travel in the file.

        Raises:
            WeightsError: float16 cannot hold some numbers.
            AlexNetError: onnx is not installed.
        """
        library = onnx_library()
        helper = library.helper
        name, kind, shape = takes
        inner = [
            helper.make_tensor_value_info(each, _HALF if self.half else _FLOAT, [BATCH, *found])
            for each, found in self.shapes.items()
        ]
        graph = helper.make_graph(
            [
                helper.make_node(
                    each.operator, each.inputs, each.outputs, name=each.name, **each.attributes
                )
                for each in self.nodes
            ],
            title,
            [helper.make_tensor_value_info(name, _KINDS[kind], [BATCH, *shape])],
            [helper.make_tensor_value_info(gives[0], _FLOAT, [BATCH, gives[1]])],
            [library.numpy_helper.from_array(self._stored(each), each) for each in self.numbers],
            value_info=inner,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
        model.producer_name = "alexnet"
        helper.set_model_props(model, dict(metadata))
        return model

    def _stored(self, name: str) -> NDArray[Any]:
        """Return numbers as the file keeps them."""
        array = np.ascontiguousarray(self.numbers[name])
        if array.dtype.kind != "f":
            return array
        array = array.astype(np.float32, copy=False)
        if name in self._full or not self.half:
            return array
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if bool((np.isinf(half) & np.isfinite(array)).any()):
            raise WeightsError(
                f'The numbers "{name}" reach {np.abs(array).max():.3g}, which fp16 cannot hold. '
                "Choose --precision fp32."
            )
        return half
