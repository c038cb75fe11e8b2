"""Neurons of layer files against their formulas, number by number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.nn import NEURONS, Neuron, neuron_layer

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


def test_every_neuron_is_held_against_its_formula():
    assert set(BY_HAND) == set(NEURONS)


@pytest.mark.parametrize("kind", NEURONS)
def test_a_neuron_is_its_formula(kind):
    numbers, by_hand = BY_HAND[kind]
    x = [-3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 4.0]
    found = neuron_layer(kind, *numbers)(torch.tensor(x, dtype=torch.float64))
    assert found.tolist() == pytest.approx([by_hand(each) for each in x], rel=1e-12, nan_ok=True)


def test_a_rectifier_learns_nothing_at_zero():
    for kind, numbers in (("relu", ()), ("brelu", (1.0,))):
        x = torch.zeros(1, requires_grad=True)
        Neuron(kind, *numbers)(x).sum().backward()
        assert x.grad.item() == 0


def test_torchs_own_layers_are_used_where_they_are_the_same():
    assert type(neuron_layer("relu")) is nn.ReLU
    assert type(neuron_layer("logistic")) is nn.Sigmoid


def test_it_says_its_formula_with_its_numbers():
    assert str(Neuron("tanh", 1.5, 0.5)) == "Neuron(1.5 tanh(0.5 x))"
    assert str(Neuron("drelu", 2)) == "Neuron(x - 2 tanh(x / 2))"


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("rleu", (), 'no neuron "rleu". Did you mean "relu"'),
        ("tanh", (1.0,), r'"tanh", a tanh\(b x\), has 2 numbers in brackets; got 1'),
    ],
)
def test_what_is_no_neuron_is_a_sentence(kind, numbers, words):
    with pytest.raises(RecipeError, match=words):
        Neuron(kind, *numbers)
