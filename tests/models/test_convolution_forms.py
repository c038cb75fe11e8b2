from __future__ import annotations

import pytest
import torch

from alexnet.models import build_model, describe_convolutions
from alexnet.nn import convolution

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
