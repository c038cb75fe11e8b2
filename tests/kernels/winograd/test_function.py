"""Winograd's convolution beside torch's in float64: how far off it is, what is left to torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

pytest.importorskip("numba")

from alexnet.kernels import vectors
from alexnet.kernels.winograd import plan as plans
from alexnet.kernels.winograd.function import convolution
from alexnet.kernels.winograd.plan import Plan, plan_or_reason

pytestmark = pytest.mark.skipif(not vectors.has_fma(), reason="no fused multiply-add here")

TIMES_TORCH, OF_RMS = 40.0, 1e-5
"""What is allowed: errors (root mean square) times those of torch's kernels in float32, and as a
share of what is computed. Products are fewer, and each is of numbers that were mixed before."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    shape: tuple[int, int, int]
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    overhang: tuple[int, int] = (0, 0)

    @property
    def filters(self) -> tuple[int, int, int, int]:
        return self.outputs, self.shape[0] // self.groups, self.kernel, self.kernel

    def plan(self) -> Plan:
        plan = self.plan_or_reason()
        assert isinstance(plan, Plan), plan
        return plan

    def plan_or_reason(self) -> Plan | str:
        windows = (self.stride, self.padding, self.groups, self.overhang)
        # Small layers too, which gain nothing and are quick to test.
        with mock.patch.object(plans, "_LEAST_GAIN", 0.0):
            return plan_or_reason.__wrapped__(self.shape, self.filters, *windows)

    def torch(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        down, right = self.overhang
        padded = functional.pad(x, (0, right, 0, down))
        return functional.conv2d(padded, weight, bias, self.stride, self.padding, 1, self.groups)


LAYERS = {
    "conv1": Layer(shape=(3, 227, 227), outputs=96, kernel=11, stride=4),
    "conv1 hangs over": Layer(shape=(3, 64, 64), outputs=32, kernel=11, stride=4, overhang=(3, 3)),
    "conv1 padded": Layer(shape=(3, 61, 70), outputs=64, kernel=11, stride=4, padding=2),
    "conv2": Layer(shape=(96, 27, 27), outputs=256, kernel=5, padding=2, groups=2),
    "conv3": Layer(shape=(256, 13, 13), outputs=384, kernel=3, padding=1),
    "conv4": Layer(shape=(384, 13, 13), outputs=384, kernel=3, padding=1, groups=2),
    "7 x 7": Layer(shape=(64, 7, 7), outputs=128, kernel=3, padding=1),
    "cifar": Layer(shape=(32, 16, 16), outputs=64, kernel=5, padding=2),
    "no padding": Layer(shape=(32, 12, 17), outputs=32, kernel=3),
}


def tensors(layer: Layer, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images as a ReLU leaves them, He's weights, biases, and gradients of outputs."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, *layer.shape, generator=draw).relu()
    weight = torch.randn(layer.filters, generator=draw) * (2 / layer.filters[1]) ** 0.5
    bias = torch.randn(layer.outputs, generator=draw)
    g = torch.randn(layer.torch(x, weight, bias).shape, generator=draw)
    return tuple(each.contiguous() for each in (x, weight, bias, g))  # type: ignore[return-value]


def results(compute: Any, x: Tensor, weight: Tensor, bias: Tensor, g: Tensor) -> list[Tensor]:
    """Return the outputs, and the gradients of the weights, biases and, unless images, inputs."""
    x, weight, bias = (each.detach().clone() for each in (x, weight, bias))
    wanted = [weight, bias] if x.shape[1] == 3 else [weight, bias, x]
    for each in wanted:
        each.requires_grad_()
    y = compute(x, weight, bias)
    y.backward(g)
    return [y.detach(), *(each.grad for each in wanted)]  # type: ignore[list-item]


def errors(found: list[Tensor], right: list[Tensor]) -> list[float]:
    """Return the root mean square of each difference as a share of that of what is right."""
    return [
        float((a.double() - b).square().mean().sqrt() / b.square().mean().sqrt())
        for a, b in zip(found, right, strict=True)
    ]


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_errors_are_bounded_by_torchs(layer: Layer) -> None:
    plan, given_ = layer.plan(), tensors(layer, 3)
    right = results(layer.torch, *(each.double() for each in given_))
    plain = errors(results(layer.torch, *given_), right)
    found = results(lambda *each: convolution(plan, *each), *given_)
    for one, other in zip(errors(found, right), plain, strict=True):
        assert one <= min(TIMES_TORCH * max(other, 1e-7), OF_RMS)


@settings(deadline=None, max_examples=15)
@given(
    kernel=st.sampled_from([3, 5]),
    height=st.integers(8, 23),
    width=st.integers(8, 23),
    padding=st.integers(0, 2),
    groups=st.sampled_from([1, 2]),
    vectors_in=st.integers(1, 3),
    panels_out=st.sampled_from([2, 3, 4, 5, 6]),
    count=st.integers(1, 5),
    seed=st.integers(0, 9),
)
def test_any_size_gives_what_torch_gives(
    kernel: int,
    height: int,
    width: int,
    padding: int,
    groups: int,
    vectors_in: int,
    panels_out: int,
    count: int,
    seed: int,
) -> None:
    layer = Layer(
        shape=(2 * vectors_in * vectors.LANES * groups, height, width),
        outputs=panels_out * vectors.LANES * groups,
        kernel=kernel,
        padding=padding,
        groups=groups,
    )
    plan = layer.plan_or_reason()
    if isinstance(plan, str):
        return
    given_ = tensors(layer, count, seed)
    right = results(layer.torch, *(each.double() for each in given_))
    found = results(lambda *each: convolution(plan, *each), *given_)
    assert max(errors(found, right)) < OF_RMS


def test_a_relu_after_it_gives_the_same_as_one_by_itself() -> None:
    layer = LAYERS["7 x 7"]
    plan, given_ = layer.plan(), tensors(layer, 2)
    apart = results(lambda *each: convolution(plan, *each).relu(), *given_)
    within = results(lambda *each: convolution(plan, *each, relu=True), *given_)
    for one, other in zip(apart, within, strict=True):
        assert torch.equal(one, other)


def test_an_image_has_the_same_outputs_in_any_batch_and_for_any_threads() -> None:
    layer = LAYERS["conv4"]
    plan = layer.plan()
    x, weight, bias, g = tensors(layer, 7)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(results(lambda *each: convolution(plan, *each), x, weight, bias, g))
        alone = results(lambda *each: convolution(plan, *each), x[3:4], weight, bias, g[3:4])
    finally:
        torch.set_num_threads(threads)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    for position in (0, 3):  # outputs and their inputs' gradient
        assert torch.equal(alone[position], found[0][position][3:4])


def test_bits_are_equal_from_run_to_run() -> None:
    layer = LAYERS["conv2"]
    plan, given_ = layer.plan(), tensors(layer, 4)
    once, again = (results(lambda *each: convolution(plan, *each), *given_) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        assert torch.equal(one, other)


def both(layer: Layer, *given_: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return what the fast form gives, and what torch gives."""
    plan = layer.plan()
    fast = results(lambda *each: convolution(plan, *each), *given_)
    return fast, results(layer.torch, *given_)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_reaches_the_outputs_that_it_reaches_in_torch(value: float) -> None:
    layer = LAYERS["7 x 7"]
    x, weight, bias, g = tensors(layer, 3)
    x[1, 5, 2, 2] = value
    for one, other in zip(*both(layer, x, weight, bias, g), strict=True):
        assert torch.equal(one.isnan(), other.isnan())
        assert torch.equal(one.isinf(), other.isinf())
    g[2, 3, 0, 0] = value
    for one, other in zip(*both(layer, x, weight, bias, g), strict=True):
        assert torch.equal(one.isfinite(), other.isfinite())


@pytest.mark.parametrize("scale", [1e-30, 1e20, 1e30], ids=["tiny", "large", "huge"])
def test_images_and_weights_out_of_range_are_torchs(scale: float) -> None:
    layer = LAYERS["7 x 7"]
    plan = layer.plan()
    x, weight, bias, _ = tensors(layer, 2)
    x = x.contiguous(memory_format=torch.channels_last)
    ordinary = convolution(plan, x, weight, bias)
    x[0] *= scale
    found = convolution(plan, x, weight, bias)
    assert torch.equal(found[:1], layer.torch(x[:1], weight, bias))
    assert torch.equal(found[1], ordinary[1])
    x[0] = x[1]
    weight = weight * scale
    assert torch.equal(convolution(plan, x, weight, bias), layer.torch(x, weight, bias))


@pytest.mark.parametrize("factor", [1e2, 1e3, 1e4, 1e6, 1e8])
def test_beside_an_outlier_the_others_keep_their_digits(factor: float) -> None:
    layer = LAYERS["7 x 7"]
    x, weight, _, g = tensors(layer, 2)
    x[0, 3, 3, 3] = factor
    given_ = (x, weight, torch.zeros(layer.outputs), g)
    right = layer.torch(*(each.double() for each in given_[:3]))
    found, _ = both(layer, *given_)
    far = (0, slice(None), 0)  # rows that the outlier does not reach, in a tile that it does
    error = (found[0].double() - right)[far].square().mean().sqrt()
    assert float(error / right[far].square().mean().sqrt()) < 2e-3


def test_beside_an_outlying_gradient_the_weights_gradient_is_right() -> None:
    layer = LAYERS["7 x 7"]
    given_ = tensors(layer, 2)
    for factor in (1e3, 1e5, 1e7):
        given_[3][1, 3, 3, 3] = factor
        right = results(layer.torch, *(each.double() for each in given_))
        assert max(errors(both(layer, *given_)[0], right)) < OF_RMS


def test_weights_that_are_no_numbers_give_what_torch_gives() -> None:
    layer = LAYERS["7 x 7"]
    x, weight, bias, g = tensors(layer, 2)
    weight[7, 3, 1, 1] = float("nan")
    found, right = both(layer, x, weight, bias, g)
    assert torch.equal(found[0].isnan(), right[0].isnan())
    assert torch.equal(found[3].isnan(), right[3].isnan())


def test_an_image_of_zeros_is_no_outlier() -> None:
    layer = LAYERS["7 x 7"]
    plan = layer.plan()
    x, weight, bias, _ = tensors(layer, 2)
    x[0] = 0
    found = convolution(plan, x, weight, bias)
    assert torch.equal(found[0], bias[:, None, None].expand_as(found[0]))
