"""Fully connected weights in 16 or 8 bits: exact where they were saved so, else within a bound."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

pytest.importorskip("numba")

from alexnet.devices import supports_bf16
from alexnet.errors import RecipeError
from alexnet.models import build_model, for_inference, narrow_weights


def linear(n, k, seed=0, spread=0.0):
    """A layer whose numbers differ in size by up to 10 ** spread either way."""
    layer, draw = nn.Linear(k, n), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        sizes = 10 ** (spread * (2 * torch.rand(n, k, generator=draw) - 1))
        layer.weight.copy_(0.02 * sizes * torch.randn(n, k, generator=draw))
        layer.bias.copy_(torch.randn(n, generator=draw))
    return layer


def rows(m, k, seed=1):
    return torch.randn(m, k, generator=torch.Generator().manual_seed(seed))


def exact(layer, x):
    bias = 0 if layer.bias is None else layer.bias.double()
    return x.double() @ layer.weight.double().T + bias


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("m", [1, 3, 16, 33])
def test_weights_that_were_saved_in_16_bits_are_exact(dtype, m):
    layer, x = linear(30, 64, spread=3), rows(m, 64)
    layer.weight.data = layer.weight.to(dtype).float()  # float16 with subnormal numbers
    step = narrow_weights.narrow_step(layer, None)
    assert step.weight.dtype is dtype
    assert torch.equal(step.weight.float(), layer.weight)
    terms = x.double().abs() @ layer.weight.double().abs().T + 1
    factor = 2**-21 if m <= narrow_weights.FEW else 2**-19  # torch sums where many images come
    assert ((step(x).double() - exact(layer, x)).abs() <= factor * terms).all()


def test_one_number_that_16_bits_do_not_hold_leaves_the_layer_as_it_is():
    layer = linear(30, 64)
    layer.weight.data = layer.weight.half().float()
    for value in (1 + 2**-11, 65536 * (1 + 2**-9), 2**-25, float("nan")):
        with torch.no_grad():
            layer.weight[29, 63] = value
        assert narrow_weights.narrow_step(layer, None) is None
    assert narrow_weights.narrow_step(linear(30, 64), None) is None


@torch.inference_mode()
@pytest.mark.parametrize(("kept", "bound"), [("fp16", 2**-11), ("int8", 0.5 / 127)])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, 1e-44, 0.0])
@pytest.mark.parametrize("m", [1, 33, 65])
def test_rounded_weights_err_by_at_most_half_a_step(kept, bound, scale, m):
    layer, x = linear(30, 64, spread=4), rows(m, 64)
    layer.weight.data *= scale
    found = narrow_weights.narrow_step(layer, kept)(x).double()
    largest = layer.weight.double().abs().amax(1)
    if kept == "fp16":  # of each weight; of a row's largest what is 2**22 times smaller
        steps = torch.maximum(layer.weight.double().abs() * bound, (largest * 2**-33)[:, None])
    else:
        steps = (largest * bound)[:, None].expand(30, 64)
    limit = x.double().abs() @ steps.T + 1e-6 * (
        1 + x.double().abs() @ layer.weight.abs().double().T
    )
    assert ((found - exact(layer, x)).abs() <= 1.001 * limit).all()


@torch.inference_mode()
@pytest.mark.parametrize("kept", ["fp16", "int8"])
def test_rounded_weights_are_the_same_for_one_image_and_for_many(kept):
    layer, x = linear(30, 64), rows(70, 64)
    step = narrow_weights.narrow_step(layer, kept)
    alone = torch.cat([step(row[None]) for row in x])
    torch.testing.assert_close(step(x), alone, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_narrow_is_said_and_stays(caplog, monkeypatch):
    broken = linear(8, 64)
    with torch.no_grad():
        broken.weight[2, 3] = float("inf")
    with caplog.at_level(logging.WARNING):
        assert narrow_weights.narrow_step(broken, "fp16") is None
        assert narrow_weights.narrow_step(linear(8, 20), "int8") is None
        monkeypatch.setattr(narrow_weights, "kernel_or_none", lambda: None)
        assert narrow_weights.narrow_step(linear(8, 64), "fp16") is None
        assert narrow_weights.narrow_step(linear(8, 64), None) is None
    words = [record.getMessage() for record in caplog.records]
    assert "a weight is no finite number" in words[0]
    assert "20 inputs fill no whole vectors" in words[1]
    assert "pip install alexnet[fast]" in words[2]
    assert len(words) == 3


@torch.inference_mode()
@pytest.mark.parametrize(("kept", "far"), [("fp16", 2e-3), ("int8", 3e-2)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_networks_answer_alike(kept, far, precision):
    net = build_model("mlp", classes=2100, initialization="he").eval()  # each layer is large
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    assert all(layer.weight.numel() >= narrow_weights.SMALLEST for layer in layers)
    x = 50 * rows(4, 3 * net.crop_px**2).reshape(4, 3, net.crop_px, net.crop_px)
    wanted = net(x)
    found = for_inference(net, precision, fully_connected=kept)(x)
    if precision == "bf16" and not supports_bf16():
        far = 3e-2  # the network itself runs, with every output rounded to bf16
    assert (found - wanted).abs().max() < far * wanted.abs().max()
    assert not torch.equal(found, wanted)
    exact_form = for_inference(net, fully_connected="fp32")(x)
    torch.testing.assert_close(exact_form, wanted, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kept", [None, "fp16", "int8"])
def test_small_layers_stay_as_they_are(kept, caplog):
    net = build_model("mlp", classes=7, initialization="he").eval()
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(layer.weight.half().float())
    x = 50 * rows(4, 3 * net.crop_px**2).reshape(4, 3, net.crop_px, net.crop_px)
    names = [name for name, layer in net.named_children() if isinstance(layer, nn.Linear)]
    assert net.get_submodule(names[-1]).weight.numel() < narrow_weights.SMALLEST
    before = list(net.named_children())
    until = before[[name for name, _ in before].index(names[-1]) - 1][0]
    features = for_inference(net, until=until, fully_connected=kept)(x)
    logits = for_inference(net, fully_connected=kept)(x)
    last = net.get_submodule(names[-1])
    torch.testing.assert_close(logits, last(features), rtol=0, atol=1e-6)
    assert not caplog.records


def test_networks_without_a_large_layer_say_that_nothing_is_rounded(caplog):
    net = build_model("cifar_18pct", classes=7).eval()
    for_inference(net)
    for_inference(net, fully_connected="fp32")
    assert not caplog.records
    for_inference(net, fully_connected="int8")
    (record,) = caplog.records
    assert "are not kept in int8: no fully connected layer has 262,144 weights." in record.message


def test_networks_that_compute_as_a_whole_say_that_nothing_is_rounded(caplog):
    net = build_model("mlp", classes=7).eval()
    net.register_forward_hook(lambda *rest: None)
    for_inference(net, fully_connected="fp16")
    assert "are not kept in fp16: this network is not computed layer by layer" in caplog.text


def test_another_way_to_keep_weights_raises():
    net = build_model("mlp", classes=7)
    with pytest.raises(RecipeError, match=r'must be "fp32", "fp16" or "int8"; got "int4"\.'):
        for_inference(net, fully_connected="int4")
