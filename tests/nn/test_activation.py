"""Activations by name, and those of layer files against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.nn import (
    PROGRAM_ACTIVATIONS,
    ProgramActivation,
    activation_layer,
    program_activation_layer,
)

X = torch.tensor([-2.0, 0.0, 3.0])


@pytest.mark.parametrize(
    ("name", "values"),
    [("relu", X.clamp(min=0)), ("tanh", X.tanh()), ("sigmoid", 1 / (1 + (-X).exp()))],
)
def test_each_name_gives_its_function(name, values):
    layer = activation_layer(name)
    torch.testing.assert_close(layer(X), values)
    assert activation_layer(name) is not layer


def test_relu_has_no_slope_at_zero_and_leaves_its_input_alone():
    x = X.clone().requires_grad_()
    activation_layer("relu")(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 1]
    assert x.tolist() == X.tolist()


def test_unknown_activation_raises_with_suggestion():
    words = 'no activation "rleu". Did you mean "relu"?.*Activations: relu, tanh, sigmoid'
    with pytest.raises(RecipeError, match=words):
        activation_layer("rleu")


BY_HAND = {
    "ident": ((), lambda x: x),
    "relu": ((), lambda x: max(0.0, x)),
    "logistic": ((), lambda x: 1 / (1 + math.exp(-x))),
    "abs": ((), abs),
    "square": ((), lambda x: x * x),
    "sqrt": ((), lambda x: math.sqrt(x) if x >= 0 else math.nan),
    "softrelu": ((), lambda x: math.log(1 + math.exp(x))),
    "log": ((5.0,), lambda x: math.log(5 + x)),
    "tanh": ((1.7, 0.6), lambda x: 1.7 * math.tanh(0.6 * x)),
    "abstanh": ((1.7, -0.6), lambda x: 1.7 * abs(math.tanh(-0.6 * x))),
    "brelu": ((1.5,), lambda x: min(1.5, max(0.0, x))),
    "drelu": ((0.7,), lambda x: x - 0.7 * math.tanh(x / 0.7)),
    "linear": ((0.3, -2.0), lambda x: 0.3 * x - 2),
}


def test_every_program_activation_has_a_reference():
    assert set(BY_HAND) == set(PROGRAM_ACTIVATIONS)


@pytest.mark.parametrize("kind", PROGRAM_ACTIVATIONS)
def test_program_activation_equals_its_formula(kind):
    numbers, by_hand = BY_HAND[kind]
    x = [-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 4.0]
    found = program_activation_layer(kind, *numbers)(torch.tensor(x, dtype=torch.float64))
    assert found.tolist() == pytest.approx([by_hand(each) for each in x], rel=1e-12, nan_ok=True)


def test_rectifiers_have_no_gradient_at_zero():
    for kind, numbers in (("relu", ()), ("brelu", (1.0,))):
        x = torch.zeros(1, requires_grad=True)
        ProgramActivation(kind, *numbers)(x).sum().backward()
        assert x.grad.item() == 0


def test_program_activations_use_torch_layers_where_equal():
    assert type(program_activation_layer("relu")) is nn.ReLU
    assert type(program_activation_layer("logistic")) is nn.Sigmoid


def test_program_activation_repr_shows_its_formula():
    assert str(ProgramActivation("tanh", 1.5, 0.5)) == "ProgramActivation(1.5 tanh(0.5 x))"
    assert str(ProgramActivation("drelu", 2)) == "ProgramActivation(x - 2 tanh(x / 2))"


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("rleu", (), 'no neuron "rleu". Did you mean "relu"'),
        ("tanh", (1.0,), r'"tanh", a tanh\(b x\), has 2 parameters in brackets; got 1'),
    ],
)
def test_unknown_program_activation_raises(kind, numbers, words):
    with pytest.raises(RecipeError, match=words):
        ProgramActivation(kind, *numbers)
