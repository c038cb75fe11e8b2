from __future__ import annotations

import pytest
import torch

from alexnet.models import build_model, describe_convolutions, summarize_model
from alexnet.models.convolution_forms import layer_form
from alexnet.nn import Convolution, convolution

pytestmark = pytest.mark.skipif(convolution.winograd_planner() is None, reason="needs numba")


def test_layers_of_the_paper_are_all_of_that_form():
    net = build_model("alexnet", classes=3)
    assert describe_convolutions(net, "winograd") == "all by Winograd"
    assert describe_convolutions(net, "torch") is None


def test_shapes_that_are_left_to_torch_are_named():
    net = build_model("cifar_18pct", classes=3)
    assert describe_convolutions(net, "winograd") == "conv1 by torch, the others by Winograd"
    alone = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3))
    alone.crop_px = 8
    sentence = "0 by torch: shapes without another form"
    assert describe_convolutions(alone, "winograd") == sentence
    many = torch.nn.Sequential(*(torch.nn.Conv2d(3, 3, 1) for _ in range(6)))
    many.crop_px = 8
    assert describe_convolutions(many, "winograd") == "0 of 6 by Winograd, the others by torch"


@pytest.mark.parametrize("name", ["alexnet", "cifar_18pct", "alexnet_small", "mlp"])
def test_a_summary_says_what_a_training_says_first(name):
    assert summarize_model(name).convolutions == describe_convolutions(
        build_model(name, classes=3), "winograd"
    )


def test_a_summary_has_the_tile_of_each_convolution_and_what_it_saves():
    layers = {each.name: each for each in summarize_model("alexnet").layers}
    conv2 = layers["conv2"]  # 27 outputs in 7 tiles of 4, of 8 * 8 products each
    assert (conv2.tile, conv2.torch_because) == (4, None)
    assert conv2.saving == pytest.approx((27 * 27 * 25) / (7 * 7 * 64))
    assert layers["fc6"].tile is layers["fc6"].saving is layers["fc6"].torch_because is None


def test_a_summary_says_why_a_convolution_is_left_to_torch(monkeypatch):
    first = summarize_model("cifar_18pct").layers[0]
    assert (first.tile, first.saving) == (None, None)
    assert first.torch_because.startswith("3 channels in are no multiple of ")
    monkeypatch.setattr(convolution, "winograd_planner", lambda: None)
    summary = summarize_model("cifar_18pct")
    assert summary.layers[0].torch_because == "numba (extra: fast) is not installed"
    assert summary.convolutions == "all by torch, since numba (extra: fast) is not installed"


def test_layers_of_parts_and_torchs_own_say_what_the_least_part_does():
    fast, slow = Convolution(64, 64, kernel=3, padding=1), Convolution(64, 64, kernel=7, padding=3)
    maps = (64, 12, 12)
    assert layer_form([(fast, maps), (fast, maps)])["tile"] == 4
    mixed = layer_form([(fast, maps), (slow, maps)])
    assert mixed["tile"] is None
    assert "7 x 7" in mixed["torch_because"]
    assert layer_form([(torch.nn.Conv2d(64, 64, 3), maps)]) == {
        "tile": None,
        "saving": None,
        "torch_because": "layers of torch's own have no other form",
    }
    dilated = Convolution(64, 64, kernel=3)
    dilated.dilation = (2, 2)
    assert layer_form([(dilated, maps)])["torch_because"] == "windows with dilation have no tiles"
    assert layer_form([(torch.nn.ReLU(), maps)])["torch_because"] is None


def test_a_network_without_convolutions_has_none():
    assert describe_convolutions(build_model("mlp", classes=3), "winograd") is None


def test_the_network_is_left_as_it_was():
    net = build_model("alexnet_bn", classes=3, image_px=80).train()
    before = {name: each.clone() for name, each in net.state_dict().items()}
    state = torch.random.get_rng_state()
    describe_convolutions(net, "winograd")
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert net.training
    assert all(module.training for module in net.modules())
    assert not any(module._forward_pre_hooks for module in net.modules())
