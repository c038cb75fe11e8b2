"""Convolution: the ceiling rule against zeros written out, towers against two convolutions."""

from __future__ import annotations

import math
import unittest.mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from alexnet.devices import convolving
from alexnet.errors import RecipeError
from alexnet.nn import Convolution, convolution, gaussian


def drawn(layer: Convolution, seed: int = 0) -> Convolution:
    gaussian(layer, 1.0, 0.5, generator=torch.Generator().manual_seed(seed))
    return layer.double()


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 6),
    padding=st.integers(0, 2),
    height=st.integers(5, 12),
    width=st.integers(5, 12),
)
def test_windows_beyond_the_right_and_bottom_edge_read_zeros(
    kernel, stride, padding, height, width
):
    """Enough zeros are written around the image; as many windows as the program lays are kept."""
    layer = drawn(Convolution(2, 3, kernel=kernel, stride=stride, padding=padding, ceiling=True))
    x = images(1, 2, height, width)
    after = padding + kernel + stride
    whole = functional.conv2d(
        functional.pad(x, (padding, after, padding, after)), layer.weight, layer.bias, stride
    )
    down, right = (1 + math.ceil((2 * padding + n - kernel) / stride) for n in (height, width))
    torch.testing.assert_close(layer(x), whole[:, :, :down, :right])


def test_conv1_of_the_paper_hangs_three_pixels_over():
    layer = drawn(Convolution(3, 2, kernel=11, stride=4, ceiling=True))
    x = images(1, 3, 224, 224)
    found = layer(x)
    assert found.shape == (1, 2, 55, 55)
    corner = functional.pad(x[:, :, 216:, 216:], (0, 3, 0, 3))
    last = (layer.weight * corner).sum(dim=(1, 2, 3)) + layer.bias
    torch.testing.assert_close(found[0, :, 54, 54], last)


def test_without_ceiling_it_is_torch():
    layer = drawn(Convolution(3, 4, kernel=3, stride=2, padding=1))
    x = images(2, 3, 8, 9)
    wanted = functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(layer(x), wanted, rtol=0, atol=0)


def test_two_towers_are_two_convolutions_side_by_side():
    layer = drawn(Convolution(6, 8, kernel=3, padding=1, towers=2, ceiling=True))
    x = images(2, 6, 5, 5)
    halves = [
        functional.conv2d(x[:, 3 * i : 3 * i + 3], w, b, padding=1)
        for i, (w, b) in enumerate(zip(layer.weight.split(4), layer.bias.split(4), strict=True))
    ]
    torch.testing.assert_close(layer(x), torch.cat(halves, dim=1))
    assert layer.weight.shape == (8, 3, 3, 3)


def test_the_overhang_passes_gradients_to_the_image_alone():
    layer = drawn(Convolution(1, 1, kernel=3, stride=3, ceiling=True))
    x = images(1, 1, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(layer, (x,))


def test_building_one_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    layer = Convolution(3, 4, kernel=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert not layer.weight.any()
    assert not layer.bias.any()
    assert Convolution(3, 4, kernel=3, bias=False).bias is None


@pytest.mark.parametrize(("inputs", "outputs", "towers"), [(3, 4, 2), (4, 3, 2), (4, 4, 0)])
def test_channels_not_divisible_by_towers_raise(inputs, outputs, towers):
    words = f"{towers} towers cannot share {inputs} channels in and {outputs} out"
    with pytest.raises(RecipeError, match=words):
        Convolution(inputs, outputs, kernel=3, towers=towers)


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 4),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    ceiling=st.booleans(),
    bias=st.booleans(),
    count=st.integers(1, 5),
    order=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_the_gradient_over_images_is_torchs(
    channels, kernel, stride, padding, ceiling, bias, count, order
):
    options = {"kernel": kernel, "stride": stride, "padding": padding, "ceiling": ceiling}
    layer = Convolution(channels, 6, bias=bias, **options).to(memory_format=order)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=generator)
    x = torch.randn(count, channels, 9, 7, generator=generator).contiguous(memory_format=order)
    several_groups = unittest.mock.patch.object(convolution, "_CACHED", 200)
    with several_groups, unittest.mock.patch.object(convolution, "_LONG_WINDOW", 1):
        assert layer._is_first_in_training(x)
        found = layer(x)
        g = torch.randn(found.shape, generator=generator)
        found.backward(g)
    gradients = [parameter.grad.clone() for parameter in layer.parameters()]
    layer.zero_grad()
    watched = x.clone().requires_grad_()  # with a gradient for the image torch does it all
    wanted = layer(watched)
    wanted.backward(g)
    assert torch.equal(found, wanted)
    for mine, parameter in zip(gradients, layer.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-4, atol=1e-4)


def float32_layer(*channels: int, **windows: int) -> tuple[Convolution, torch.Tensor]:
    layer = Convolution(*channels, **windows)
    gaussian(layer, 0.1, 0.5, generator=torch.Generator().manual_seed(0))
    layer.to(memory_format=torch.channels_last)
    return layer, images(3, channels[0], 12, 12).float()


@pytest.mark.skipif(convolution.winograd_planner() is None, reason="needs numba")
class TestWinograd:
    """The other form is used where it is asked for, and only there."""

    def test_a_layer_by_itself_convolves_as_torch_does(self):
        layer, x = float32_layer(64, 64, kernel=3, padding=1)
        plain = functional.conv2d(
            x.contiguous(memory_format=torch.channels_last), layer.weight, layer.bias, padding=1
        )
        assert torch.equal(layer(x.contiguous(memory_format=torch.channels_last)), plain)
        with convolving("winograd"):
            fast = layer(x)
        assert not torch.equal(fast, plain)
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("channels", "windows"),
        [
            ((30, 64), {"kernel": 3, "padding": 1}),
            ((32, 64), {"kernel": 3, "stride": 2}),
            ((32, 64), {"kernel": 2}),
            ((3, 32), {"kernel": 5, "padding": 2}),
        ],
    )
    def test_shapes_outside_of_it_are_torchs(self, channels, windows):
        layer, x = float32_layer(*channels, **windows)
        plain = layer(x)
        with convolving("winograd"):
            assert torch.equal(layer(x), plain)

    def test_double_autocast_no_images_and_gradients_of_images_are_torchs(self):
        layer, x = float32_layer(64, 64, kernel=3, padding=1)
        with convolving("winograd"):
            assert layer.winograd_plan(x) is not None
            assert layer.winograd_plan(x.double()) is None
            assert layer.winograd_plan(x[:0]) is None
            assert layer(x[:0]).shape == (0, 64, 12, 12)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert layer.winograd_plan(x) is None
            first, x = float32_layer(3, 96, kernel=11, stride=4)
            x = functional.pad(x, (0, 103, 0, 103))
            assert first.winograd_plan(x) is not None
            assert first.winograd_plan(x.requires_grad_()) is None  # a saliency map wants it

    def test_without_numba_it_is_torchs(self, monkeypatch):
        monkeypatch.setattr(convolution, "winograd_planner", lambda: None)
        layer, x = float32_layer(64, 64, kernel=3, padding=1)
        plain = layer(x)
        with convolving("winograd"):
            assert torch.equal(layer(x), plain)

    @pytest.mark.parametrize("form", ["torch", "winograd"])
    def test_a_relu_within_is_one_after_it(self, form):
        layer, x = float32_layer(64, 64, kernel=3, padding=1)
        with convolving(form):
            assert torch.equal(layer(x, relu=True), layer(x).relu())
