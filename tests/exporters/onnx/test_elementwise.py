"""Layers of one number at a time, factors, summands and orders of axes: written and run again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from alexnet.nn import (
    Absolute,
    AxisResize,
    Broadcast,
    CaffePool,
    ChannelBias,
    Exponential,
    Logarithm,
    Permute,
    Power,
    ProgramActivation,
    ScaledSwish,
    StepFunction,
)


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def check(said) -> None:
    assert said.found.shape == said.wanted.shape
    assert (said.found - said.wanted).abs().max() < 1e-5 * max(1, float(said.wanted.abs().max()))
    assert float(said.wanted.max() - said.wanted.min()) > 0.1


LAYERS = [
    Absolute(),
    Power(2, scale=0.5, shift=1.5),
    Power(scale=3),
    Exponential(2, scale=0.5, shift=0.25),
    Exponential(),
    StepFunction(0.3),
    ScaledSwish(),
    ScaledSwish(1.5),
    nn.Softplus(),
    nn.Hardtanh(-0.5, 1.25),
    Permute((2, 3, 1)),
    AxisResize((8, 5)),
    AxisResize((3, 8)),
    AxisResize((4, 4)),
    CaffePool("max", (11, 11), stride=(11, 11)),
    CaffePool("avg", (11, 9), stride=(4, 4), padding=(1, 0)),
    CaffePool("avg_inside", (3, 3), stride=(2, 2), padding=(1, 1)),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_of_one_input_is_itself(run_one_layer, layer):
    check(run_one_layer(layer, numbers(3, 4, 8, 8)))


@pytest.mark.parametrize("layer", [nn.Softplus(), ProgramActivation("softrelu")], ids=repr)
def test_a_softplus_holds_for_large_numbers_in_every_reader(run_one_layer, layer):
    said = run_one_layer(layer, torch.linspace(-500, 500, 96).reshape(1, 3, 4, 8))
    check(said)
    assert "Softplus" not in said.operators


@pytest.mark.parametrize("base", [None, 10.0])
def test_a_logarithm_is_itself(run_one_layer, base):
    check(run_one_layer(Logarithm(base, scale=0.5, shift=0.1), numbers(2, 3, 4, 4).abs()))


@pytest.mark.parametrize("shape", [(3,), (3, 5)])
def test_a_summand_is_itself(run_one_layer, shape):
    layer = ChannelBias(shape, axis=1)
    layer.bias.data = numbers(*shape, seed=2)
    check(run_one_layer(layer, numbers(2, 3, 5, 6)))


@pytest.mark.parametrize("operation", ["product", "sum"])
@pytest.mark.parametrize(("axis", "few"), [(1, (3,)), (2, (5,)), (1, (3, 5)), (1, (3, 5, 6))])
def test_what_is_spread_over_maps_is_itself(run_one_layer, operation, axis, few):
    check(run_one_layer(Broadcast(operation, axis), numbers(2, 3, 5, 6), numbers(2, *few, seed=1)))
