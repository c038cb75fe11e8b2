"""Networks as values: built again to the bit, read stage by stage, clear about their images."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from alexnet.errors import RecipeError
from alexnet.models import build_model

FEATURES = {
    "alexnet": "relu7",
    "one_column": "relu7",
    "alexnet_program": "relu7",
    "alexnet_small": "relu6",
    "alexnet_adaptive": "relu6",
    "cifar_26pct": "relu4",
    "cifar_18pct": "pool3",
    "cifar_11pct": "relu4",
    "mlp": "act2",
}


def images(network, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 50 * torch.randn(count, 3, network.crop_px, network.crop_px, generator=generator)


def test_every_model_returns_logits_for_its_classes(name, small):
    network = small(name).eval()
    with torch.no_grad():
        logits = network(images(network))
    assert logits.shape == (2, 3)
    assert torch.isfinite(logits).all()


def test_stages_are_every_layer_in_order_and_the_last_is_the_logits(name, small):
    network = small(name).eval()
    x = images(network)
    with torch.no_grad():
        stages = network.stages(x)
        assert list(stages) == [each for each, _ in network.named_children()]
        assert torch.equal(list(stages.values())[-1], network(x))
        features = network.stage(x, network.features_layer)
    assert torch.equal(features, stages[network.features_layer])


@pytest.mark.parametrize("name", FEATURES)
def test_features_come_from_the_last_hidden_layer_after_its_activation(name, weightless):
    network = weightless(name)
    assert network.features_layer == FEATURES[name]


def test_layers_after_a_stage_are_not_run(small):
    network = copy.deepcopy(small("cifar_26pct")).eval()
    network.conv2 = nn.Identity()  # what stands behind no longer fits
    network.conv3 = nn.Linear(1, 1)
    assert network.stage(images(network), "relu1").shape == (2, 32, 16, 16)


def test_relu_stages_come_after_and_fc_stages_before_the_activation(small):
    network = small("alexnet").eval()
    with torch.no_grad():
        stages = network.stages(images(network))
    assert torch.equal(stages["relu7"], stages["fc7"].clamp(min=0))
    assert (stages["fc7"] < 0).any()


def test_unknown_layer_raises_with_suggestion(small):
    words = 'cifar_26pct has no layer "conv_1". Did you mean "conv1".*Layers: conv1, pool1'
    with pytest.raises(RecipeError, match=words):
        small("cifar_26pct").stage(torch.zeros(1, 3, 32, 32), "conv_1")


@pytest.mark.parametrize("shape", [(1, 3, 28, 28), (3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 31)])
def test_images_of_another_shape_raise(shape, small):
    network, x = small("cifar_26pct"), torch.zeros(shape)
    words = r"cifar_26pct takes images of shape \(N, 3, 32, 32\); got \(" + str(shape[0])
    for ask in (network, network.stages, lambda x: network.stage(x, "relu1")):
        with pytest.raises(RecipeError, match=words):
            ask(x)


@pytest.mark.parametrize("name", ["cifar_11pct", "alexnet_small", "mlp"])
def test_arguments_build_the_same_bits_again(name):
    first = build_model(name, classes=4, activation="tanh", dropout=0.1, seed=7)
    again = build_model(first.model, **first.arguments, seed=7)
    assert [repr(each) for each in again.children()] == [repr(each) for each in first.children()]
    state = again.state_dict()
    assert all(torch.equal(each, state[key]) for key, each in first.state_dict().items())
    other = build_model(name, classes=4, seed=8).state_dict()
    assert not all(torch.equal(each, other[key]) for key, each in first.state_dict().items())


def test_arguments_are_plain_values(name, weightless):
    network = weightless(name)
    plain = (int, float, str, type(None))
    assert all(isinstance(each, plain) for each in network.arguments.values())
    assert (network.classes, network.model) == (1000, name)


def test_copy_gives_the_same_logits(small):
    network = small("cifar_11pct").eval()
    x = images(network)
    assert torch.equal(copy.deepcopy(network)(x), network(x))


def test_building_leaves_the_global_generator_alone(name, weightless):
    before = torch.get_rng_state()
    build_model("cifar_26pct", classes=3)
    weightless(name)
    assert torch.equal(torch.get_rng_state(), before)


def test_channels_last_gives_the_same_logits(small):
    network = copy.deepcopy(small("alexnet_program")).eval()
    x = images(network)
    with torch.no_grad():
        plain = network(x)
        network.to(memory_format=torch.channels_last)
        found = network(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-3)


def test_gradients_reach_every_parameter(name, small):
    network = copy.deepcopy(small(name)).train()
    network(images(network, 4)).square().sum().backward()
    for key, each in network.named_parameters():
        assert each.grad is not None, key
        assert torch.isfinite(each.grad).all(), key


@pytest.mark.parametrize("model", ["alexnet", "alexnet_program", "cifar_18pct", "cifar_11pct"])
def test_forward_is_the_last_stage_bit_for_bit_also_backwards(model):
    sizes = {"image_px": 80, "crop_px": 67} if model.startswith("alexnet") else {}
    network = build_model(model, classes=3, initialization="he", **sizes).eval()
    network.to(memory_format=torch.channels_last)
    side = network.crop_px
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last)
    found = []
    for way in (network, lambda x: list(network.stages(x).values())[-1]):
        logits = way(x)
        logits.square().sum().backward()
        gradients = [p.grad.clone() for p in network.parameters()]
        network.zero_grad()
        found.append((logits.detach(), *gradients))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_relu_with_a_hook_is_called():
    network = build_model("cifar_11pct", classes=3)
    seen = []
    network.relu1.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    network(torch.zeros(1, 3, 24, 24))
    assert len(seen) == 1
