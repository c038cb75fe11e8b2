"""Functions of each number, against numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alexnet.nn import Absolute, Exponential, Logarithm, Power, ScaledSwish, StepFunction

X = np.array([-3.0, -0.5, 0.0, 0.25, 1.0, 4.0])

FORMULAS = [
    (Absolute(), abs),
    (Power(3), lambda x: x**3),
    (Power(2, scale=-0.5, shift=2), lambda x: (2 - 0.5 * x) ** 2),
    (Power(0), np.ones_like),
    (Power(1, scale=2, shift=1), lambda x: 1 + 2 * x),
    (Exponential(), np.exp),
    (Exponential(10, scale=0.5, shift=-1), lambda x: 10 ** (0.5 * x - 1)),
    (Logarithm(scale=0.5, shift=2), lambda x: np.log(2 + 0.5 * x)),
    (Logarithm(2, shift=4), lambda x: np.log2(4 + x)),
    (StepFunction(0.25), lambda x: np.where(x > 0.25, 1.0, 0.0)),
    (ScaledSwish(2), lambda x: x / (1 + np.exp(-2 * x))),
]


@pytest.mark.parametrize(("layer", "formula"), FORMULAS, ids=[repr(layer) for layer, _ in FORMULAS])
def test_a_function_is_its_formula(layer, formula):
    found = layer(torch.from_numpy(X).float()).numpy()
    assert np.allclose(found, formula(X), rtol=1e-6, atol=1e-6)
    assert found.dtype == np.float32


def test_they_say_their_settings():
    assert repr(Power(2, scale=0.5, shift=1)) == "Power((1 + 0.5 x) ^ 2)"
    assert repr(Exponential(scale=2)) == "Exponential(e ^ (0 + 2 x))"
    assert repr(Logarithm(10)) == "Logarithm(log of 0 + 1 x to the base 10)"
    assert repr(StepFunction(0.5)) == "StepFunction(above 0.5)"
