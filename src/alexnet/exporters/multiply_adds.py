"""The share of multiply-adds that a written int8 file really does on quantized numbers.

It is computed from the file alone, for one image: of each convolution and matrix product its
multiply-adds, and whether both of its inputs come out of 8 bits. What a file says of itself
("int8") and what was requested do not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.exporters.onnx.graph import import_onnx
from alexnet.exporters.openvino import import_openvino

__all__ = ["onnx_quantized_share", "openvino_quantized_share"]

_PRODUCTS = ("Conv", "Gemm", "MatMul")
_OPENVINO_PRODUCTS = ("Convolution", "GroupConvolution", "MatMul")

# What OpenVINO's reader puts between a product and the 8 bits that it takes.
_DEQUANTIZATION = ("Convert", "Multiply", "Reshape", "Subtract", "Transpose")


def onnx_quantized_share(path: Path) -> float:
    """Return the share of an ONNX file's multiply-adds on 8 bits, 0 to 1.

    Raises:
        AlexNetError: onnx is not installed.
    """
    onnx = import_onnx()
    model = onnx.load(str(path))
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]  # they have any number of images
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {value.name: _dims(value) for value in graph.value_info}
    shapes |= {value.name: _dims(value) for value in [*graph.input, *graph.output]}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    makers = {name: node.op_type for node in graph.node for name in node.output}
    rows = [
        (
            _multiply_adds(node, shapes, onnx),
            all(makers.get(name) == "DequantizeLinear" for name in node.input[:2]),
        )
        for node in graph.node
        if node.op_type in _PRODUCTS
    ]
    return _share(rows)


def openvino_quantized_share(path: Path) -> float:
    """Return the share of an OpenVINO file's multiply-adds on 8 bits, 0 to 1.

    Raises:
        AlexNetError: openvino is not installed.
    """
    model = import_openvino().Core().read_model(str(path))
    (entry,) = model.inputs
    model.reshape([1, *list(entry.partial_shape)[1:]])
    rows = [
        (_openvino_multiply_adds(node), all(_is_quantized(node, i) for i in range(2)))
        for node in model.get_ordered_ops()
        if node.get_type_name() in _OPENVINO_PRODUCTS
    ]
    return _share(rows)


def _share(rows: Sequence[tuple[int, bool]]) -> float:
    total = sum(count for count, _ in rows)
    return sum(count for count, quantized in rows if quantized) / total if total else 0.0


def _dims(value: Any) -> list[int]:
    """Return the sides of a value; what the file leaves open counts as 1."""
    return [side.dim_value or 1 for side in value.type.tensor_type.shape.dim]


def _multiply_adds(node: Any, shapes: Mapping[str, Sequence[int]], onnx: Any) -> int:
    first, weight = (shapes.get(name, [1]) for name in node.input[:2])
    outputs = math.prod(shapes.get(node.output[0], [1]))
    if node.op_type == "Conv":
        return outputs * math.prod(weight[1:])
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return outputs * first[-2 if attributes.get("transA") else -1]


def _openvino_multiply_adds(node: Any) -> int:
    outputs = math.prod(node.output(0).shape)
    first, weight = (list(node.input_value(i).shape) for i in range(2))
    match node.get_type_name():
        case "Convolution":  # weights are (outputs, inputs, rows, columns)
            return outputs * math.prod(weight[1:])
        case "GroupConvolution":  # (groups, outputs, inputs, rows, columns)
            return outputs * math.prod(weight[2:])
        case _:
            return outputs * first[-2 if node.get_attributes()["transpose_a"] else -1]


def _is_quantized(node: Any, index: int) -> bool:
    """Say whether an input of a node was 8 bits before it was scaled back."""
    source = node.input_value(index).get_node()
    while source.get_type_name() in _DEQUANTIZATION:
        source = source.input_value(0).get_node()
    if source.get_type_name() == "FakeQuantize":
        return source.get_levels() <= 256
    width = source.get_output_element_type(0)
    return source.get_type_name() == "Constant" and width.get_type_name() in ("i8", "u8")
