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
    AdaptiveAvgPool,
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

from .conftest import run_layer, run_with_opencv, run_with_openvino


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


UNUSUAL_NORMS = [
    ResponseNorm(5, k=1.5, alpha=0.1),
    ResponseNorm(5, k=0.25, alpha=0.1, towers=2),
    ResponseNorm(3, k=2.0 + 2**-20, alpha=0.1),
    ResponseNorm(3, k=2.0**40, alpha=0.1),
    ResponseNorm(5, alpha=0.0),
    ResponseNorm(5, alpha=1e-60),
    ResponseNorm(5, alpha=-1e-8),
    ResponseNorm(5, alpha=0.1, beta=0.0),
    ResponseNorm(5, alpha=0.1, beta=-0.75),
    ResponseNorm(1, k=0.5, alpha=0.1),
]


@pytest.mark.parametrize("size", [1, 300])
@pytest.mark.parametrize("norm", UNUSUAL_NORMS, ids=repr)
def test_settings_that_a_reader_misreads_or_refuses_are_written_out(norm, size):
    """OpenVINO cuts a k of 1.5 to 1; ONNX Runtime refuses an alpha or beta of 0 or below."""
    said = run_layer(norm, numbers(2, 12, 5, 6) * size)
    check(said)
    assert "LRN" not in said.operators
    torch.testing.assert_close(run_with_openvino(said), said.wanted, rtol=1e-5, atol=1e-5)


NORMS = [
    ResponseNorm(5, divide=True, k=1.0, alpha=0.5),
    ResponseNorm(5, alpha=0.1, towers=2),
    ResponseNorm(4, alpha=0.1),
    *(ResponseNorm(size, region="spatial", alpha=0.3, divide=True) for size in (1, 2, 3, 5)),
    *(ContrastNorm(size, alpha=0.5) for size in (1, 3, 4)),
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("norm", NORMS, ids=repr)
@pytest.mark.parametrize("size", [1, 300])
def test_other_programs_read_each_normalization_alike(norm, size, plain):
    """Also at the edges, where OpenCV 4.14 does not count the padding of average pools."""
    said = run_layer(norm, numbers(2, 12, 7, 6) * size, plain=plain)
    check(said)
    for run in (run_with_openvino, run_with_opencv):
        torch.testing.assert_close(run(said), said.wanted, rtol=1e-4, atol=1e-4)
    pools = [node for node in said.model.graph.node if node.op_type == "AveragePool"]
    assert not any(
        max(each.ints, default=0) if each.name == "pads" else each.i
        for node in pools
        for each in node.attribute
        if each.name in ("pads", "count_include_pad", "ceil_mode")
    )


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("ceiling", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 0), (3, 2, 1), (2, 2, 1), (5, 3, 2)]
)
@pytest.mark.parametrize("side", [6, 7, 8])
def test_other_programs_read_each_pool_alike(kind, ceiling, kernel, stride, padding, side):
    layer = CaffePool(
        kind, (kernel,) * 2, stride=(stride,) * 2, padding=(padding,) * 2, ceiling=ceiling
    )
    said = run_layer(layer, numbers(2, 3, side, side + 1) - 4)
    check(said)
    for run in (run_with_openvino, run_with_opencv):
        torch.testing.assert_close(run(said), said.wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 29), st.integers(1, 29))
def test_adaptive_pools_equal_torch_at_every_size(grid, height, width):
    said = run_layer(AdaptiveAvgPool(grid), numbers(2, 3, height, width))
    check(said)


@pytest.mark.parametrize(
    ("side", "alike"), [(3, True), (9, True), (7, True), (8, False), (10, True), (11, False)]
)
def test_every_reader_pools_to_a_grid_alike(side, alike):
    said = run_layer(AdaptiveAvgPool(3), numbers(2, 4, side, side))
    check(said)
    assert ("Slice" not in said.operators) == alike  # one pooling where all cells are alike
    torch.testing.assert_close(run_with_openvino(said), said.wanted, rtol=1e-5, atol=1e-5)
    one = run_layer(AdaptiveAvgPool(3), numbers(1, 4, side, side))
    torch.testing.assert_close(run_with_opencv(one), one.wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ceiling", [False, True])
@pytest.mark.parametrize("side", [6, 7, 8])
@pytest.mark.parametrize("pool", [MaxPool, AvgPool])
def test_other_programs_read_pools_over_the_edge_alike(pool, ceiling, side):
    said = run_layer(pool(3, stride=2, ceiling=ceiling), numbers(2, 3, side, side) - 4)
    check(said)
    for run in (run_with_openvino, run_with_opencv):
        torch.testing.assert_close(run(said), said.wanted, rtol=1e-4, atol=1e-4)


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
