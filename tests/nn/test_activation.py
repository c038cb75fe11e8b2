"""Activations by name."""

from __future__ import annotations

import pytest
import torch

from alexnet.errors import RecipeError
from alexnet.nn import activation_layer

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


def test_another_name_is_a_sentence_with_the_nearest():
    words = 'no activation "rleu". Did you mean "relu"?.*Activations: relu, tanh, sigmoid'
    with pytest.raises(RecipeError, match=words):
        activation_layer("rleu")
