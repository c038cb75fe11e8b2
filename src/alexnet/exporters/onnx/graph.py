"""An ONNX graph while it is being written: nodes, tensors, names; ONNX's library only at the end.

Every value is called as the layer that makes it, and what lies between as the layer, a slash and
what it is: "norm1/squares". Tensors are called as in the weights: "conv1.weight".

Legend: a shape is (C, H, W) or (D,), without the batch, which may have any size.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError

__all__ = ["BATCH", "Node", "OnnxGraph", "Value", "import_onnx"]

OPSET, IR_VERSION = 17, 8
"""Of the operators and of the file: old enough for programs of 2022, and all that is needed."""

BATCH = "N"

_FLOAT, _HALF, _BYTE = 1, 10, 2  # TensorProto.FLOAT, FLOAT16, UINT8
_DTYPES = {"float32": _FLOAT, "float16": _HALF, "uint8": _BYTE}


def import_onnx() -> Any:
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


class OnnxGraph:
    """Nodes in order, and the tensors that they use.

    Args:
        half: store tensors as float16 and compute in it, except where float32 is requested.
        plain: no operator for normalization.

    Attributes:
        single_use: values that one node alone reads.
        full_precision: names of the nodes that stay in float32 where the others become int8.
        shapes: of the values that layers make.
        opset, ir_version: of the file; raised where nodes need it.
    """

    def __init__(self, *, half: bool = False, plain: bool = False) -> None:
        self.half, self.plain = half, plain
        self.opset, self.ir_version = OPSET, IR_VERSION
        self.single_use: set[str] = set()
        self.full_precision: set[str] = set()
        self.nodes: list[Node] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._used_names: set[str] = set()
        self._float32: set[str] = set()

    def name(self, preferred: str) -> str:
        """Return a name that no value has yet."""
        name, number = preferred, 2
        while name in self._used_names:
            name, number = f"{preferred}_{number}", number + 1
        self._used_names.add(name)
        return name

    def node(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node of one output, which is called as the node; return that name."""
        return self.multi_output_node(operator, inputs, name, 1, **attributes)[0]

    def multi_output_node(
        self, operator: str, inputs: Sequence[str], name: str, count: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node of several outputs."""
        own = self.name(name)
        outputs = (own,) if count == 1 else tuple(self.name(f"{own}/{i}") for i in range(count))
        self.nodes.append(Node(operator, own, tuple(inputs), outputs, attributes))
        return outputs

    @contextmanager
    def keep_precision(self) -> Generator[None]:
        """Say that the nodes which are appended meanwhile stay in float32, also in an int8 file."""
        first = len(self.nodes)
        yield
        self.full_precision.update(node.name for node in self.nodes[first:])

    def tensor(
        self, name: str, values: torch.Tensor | NDArray[Any], *, float32: bool = False
    ) -> str:
        """Store a tensor; of floating point it becomes float16 in a half graph unless `float32`."""
        array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
        own = self.name(name)
        self.tensors[own] = array
        if float32:
            self._float32.add(own)
        return own

    def ints(self, name: str, *values: int) -> str:
        """Store integers, as axes and shapes are given."""
        return self.tensor(name, np.array(values, dtype=np.int64))

    def scalar(self, name: str, value: float, *, float32: bool = False) -> str:
        """Store one number."""
        return self.tensor(name, np.array(value, dtype=np.float32), float32=float32)

    def to_float32(self, value: str, name: str) -> str:
        """Return a value in float32."""
        return self.node("Cast", [value], name, to=_FLOAT) if self.half else value

    def to_compute_dtype(self, value: str, name: str) -> str:
        """Return a float32 value in the dtype that the graph computes in."""
        return self.node("Cast", [value], name, to=_HALF) if self.half else value

    def cast_image(self, value: str, name: str) -> str:
        """Return uint8 pixels as float32."""
        return self.node("Cast", [value], name, to=_FLOAT)

    def reshape(self, value: str, shape: Sequence[int], name: str) -> str:
        """Read the numbers of each image in another shape."""
        return self.node("Reshape", [value, self.ints(f"{name}/shape", 0, *shape)], name)

    def append_input(self, node: Node, value: str) -> None:
        """Give a node one input more."""
        self.nodes[self.nodes.index(node)] = replace(node, inputs=(*node.inputs, value))

    def producer(self, value: str) -> Node | None:
        """Return the node that makes a value."""
        return next((node for node in reversed(self.nodes) if value in node.outputs), None)

    def model(
        self,
        *,
        input: tuple[str, str, Sequence[int]],  # noqa: A002 - ONNX's word
        output: tuple[str, int],
        title: str,
        metadata: Mapping[str, str],
        outside: Collection[str] = (),
    ) -> Any:
        """Return the ModelProto.

        Args:
            input: name, dtype and shape of the input.
            output: name and count of the output's numbers.
            title: name of the graph.
            metadata: texts that travel in the file.
            outside: names of tensors that whoever opens the model gives it.

        Raises:
            WeightsError: float16 cannot hold some numbers.
            AlexNetError: onnx is not installed.
        """
        onnx = import_onnx()
        helper = onnx.helper
        name, dtype, shape = input
        compute_dtype = _HALF if self.half else _FLOAT
        proto = helper.make_graph(
            [
                helper.make_node(n.operator, n.inputs, n.outputs, name=n.name, **n.attributes)
                for n in self.nodes
            ],
            title,
            [helper.make_tensor_value_info(name, _DTYPES[dtype], [BATCH, *shape])],
            [helper.make_tensor_value_info(output[0], _FLOAT, [BATCH, output[1]])],
            [
                _outside_tensor(onnx, name, self.tensors[name].shape)
                if name in outside
                else onnx.numpy_helper.from_array(self._stored(name), name)
                for name in self.tensors
            ],
            value_info=[
                helper.make_tensor_value_info(value, compute_dtype, [BATCH, *inner])
                for value, inner in self.shapes.items()
            ],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(proto, opset_imports=opsets, ir_version=self.ir_version)
        model.producer_name = "alexnet"
        helper.set_model_props(model, dict(metadata))
        return model

    def _stored(self, name: str) -> NDArray[Any]:
        """Return a tensor as the file stores it."""
        array = np.ascontiguousarray(self.tensors[name])
        if array.dtype.kind != "f":
            return array
        array = array.astype(np.float32, copy=False)
        if name in self._float32 or not self.half:
            return array
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if bool((np.isinf(half) & np.isfinite(array)).any()):
            raise WeightsError(
                f'The tensor "{name}" reaches {np.abs(array).max():.3g}, which fp16 cannot hold. '
                "Choose --precision fp32."
            )
        return half


def _outside_tensor(onnx: Any, name: str, shape: Sequence[int]) -> Any:
    """Return a float32 TensorProto without numbers: they lie elsewhere."""
    proto = onnx.TensorProto(name=name, dims=shape, data_type=_FLOAT)
    proto.data_location = onnx.TensorProto.EXTERNAL
    # A file that is never opened: ONNX Runtime asks for a name, and takes what it is given instead.
    proto.external_data.add(key="location", value="weights")
    return proto
