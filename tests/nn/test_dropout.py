"""Dropout as printed, and its equality with the inverted form."""

from __future__ import annotations

import pytest
import torch

from alexnet.errors import RecipeError
from alexnet.nn import Dropout

X = torch.linspace(1, 2, 500).repeat(2, 1)


def test_training_drops_units_and_scales_nothing():
    torch.manual_seed(0)
    y = Dropout(0.5)(X)
    kept = y != 0
    assert torch.equal(y[kept], X[kept])
    assert kept.float().mean() == pytest.approx(0.5, abs=0.06)
    assert not torch.equal(kept[0], kept[1])  # each image has its own mask


def test_evaluation_multiplies_by_the_kept_share():
    assert torch.equal(Dropout(0.5).eval()(X), X / 2)
    torch.testing.assert_close(Dropout(0.2).eval()(X), X * 0.8)
    assert torch.equal(Dropout(0.2, inverted=True).eval()(X), X)
    assert torch.equal(Dropout(0.0)(X), X)


@pytest.mark.parametrize("inverted", [False, True])
def test_training_equals_testing_in_expectation(inverted):
    """The mean over many masks lies within five standard errors of what testing gives."""
    torch.manual_seed(1)
    layer, share, draws = Dropout(0.3, inverted=inverted), 0.3, 4000
    x = torch.tensor([[1.0, -2.0, 3.0]])
    mean = layer(x.expand(draws, 3)).mean(dim=0)
    scale = 1 / (1 - share) if inverted else 1.0
    error = x[0].abs() * scale * (share * (1 - share) / draws) ** 0.5
    assert ((mean - layer.eval()(x)[0]).abs() < 5 * error).all()


@pytest.mark.parametrize("training", [True, False])
def test_it_is_the_inverted_form_with_smaller_weights_behind_it(training):
    """In front of weights w the printed form equals the inverted one in front of keep * w."""
    printed, inverted = Dropout(0.5), Dropout(0.5, inverted=True)
    w = torch.randn(500, 4, generator=torch.Generator().manual_seed(2))
    answers = []
    for layer, weights in ((printed, w), (inverted, 0.5 * w)):
        torch.manual_seed(3)
        answers.append(layer.train(training)(X) @ weights)
    torch.testing.assert_close(*answers)


def test_dropped_units_pass_no_gradient():
    torch.manual_seed(4)
    x = X.clone().requires_grad_()
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert torch.equal(x.grad, (y != 0).float())


def test_the_type_stays():
    assert Dropout(0.3)(X.bfloat16()).dtype == torch.bfloat16
    assert Dropout(0.3, inverted=True)(X.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_dropout_probability_out_of_range_raises(share):
    with pytest.raises(RecipeError, match=f"at least 0 and under 1; got {share}"):
        Dropout(share)
    assert "0.5, inverted=False" in repr(Dropout())
