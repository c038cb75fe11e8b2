"""Initial weights: their widths, their biases, and whose generator they use."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from alexnet.nn import Convolution, LocallyConnected, gaussian, he, uniform
from alexnet.nn.initialization import fan_in

LAYERS = (
    (lambda: nn.Linear(200, 300), 200),
    (lambda: Convolution(8, 64, kernel=5, towers=2), 4 * 25),
    (lambda: LocallyConnected(16, 8, positions=6, kernel=3), 16 * 9),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("build", "inputs"), LAYERS)
def test_fan_in_is_what_one_unit_sums_over(build, inputs):
    assert fan_in(build()) == inputs


@pytest.mark.parametrize(("build", "inputs"), LAYERS)
def test_gaussian_has_the_width_and_the_constant_bias(build, inputs):
    layer = build()
    gaussian(layer, 0.03, 1.0, generator=generator())
    count = layer.weight.numel()
    assert layer.weight.std().item() == pytest.approx(0.03, rel=5 / math.sqrt(2 * count))
    assert abs(layer.weight.mean().item()) < 5 * 0.03 / math.sqrt(count)
    assert (layer.bias == 1).all()


@pytest.mark.parametrize(("build", "inputs"), LAYERS)
def test_he_keeps_the_signal_of_a_relu(build, inputs):
    layer = build()
    he(layer, generator=generator())
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.05)
    assert not layer.bias.any()


@pytest.mark.parametrize(("build", "inputs"), LAYERS)
def test_uniform_fills_the_interval_that_torch_uses(build, inputs):
    layer = build()
    uniform(layer, generator=generator())
    bound = 1 / math.sqrt(inputs)
    for each in (layer.weight, layer.bias):
        assert each.abs().max() <= bound
        assert each.abs().max() > 0.9 * bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_uniform_has_the_width_of_a_new_torch_layer():
    torch.manual_seed(0)
    theirs, ours = nn.Conv2d(16, 64, 3), Convolution(16, 64, kernel=3)
    uniform(ours, generator=generator())
    for name in ("weight", "bias"):
        found, wanted = getattr(ours, name).abs().max(), getattr(theirs, name).abs().max()
        torch.testing.assert_close(found, wanted, rtol=0.1, atol=0)


def draw_gaussian(layer: nn.Module, source: torch.Generator) -> None:
    gaussian(layer, 1.0, generator=source)


@pytest.mark.parametrize(
    "draw",
    [draw_gaussian, lambda m, g: he(m, generator=g), lambda m, g: uniform(m, generator=g)],
)
def test_the_seed_decides_and_the_global_generator_does_not(draw):
    before = torch.get_rng_state()
    one, same, other = (Convolution(3, 4, kernel=3) for _ in range(3))
    draw(one, generator(5))
    draw(same, generator(5))
    draw(other, generator(6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)


def test_a_layer_without_bias_is_drawn_too():
    layer = Convolution(3, 4, kernel=3, bias=False)
    for draw in (draw_gaussian, lambda m, g: uniform(m, generator=g)):
        draw(layer, generator())
        assert layer.weight.any()


def test_layer_without_weights_raises():
    with pytest.raises((TypeError, AttributeError), match="weight"):
        he(nn.ReLU(), generator=generator())
