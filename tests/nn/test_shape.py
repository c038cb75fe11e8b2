"""Slices, shapes, grayscale, scales, joined and combined inputs, against sums by hand."""

from __future__ import annotations

import pytest
import torch

from alexnet.nn import ChannelScale, Concat, Eltwise, Grayscale, Reshape, Slice


def test_slice_and_reshape():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    assert torch.equal(Slice(1, 1, 2)(x), x[:, 1:3])
    assert torch.equal(Reshape((4, 3))(x), x.reshape(2, 4, 3))
    assert repr(Slice(1, 1, 2)) == "Slice(axis=1, 1 to 2)"
    assert repr(Reshape((4, 3))) == "Reshape((4, 3))"


def test_reshape_reads_channels_last_in_logical_order():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(Reshape((12,))(last), x.reshape(2, 12))


def test_grayscale_weighs_colors_and_keeps_gray():
    red = torch.tensor([255.0, 0, 0]).reshape(1, 3, 1, 1)
    assert abs(Grayscale("RGB")(red).item() - 76.245) < 1e-4
    assert abs(Grayscale("BGR")(red).item() - 29.07) < 1e-4
    assert torch.allclose(Grayscale()(torch.full((1, 3, 2, 2), 100.0)), torch.tensor(100.0))


def test_channel_scale_starts_as_identity():
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ChannelScale((3,))(x), x)


def test_channel_scale_has_weights_per_channel():
    layer = ChannelScale((2,))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1]))
        layer.bias.copy_(torch.tensor([0.5, 0]))
    found = layer(torch.ones(1, 2, 1, 3))
    assert found.flatten().tolist() == [2.5, 2.5, 2.5, -1, -1, -1]
    rows = ChannelScale((3,), axis=2, bias=False)
    with torch.no_grad():
        rows.weight.copy_(torch.tensor([1.0, 2, 3]))
    assert rows(torch.ones(1, 1, 3, 2)).flatten().tolist() == [1, 1, 2, 2, 3, 3]
    assert [name for name, _ in rows.named_parameters()] == ["weight"]


ONE, TWO = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 0.5]])


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (Eltwise("sum"), [4, -1.5]),
        (Eltwise("sum", (2, -1)), [-1, -4.5]),
        (Eltwise("product"), [3, -1]),
        (Eltwise("max"), [3, 0.5]),
        (Concat(), [1, -2, 3, 0.5]),
    ],
    ids=str,
)
def test_concat_and_eltwise_of_two_inputs(layer, wanted):
    assert layer(ONE, TWO).tolist() == [wanted]


def test_eltwise_of_three_inputs():
    assert Eltwise("sum")(ONE, TWO, TWO).tolist() == [[7, -1]]
    assert Eltwise("max")(ONE, TWO, 9 * ONE).tolist() == [[9, 0.5]]
