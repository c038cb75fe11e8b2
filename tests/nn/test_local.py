"""Locally connected layers against loops, and against a convolution when all weights are equal."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn import LocallyConnected, gaussian


def drawn(**settings: int) -> LocallyConnected:
    layer = LocallyConnected(2, 3, **settings)
    gaussian(layer, 1.0, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.bias.normal_(generator=torch.Generator().manual_seed(1))
    return layer.double()


def images(side: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 2, side, side, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    ("side", "settings"),
    [
        (5, {"positions": 3, "kernel": 3}),
        (4, {"positions": 4, "kernel": 3, "padding": 1}),
        (6, {"positions": 3, "kernel": 2, "stride": 2}),
    ],
)
def test_it_equals_the_loop_over_positions(side, settings):
    layer = drawn(**settings)
    x = images(side)
    padding, stride = settings.get("padding", 0), settings.get("stride", 1)
    padded = functional.pad(x, (padding,) * 4)
    count, kernel = settings["positions"], settings["kernel"]
    wanted = torch.zeros(2, 3, count, count, dtype=torch.float64)
    for row in range(count):
        for column in range(count):
            top, left = row * stride, column * stride
            patch = padded[:, :, top : top + kernel, left : left + kernel].flatten(1)
            own = layer.weight[row * count + column]
            wanted[:, :, row, column] = patch @ own + layer.bias[:, row, column]
    torch.testing.assert_close(layer(x), wanted)


def test_with_shared_weights_it_is_a_convolution():
    layer = drawn(positions=4, kernel=3, padding=1)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[:1].expand_as(layer.weight))
        layer.bias.copy_(layer.bias[:, :1, :1].expand_as(layer.bias))
    filters = layer.weight[0].T.reshape(3, 2, 3, 3)
    x = images(4)
    wanted = functional.conv2d(x, filters, layer.bias[:, 0, 0], padding=1)
    torch.testing.assert_close(layer(x), wanted)


def test_sharing_saves_what_the_paper_says_it_does():
    """conv1 unshared would have 290,400 positions of 364 parameters each."""
    with torch.device("meta"):
        layer = LocallyConnected(3, 96, positions=55, kernel=11, stride=4)
    assert sum(each.numel() for each in layer.parameters()) == 290_400 * 364 == 105_705_600


def test_gradients_agree_with_differences():
    layer = drawn(positions=2, kernel=2)
    assert torch.autograd.gradcheck(layer, (images(3).requires_grad_(),), fast_mode=True)


def test_weights_follow_the_type_of_the_input():
    layer = drawn(positions=3, kernel=3)
    assert layer(images(5).to(torch.bfloat16)).dtype == torch.bfloat16


def test_local_input_of_other_size_raises():
    with pytest.raises(RecipeError, match=r"weights for 3 x 3 positions; .* has 4 x 4"):
        drawn(positions=3, kernel=3)(images(6))
    text = repr(drawn(positions=3, kernel=3))
    assert "2, 3, positions=3, kernel=3, stride=1, padding=0" in text


def test_rounding_up_reads_zeros_beyond_the_edge_as_a_convolution_does():
    layer = drawn(positions=3, kernel=3, stride=2, ceiling=True)
    x = images(6)
    longer = drawn(positions=3, kernel=3, stride=2)
    longer.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x), longer(functional.pad(x, (0, 1, 0, 1))))


def test_without_biases_it_has_none():
    layer = LocallyConnected(2, 3, positions=3, kernel=3, bias=False)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert not layer(torch.ones(1, 2, 5, 5)).any()
