"""Inputs side by side and combined, against sums by hand."""

from __future__ import annotations

import pytest
import torch

from alexnet.nn import Combine, Concat

ONE, TWO = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 0.5]])


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (Combine("sum"), [4, -1.5]),
        (Combine("sum", (2, -1)), [-1, -4.5]),
        (Combine("product"), [3, -1]),
        (Combine("max"), [3, 0.5]),
        (Concat(), [1, -2, 3, 0.5]),
    ],
    ids=str,
)
def test_two_become_one(layer, wanted):
    assert layer(ONE, TWO).tolist() == [wanted]


def test_three_are_combined_too():
    assert Combine("sum")(ONE, TWO, TWO).tolist() == [[7, -1]]
    assert Combine("max")(ONE, TWO, 9 * ONE).tolist() == [[9, 0.5]]
