from __future__ import annotations

import pytest
import torch

from alexnet.devices import convolving
from alexnet.nn import FullyConnected, gaussian


def drawn(inputs: int, outputs: int, *, bias: bool = True) -> FullyConnected:
    layer = FullyConnected(inputs, outputs, bias=bias)
    gaussian(layer, 0.1, 0.5, generator=torch.Generator().manual_seed(0))
    return layer


def images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("form", ["torch", "winograd"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_outputs_and_gradients_are_those_of_the_formula(form, bias, count):
    layer, x = drawn(75, 40, bias=bias), images(count, 3, 5, 5).requires_grad_()
    g = images(count, 40)
    with convolving(form):
        y = layer(x)
    y.backward(g)
    rows, weight = x.detach().double().flatten(1), layer.weight.detach().double()
    offset = layer.bias.detach().double() if bias else 0
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(y.double(), rows @ weight.T + offset, **close)
    torch.testing.assert_close(x.grad.double().flatten(1), g.double() @ weight, **close)
    torch.testing.assert_close(layer.weight.grad.double(), g.double().T @ rows, **close)
    if bias:
        torch.testing.assert_close(layer.bias.grad.double(), g.double().sum(0), **close)


def test_a_frozen_layer_gets_no_gradient():
    layer, x = drawn(12, 7).requires_grad_(False), images(3, 12).requires_grad_()
    with convolving("winograd"):
        layer(x).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(x.grad, layer.weight.sum(0).expand(3, 12))


def test_what_onednn_does_not_multiply_is_torchs():
    layer = drawn(12, 7)
    assert layer.by_onednn(images(3, 12))
    assert not layer.by_onednn(images(0, 12))
    assert not layer.by_onednn(images(3, 12).double())
    assert not layer.by_onednn(images(12))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not layer.by_onednn(images(3, 12))
    with convolving("winograd"):
        assert layer(images(0, 12)).shape == (0, 7)
        assert layer.double()(images(3, 12).double()).dtype == torch.float64


def test_nan_stays_where_it_is():
    layer, x = drawn(12, 7), images(3, 12)
    x[1, 2] = float("nan")
    with convolving("winograd"):
        assert layer(x).isnan().all(1).tolist() == [False, True, False]
