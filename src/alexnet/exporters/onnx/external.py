"""Networks that are torch modules of others: torch's own exporter writes their nodes.

What stands before and after them, preprocessing and softmax, is written here as for any network.
"""

from __future__ import annotations

import ast
import copy
import warnings
from typing import Any

import torch

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters.onnx import external_pools as pools
from alexnet.exporters.onnx.graph import Node, OnnxGraph, Value, import_onnx
from alexnet.locks import own_warning_filters
from alexnet.models import ExternalNetwork
from alexnet.nn import replace_with_portable
from alexnet.nn.portable import PortableResponseNorm

__all__ = ["write_external"]

_OPSET, _IR_VERSION = 18, 10
"""What torch's exporter writes: it knows no older operators."""

_SCOPES = "pkg.torch.onnx.name_scopes"  # metadata of a node: names of modules, outermost first
_CLASSES = "pkg.torch.onnx.class_hierarchy"  # and their types


def write_external(graph: OnnxGraph, network: ExternalNetwork, x: Value) -> str:
    """Write a torch module; return the name of its logits.

    Raises:
        WeightsError: torch cannot export it.
        AlexNetError: onnxscript is not installed.
    """
    proto = _exported(network, torch.zeros(2, *x.shape), half=graph.half).graph
    graph.opset, graph.ir_version = _OPSET, _IR_VERSION
    onnx = import_onnx()
    names = {"": "", proto.input[0].name: x.name}
    for tensor in proto.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        # A half module may hold tensors of float32 on purpose; its nodes expect them so.
        names[tensor.name] = graph.tensor(tensor.name, array, float32=array.dtype == "float32")
    shapes = _shapes(proto)
    for node in proto.node:
        inputs = tuple(names[name] for name in node.input)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        shape, pooled = (shapes.get(name, ()) for name in (node.input[:1] + node.output[:1]))
        if pools.needs_rewriting(node.op_type, attributes) and _are_known(shape, pooled):
            own = _module_name(node)
            x, outputs = Value(inputs[0], shape), pooled[1:]
            made = pools.write_pool(graph, own, node.op_type, attributes, x, outputs)
            names[node.output[0]] = made
            continue
        own = graph.name(_module_name(node))
        outputs = [own, *(name and graph.name(name) for name in node.output[1:])]
        names |= dict(zip(node.output, outputs, strict=True))
        graph.nodes.append(Node(node.op_type, own, inputs, tuple(outputs), attributes))
        if PortableResponseNorm.__name__ in _metadata(node, _CLASSES):
            graph.full_precision.add(own)
    return names[proto.output[0].name]


def _are_known(*shapes: tuple[int, ...]) -> bool:
    return all(shape and all(shape) for shape in shapes)


def _shapes(proto: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of values without the batch; 0 where a side is not known."""
    return {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)[1:]
        for value in [*proto.input, *proto.value_info, *proto.output]
    }


def _exported(network: ExternalNetwork, example: torch.Tensor, *, half: bool) -> Any:
    """Return the ModelProto of a torch module, for any number of images."""
    try:
        import onnxscript  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise AlexNetError(
            f"Writing {network.model} as ONNX needs the package onnxscript: "
            'pip install "alexnet[export]"'
        ) from None
    replace_with_portable(network, example)
    module = network.wrapped.eval()
    if half:
        module, example = copy.deepcopy(module).half(), example.half()
    try:
        with own_warning_filters(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch 2.13 deprecates parts of its own exporter
            program: Any = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
                input_names=["input"],
                output_names=["logits"],
                opset_version=_OPSET,
                verbose=False,
            )
    except Exception as error:  # whatever torch and the module's own code raise
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise WeightsError(
            f"torch cannot export {network.model} to ONNX ({reason}). Choose --to torchscript."
        ) from error
    return _checked(program.model_proto, network.model)


def _checked(model: Any, name: str) -> Any:
    """Return the model if it is of ONNX's own operators alone, as every program knows them."""
    domains = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if domains or len(model.functions):
        raise WeightsError(
            f"{name} has operators that ONNX does not have ({', '.join(domains) or 'functions'}). "
            "Choose --to torchscript."
        )
    return model


def _metadata(node: Any, key: str) -> str:
    return next((prop.value for prop in node.metadata_props if prop.key == key), "")


def _module_name(node: Any) -> str:
    """Return the name of the module that a node is of, or else its own."""
    scopes = _metadata(node, _SCOPES) or "[]"
    # Nodes that the exporter folded together have names of its own, such as "_empty_nn_module...".
    modules: list[str] = [m for m in ast.literal_eval(scopes)[:-1] if m and not m.startswith("_")]
    return modules[-1] if modules else str(node.output[0])
