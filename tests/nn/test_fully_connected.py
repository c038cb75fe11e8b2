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


@pytest.mark.parametrize("form", ["torch", "winograd"])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_of_a_gradient_have_the_bits_of_the_whole_one_and_one_memory(form, bias):
    layer, x, g = drawn(30, 2500, bias=bias), images(6, 30).requires_grad_(), images(6, 2500)
    with convolving(form):
        layer(x).backward(g)
    whole, of_rows = layer.weight.grad.clone(), x.grad.clone()
    of_bias = layer.bias.grad.clone() if bias else None
    layer.zero_grad()
    x.grad = None
    taken, places = torch.full_like(whole, torch.nan), set()

    def take(start, rows):
        taken[start : start + len(rows)] = rows
        places.add(rows.data_ptr())
        with torch.no_grad():
            layer.weight[start : start + len(rows)] = 7  # nothing reads the weights any more

    layer.take_rows = take
    with convolving(form):
        layer(x).backward(g)
    assert torch.equal(taken, whole)
    assert len(places) == 1
    assert layer.weight.grad is None
    assert torch.equal(x.grad, of_rows)
    assert of_bias is None or torch.equal(layer.bias.grad, of_bias)


def test_a_frozen_layer_and_another_precision_hand_over_no_rows():
    layer, taken = drawn(12, 7), []
    layer.take_rows = lambda start, rows: taken.append(start)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(images(3, 12)).sum().backward()
    assert layer.weight.grad is not None
    layer.requires_grad_(False)
    layer(images(3, 12).requires_grad_()).sum().backward()
    assert taken == []
