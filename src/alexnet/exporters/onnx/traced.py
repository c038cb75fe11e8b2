"""Networks of other people as nodes: torch says which of its operators run, and each has a rule.

`torch.export` runs the module once and gives its operators in order, with the shapes between them;
`torch_rules` says how each is written.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import torch
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.exporters.onnx.torch_elementwise import Call
from alexnet.exporters.onnx.torch_ops import RULES
from alexnet.models import ForeignNetwork
from alexnet.nn import plain_layers

__all__ = ["write_traced"]

_SIZE = object()
"""Stands for what depends on the number of pictures alone, and for assertions."""

_PART = "<built-in function getitem>"


def write_traced(draft: Draft, network: ForeignNetwork, x: Value) -> str:
    """Write a torch module; return the name of its logits.

    Raises:
        WeightsError: it cannot be taken apart, or an operator has no rule.
    """
    example = torch.zeros(2, *x.shape)
    plain_layers(network, example)
    program = _taken_apart(network, example)
    held = {**program.state_dict, **program.constants}
    inputs = {each.arg.name: each.target for each in program.graph_signature.input_specs}
    made: dict[Any, Any] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            target = inputs[node.name]
            made[node] = x if target is None else held[target].detach()
        elif node.op == "call_function":
            made[node] = _made(draft, node, made)
            if isinstance(made[node], Value) and len(node.users) == 1:
                draft.single.add(made[node].name)
    output = next(node for node in program.graph.nodes if node.op == "output")
    return cast("Value", made[output.args[0][0]]).name


def _taken_apart(network: ForeignNetwork, example: Tensor) -> Any:
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                network.wrapped.eval(),
                (example,),
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            )
            return program.run_decompositions({})  # nothing is changed in place any more
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"{network.model} cannot be taken apart into operators ({said}). "
            "Choose --to torchscript."
        ) from error


def _made(draft: Draft, node: Any, made: dict[Any, Any]) -> Any:
    """Return what an operator makes: a value of the graph, or numbers where it reads no picture."""
    if str(node.target) == _PART:
        return made[node.args[0]][node.args[1]]
    found = node.meta.get("val")
    if not isinstance(found, Tensor | tuple | list):
        return _SIZE
    schema = node.target._schema.arguments
    given = {each.name: each.default_value for each in schema if each.has_default_value()}
    given |= dict(zip((each.name for each in schema), node.args, strict=False)) | node.kwargs
    given = {key: _argument(each, made) for key, each in given.items()}
    operator = str(node.target)
    if not any(isinstance(each, Value) for each in _flat(given.values())):
        if any(each is _SIZE for each in _flat(given.values())):
            raise _mixed(operator)
        return node.target(**given)
    if operator not in RULES:
        raise WeightsError(
            f'No rule says how "{operator}" of the layer "{_name(node)}" is written as ONNX. '
            "Choose --to torchscript."
        )
    return RULES[operator](Call(operator, draft, _name(node), given, _shape(found, operator)))


def _argument(given: Any, made: dict[Any, Any]) -> Any:
    if isinstance(given, torch.fx.Node):
        return made[given]
    if isinstance(given, list | tuple):
        return [_argument(each, made) for each in cast("list[Any]", given)]
    return given


def _flat(values: Any) -> list[Any]:
    lists = (cast("list[Any]", each) if isinstance(each, list) else [each] for each in values)
    return [each for listed in lists for each in listed]


def _name(node: Any) -> str:
    """Return the name of the layer that an operator is of, or its own."""
    stack: list[tuple[str, Any]] = [*(node.meta.get("nn_module_stack") or {}).values()]
    return str(stack[-1][0] or node.name) if stack else str(node.name)


def _shape(found: Any, operator: str) -> tuple[int, ...]:
    """Return a result's shape without the batch, which must be its first axis and its only one."""
    tensor = found if isinstance(found, Tensor) else found[0]
    batch, *rest = tensor.shape
    if isinstance(batch, int) or not all(isinstance(each, int) for each in rest):
        raise _mixed(operator)
    return tuple(rest)


def _mixed(operator: str) -> WeightsError:
    return WeightsError(
        f'"{operator}" mixes pictures with something else, which cannot be written as ONNX. '
        "Choose --to torchscript."
    )
