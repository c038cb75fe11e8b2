"""Every kind of layer, against itself: what torch makes of an input and what ONNX Runtime does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from alexnet.errors import WeightsError
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.layers import write_layer
from alexnet.models import GroupedLayers, SummedLayers
from alexnet.nn import (
    PROGRAM_ACTIVATIONS,
    AvgPool,
    CaffePool,
    ChannelScale,
    Concat,
    ContrastNorm,
    Convolution,
    Dropout,
    Eltwise,
    FullyConnected,
    Grayscale,
    LocallyConnected,
    MaxPool,
    OffsetPool,
    ProgramActivation,
    Reshape,
    ResponseNorm,
    Slice,
)

from .conftest import run_layer


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32))


def drawn(layer: nn.Module) -> nn.Module:
    """Draw every parameter and buffer of floating point."""
    for i, each in enumerate(layer.state_dict().values()):
        if each.is_floating_point():
            each.copy_(numbers(*each.shape, seed=i) / 3)
    if isinstance(layer, nn.BatchNorm2d):
        layer.running_var.abs_().add_(0.1)
    return layer.eval()


def check(said, tolerance: float = 1e-5) -> None:
    assert said.found.shape == said.wanted.shape
    torch.testing.assert_close(said.found, said.wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("settings", "operator"),
    [
        ({"size": 5}, True),
        ({"size": 5, "towers": 2, "k": 1.0, "beta": 0.5}, True),
        ({"size": 9, "divide": True, "alpha": 0.01}, True),
        ({"size": 4, "alpha": 0.1}, False),  # ONNX's even windows lie otherwise
        ({"size": 11, "alpha": 0.1, "towers": 3}, True),
        ({"size": 3, "region": "spatial", "alpha": 0.3}, False),
        ({"size": 4, "region": "spatial", "divide": True}, False),
    ],
)
def test_a_normalization_is_itself(settings, operator, plain):
    said = run_layer(ResponseNorm(**settings), numbers(2, 12, 5, 6) * 20, plain=plain)
    check(said)
    assert ("LRN" in said.operators) == (operator and not plain)
    assert not {"LRN", "ReduceSum"} & set(said.operators) or not plain


def test_sums_of_squares_stay_wide_in_half_precision():
    x = numbers(2, 12, 5, 6) * 300  # squares pass 65,504
    for layer in (ResponseNorm(5), ResponseNorm(4), ContrastNorm(3)):
        check(run_layer(layer, x, half=True), 0.01)


@pytest.mark.parametrize("size", [3, 4])
def test_a_contrast_norm_is_itself(run_one_layer, size):
    check(run_one_layer(ContrastNorm(size, alpha=0.5), numbers(2, 4, 6, 5)))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pools_round_as_their_authors_do(data):
    kernel, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    height, width = data.draw(st.integers(5, 9)), data.draw(st.integers(5, 9))
    x = numbers(2, 3, height, width)
    ceiling, padding = data.draw(st.booleans()), data.draw(st.integers(0, kernel - 1))
    for kind in ("max", "avg"):
        two = {"stride": (stride,) * 2, "padding": (padding,) * 2}
        check(run_layer(CaffePool(kind, (kernel, kernel), **two, ceiling=ceiling), x))
    if stride <= kernel:
        check(run_layer(MaxPool(kernel, stride=stride, ceiling=ceiling), x))
        check(run_layer(AvgPool(kernel, stride=stride, ceiling=ceiling), x))
        start, outputs = data.draw(st.integers(1 - kernel, 2)), data.draw(st.integers(1, 3))
        for kind in ("max", "maxabs", "avg"):
            layer = OffsetPool(kind, kernel, stride=stride, start=start, outputs=outputs)
            side = min(height, width)
            if not layer.has_empty_window(side):
                check(run_layer(layer, x[:, :, :side, :side]))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        Convolution(4, 6, kernel=3, stride=2, ceiling=True, towers=2),
        Convolution(4, 6, kernel=5, padding=2, bias=False),
        nn.Conv2d(4, 8, (3, 2), stride=(1, 2), padding=(0, 1), dilation=(2, 1), groups=4),
        LocallyConnected(4, 3, positions=5, kernel=3, stride=2, padding=1, ceiling=True),
        LocallyConnected(4, 3, positions=6, kernel=3, bias=False),
        GroupedLayers([LocallyConnected(2, 3, positions=8, kernel=3, padding=1) for _ in range(2)]),
        FullyConnected(256, 5),
        FullyConnected(256, 5, bias=False),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        ChannelScale((4,)),
        ChannelScale((8, 8), axis=2, bias=False),
        nn.PReLU(4),
        nn.PReLU(),
        nn.LeakyReLU(0.1),
        nn.ELU(0.7),
        nn.ReLU(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Softmax(1),
        nn.Flatten(),
        nn.Flatten(2, 3),
        Dropout(0.3),
        Dropout(0.3, inverted=True),
        Slice(1, 1, 2),
        Slice(3, 2, 4),
        Reshape((16, 4, 4)),
    ],
    ids=repr,
)
def test_a_layer_of_one_input_is_itself(layer, half):
    check(run_layer(drawn(layer), numbers(3, 4, 8, 8), half=half), 0.02 if half else 1e-5)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_gray_is_itself(run_one_layer, order):
    check(run_one_layer(Grayscale(order), numbers(2, 3, 4, 4)))


@pytest.mark.parametrize(
    "layer",
    [
        Eltwise("sum"),
        Eltwise("sum", (0.5, -2.0, 1.0)),
        Eltwise("product"),
        Eltwise("max"),
        Concat(),
        Concat(2),
        SummedLayers([Convolution(4, 6, kernel=3, bias=i == 0) for i in range(3)]),
        SummedLayers(
            [Convolution(4, 6, kernel=3, bias=False) for _ in range(3)], torch.ones(6, 3, 3)
        ),
    ],
    ids=repr,
)
def test_a_layer_of_several_inputs_is_itself(layer):
    check(run_layer(drawn(layer), *(numbers(2, 4, 5, 5, seed=i) for i in range(3))))


@pytest.mark.parametrize("kind", PROGRAM_ACTIVATIONS)
def test_a_neuron_is_itself(run_one_layer, kind):
    x = numbers(2, 4, 3, 3)
    x = x.abs() if kind in ("sqrt", "log") else x
    check(
        run_one_layer(
            ProgramActivation(kind, *(1.5, 0.7)[: PROGRAM_ACTIVATIONS[kind].parameters]), x
        )
    )


@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_norm_becomes_part_of_the_convolution_before_it(run_one_layer, bias):
    class Both(nn.Sequential):
        pass

    from alexnet.exporters.onnx import layers

    def both(graph, name, layer, inputs):
        made = write_layer(graph, "conv", layer[0], inputs)
        graph.single_use.add(made)
        return write_layer(graph, "bn", layer[1], [Value(made, (6, 6, 6))])

    layers._LAYERS[Both] = both
    try:
        net = Both(drawn(Convolution(4, 6, kernel=3, bias=bias)), drawn(nn.BatchNorm2d(6)))
        said = run_one_layer(net.eval(), numbers(2, 4, 8, 8))
    finally:
        del layers._LAYERS[Both]
    check(said)
    assert said.operators == ["Conv", "Identity"]


def test_what_has_no_rule_is_told():
    with pytest.raises(WeightsError, match=r'The layer "odd" \(GLU\) cannot be written as ONNX'):
        write_layer(OnnxGraph(), "odd", nn.GLU(), [Value("x", (4,))])
    reflecting = nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")
    with pytest.raises(WeightsError, match='"odd" pads by "reflect"'):
        write_layer(OnnxGraph(), "odd", reflecting, [Value("x", (1, 4, 4))])
