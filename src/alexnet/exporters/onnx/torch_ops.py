"""How torch's operators are written as ONNX's: a table of rules by the operators' names.

Legend: a shape is without the batch, which stands first in every value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from alexnet.exporters.onnx import windows
from alexnet.exporters.onnx.graph import Value
from alexnet.exporters.onnx.layers import batch_norm
from alexnet.exporters.onnx.torch_elementwise import ELEMENTWISE, Call, Made, Rule

__all__ = ["RULES"]


def _conv(call: Call) -> Made:
    weight, padding, overhang = call.numbers("weight"), call.given["padding"], [0, 0]
    assert weight is not None
    if padding == "valid":
        padding = [0, 0]
    elif padding == "same":  # the odd one of an even sum stands at the end
        sizes = zip(weight.shape[2:], call.given["dilation"], strict=True)
        around = [step * (side - 1) for side, step in sizes]
        padding, overhang = [each // 2 for each in around], [each % 2 for each in around]
    made = windows.convolution(
        call.draft,
        call.name,
        call.value("input"),
        weight,
        call.numbers("bias"),
        stride=call.given["stride"],
        padding=padding,
        dilation=call.given["dilation"],
        groups=call.given["groups"],
        overhang=overhang,
    )
    return Value(made, call.shape)


def _linear(call: Call) -> Made:
    x, weight, bias = call.value("input"), call.numbers("weight"), call.numbers("bias")
    assert weight is not None
    if len(x.shape) == 1:
        numbers = [call.draft.tensor(f"{call.name}.weight", weight)]
        numbers += [] if bias is None else [call.draft.tensor(f"{call.name}.bias", bias)]
        return call.write("Gemm", [x.name, *numbers], transB=1)
    turned = call.draft.tensor(f"{call.name}.weight", weight.t())
    if bias is None:
        return call.write("MatMul", [x.name, turned])
    product = call.step("MatMul", [x.name, turned], "product")
    return call.write("Add", [product, call.draft.tensor(f"{call.name}.bias", bias)])


def _batch_norm(call: Call) -> Made:
    keys = ("running_mean", "running_var", "weight", "bias")
    numbers = [call.numbers(key) for key in keys]
    made = batch_norm(call.draft, call.name, call.value("input"), numbers, call.given["eps"])
    return [Value(made, call.value("input").shape), None, None]


def _layer_norm(call: Call) -> Made:
    shape = call.given["normalized_shape"]
    weight = call.numbers("weight")
    scale = torch.ones(shape) if weight is None else weight
    numbers = [call.draft.tensor(f"{call.name}.weight", scale)]
    bias = call.numbers("bias")
    numbers += [] if bias is None else [call.draft.tensor(f"{call.name}.bias", bias)]
    settings = {"axis": -len(shape), "epsilon": call.given["eps"]}
    return call.write("LayerNormalization", [call.value("input").name, *numbers], **settings)


def _windows(call: Call, rank: int = 2) -> windows.Windows:
    def several(key: str) -> list[int]:
        found = call.given[key]
        listed = [found] if isinstance(found, int) else list(found)
        return listed * (rank if len(listed) == 1 else 1)

    stride = several("stride") if call.given["stride"] else several("kernel_size")
    return windows.Windows(
        kernel=several("kernel_size"),
        stride=stride,
        padding=several("padding"),
        outputs=call.shape[-rank:],
    )


def _max_pool(call: Call) -> Made:
    dilation = call.given["dilation"]
    dilation = [dilation] * 2 if isinstance(dilation, int) else list(dilation)
    dilation *= 2 if len(dilation) == 1 else 1
    made = windows.max_pool(call.draft, call.name, call.value(), _windows(call), dilation=dilation)
    return Value(made, call.shape)


def _mean_pool(rank: int) -> Rule:
    def rule(call: Call) -> Made:
        if call.given["divisor_override"] is not None:
            raise call.refusal("it divides by a number of its own")
        counts = bool(call.given["count_include_pad"])
        made = windows.mean_pool(
            call.draft, call.name, call.value(), _windows(call, rank), counts_padding=counts
        )
        return Value(made, call.shape)

    return rule


def _adaptive_mean(call: Call) -> Made:
    """Write means over as many parts as are wanted: products with two matrices."""
    x, wanted = call.value(), call.shape[-2:]
    if wanted == x.shape[-2:]:
        return x
    if wanted == (1, 1):
        return call.write("GlobalAveragePool", [x.name])
    down, across = (_shares(size, count) for size, count in zip(x.shape[-2:], wanted, strict=True))
    rows = call.step("MatMul", [call.draft.tensor(f"{call.name}/down", down), x.name], "rows")
    return call.write("MatMul", [rows, call.draft.tensor(f"{call.name}/across", across.t())])


def _shares(size: int, count: int) -> Tensor:
    """Return (count, size): which share each position has in each mean."""
    shares = torch.zeros(count, size)
    for i in range(count):
        start, end = i * size // count, -(-(i + 1) * size // count)
        shares[i, start:end] = 1 / (end - start)
    return shares


def _pad(call: Call) -> Made:
    if call.given.get("mode", "constant") != "constant":
        raise call.refusal(f"it pads by {call.given['mode']}")
    pairs = list(call.given["pad"])
    rank = len(call.value().shape) + 1
    before, after = [0] * rank, [0] * rank
    for i in range(len(pairs) // 2):
        before[rank - 1 - i], after[rank - 1 - i] = pairs[2 * i], pairs[2 * i + 1]
    ends = call.draft.whole(f"{call.name}/pads", *before, *after)
    fill = call.draft.number(f"{call.name}/fill", float(call.given.get("value") or 0))
    return call.write("Pad", [call.value().name, ends, fill])


def _reduced(operator: str) -> Rule:
    def rule(call: Call) -> Made:
        axes, keep = call.axes("dim"), int(bool(call.given["keepdim"]))
        if 0 in axes:
            raise call.refusal("it takes pictures together")
        if operator == "ReduceSum":
            own = call.draft.whole(f"{call.name}/axes", *axes)
            return call.write(operator, [call.value().name, own], keepdims=keep)
        return call.write(operator, [call.value().name], axes=axes, keepdims=keep)

    return rule


def _reshaped(call: Call) -> Made:
    found = call.draft.reshape(call.value().name, call.shape, call.name)
    return Value(found, call.shape)


def _transposed(call: Call) -> Made:
    rank = len(call.value().shape) + 1
    order = list(range(rank))
    if "dims" in call.given:
        order = [axis % rank for axis in call.given["dims"]]
    else:
        one, other = call.given["dim0"] % rank, call.given["dim1"] % rank
        order[one], order[other] = other, one
    if order[0] != 0:
        raise call.refusal("it moves the batch")
    return call.write("Transpose", [call.value().name], perm=order)


def _joined(call: Call) -> Made:
    parts: list[Any] = call.given["tensors"]
    if not all(isinstance(each, Value) for each in parts):
        raise call.refusal("it lays weights beside values")
    rank = len(call.shape) + 1
    axis = call.given["dim"] % rank
    return call.write("Concat", [each.name for each in parts], axis=axis)


def _slice(call: Call) -> Made:
    axis = call.axes("dim")[0]
    if axis == 0:
        return call.value()  # export takes the whole batch so
    start, end = call.given["start"] or 0, call.given["end"]
    end = 2**31 - 1 if end is None or not isinstance(end, int) else end
    made = windows.part(
        call.draft,
        call.name,
        call.value().name,
        (axis,),
        (start,),
        (min(end, 2**31 - 1),),
        (call.given["step"],),
    )
    return Value(made, call.shape)


def _select(call: Call) -> Made:
    axis, index = call.axes("dim")[0], call.given["index"]
    if axis == 0:
        raise call.refusal("it takes one picture of several")
    place = call.draft.tensor(f"{call.name}/place", torch.tensor(index).numpy())
    return call.write("Gather", [call.value().name, place], axis=axis)


def _split(call: Call) -> Made:
    """Write parts of some length each, the last one shorter."""
    axis, x = call.axes("dim")[0], call.value()
    whole = x.shape[axis - 1]
    if "split_sizes" in call.given:
        sizes = list(call.given["split_sizes"])
    else:
        asked = call.given.get("split_size") or -(-whole // call.given["chunks"])
        sizes = [min(asked, whole - start) for start in range(0, whole, asked)]
    own = call.draft.whole(f"{call.name}/sizes", *sizes)
    names = call.draft.split("Split", [x.name, own], call.name, len(sizes), axis=axis)
    return [
        Value(name, (*x.shape[: axis - 1], size, *x.shape[axis:]))
        for name, size in zip(names, sizes, strict=True)
    ]


def _einsum(call: Call) -> Made:
    parts: list[Any] = call.given["tensors"]
    names = [
        each.name if isinstance(each, Value) else call.draft.tensor(f"{call.name}.weight", each)
        for each in parts
    ]
    return call.write("Einsum", names, equation=call.given["equation"].replace(" ", ""))


def _product(call: Call) -> Made:
    second = "other" if "other" in call.given else "mat2"
    return call.write("MatMul", [call.operand("self"), call.operand(second)])


_RESHAPING = (
    *("view", "reshape", "_unsafe_view", "flatten.using_ints", "unflatten.int"),
    *("squeeze", "squeeze.dim", "squeeze.dims", "unsqueeze"),
)
_PASSING = ("clone", "contiguous", "detach", "alias", "dropout", "feature_dropout")

_RULES: dict[str, Rule] = {
    **ELEMENTWISE,
    "conv2d": _conv,
    "conv2d.padding": _conv,
    "linear": _linear,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "layer_norm": _layer_norm,
    "max_pool2d": _max_pool,
    "avg_pool2d": _mean_pool(2),
    "avg_pool3d": _mean_pool(3),
    "adaptive_avg_pool2d": _adaptive_mean,
    "pad": _pad,
    "constant_pad_nd": _pad,
    "mean.dim": _reduced("ReduceMean"),
    "sum.dim_IntList": _reduced("ReduceSum"),
    "amax": _reduced("ReduceMax"),
    "permute": _transposed,
    "transpose.int": _transposed,
    "cat": _joined,
    "slice.Tensor": _slice,
    "select.int": _select,
    "split.Tensor": _split,
    "split_with_sizes": _split,
    "chunk": _split,
    "einsum": _einsum,
    "matmul": _product,
    "bmm": _product,
    **dict.fromkeys(_RESHAPING, _reshaped),
    **dict.fromkeys(_PASSING, lambda call: call.value()),
}

RULES: Mapping[str, Rule] = {
    f"aten.{name if '.' in name else name + '.default'}": rule for name, rule in _RULES.items()
}
"""Each of torch's operators, as `torch.export` calls it, and how it is written."""
