"""The CIFAR-10 nets of the program, and our own small ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from alexnet.nn import AvgPool, FullyConnected, MaxPool, ResponseNorm

PARAMETERS = {
    "cifar_26pct": 145_578,
    "cifar_18pct": 89_578,
    "cifar_13pct": 1_901_386,
    "cifar_13pct_norm": 1_901_386,
    "cifar_11pct": 2_112_970,
    "cifar_11pct_no_norm": 2_112_970,
}
CONVOLUTIONS = {"conv1": 0.0001, "conv2": 0.01, "conv3": 0.01}
LOCAL = {"conv1": 0.0001, "conv2": 0.01, "local3": 0.04, "local4": 0.04, "fc5": 0.01}
WIDTHS = {
    "cifar_26pct": {**CONVOLUTIONS, "fc4": 0.1, "fc5": 0.1},
    "cifar_18pct": {**CONVOLUTIONS, "fc4": 0.01},
    "cifar_13pct": LOCAL,
    "cifar_11pct": LOCAL,
}
DECAY = {
    "cifar_26pct": {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 0.03, "fc5": 0.03},
    "cifar_18pct": {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 1.0},
    "cifar_13pct": {"conv1": 0, "conv2": 0, "local3": 0.004, "local4": 0.004, "fc5": 0.004},
    "cifar_11pct": {"conv1": 0, "conv2": 0, "local3": 0.004, "local4": 0.004, "fc5": 0.01},
}
DECAY["cifar_13pct_norm"], DECAY["cifar_11pct_no_norm"] = DECAY["cifar_13pct"], DECAY["cifar_11pct"]
ORDERS = {
    "cifar_26pct": ("conv1 pool1 relu1 conv2 relu2 pool2 conv3 relu3 pool3 flatten fc4 relu4 fc5"),
    "cifar_18pct": (
        "conv1 pool1 relu1 norm1 conv2 relu2 pool2 norm2 conv3 relu3 pool3 flatten fc4"
    ),
    "cifar_13pct": ("conv1 relu1 pool1 conv2 relu2 pool2 local3 relu3 local4 relu4 flatten fc5"),
    "cifar_11pct": (
        "conv1 relu1 pool1 norm1 conv2 relu2 norm2 pool2 local3 relu3 local4 relu4 flatten fc5"
    ),
}


def test_parameters_are_counted_as_in_the_fact_sheet(weightless):
    for model, count in PARAMETERS.items():
        network = weightless(model, classes=10)
        assert sum(each.numel() for each in network.parameters()) == count, model


@pytest.mark.parametrize("model", ORDERS)
def test_layers_stand_in_the_order_of_the_programs_files(model, weightless):
    network = weightless(model)
    assert [name for name, _ in network.named_children()] == ORDERS[model].split()


@pytest.mark.parametrize("model", WIDTHS)
def test_initial_weights_have_the_published_deviations(model, small):
    network = small(model)
    for name, std in WIDTHS[model].items():
        layer = network.get_submodule(name)
        relative = 5 / math.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(std, rel=relative), name
        assert not layer.bias.any(), name


@pytest.mark.parametrize("model", DECAY)
def test_decay_is_the_published_one_for_every_layer_with_weights(model, weightless):
    network = weightless(model)
    assert network.weight_decay == DECAY[model]
    with_weights = {name.partition(".")[0] for name, _ in network.named_parameters()}
    assert with_weights == set(network.weight_decay)


def test_one_decay_for_all_is_no_decay_by_layer(weightless):
    assert weightless("alexnet").weight_decay == {}


def test_the_normalizations(weightless):
    """Both generations of the program's parser divide a spatial scale by size**2."""

    def norms(model: str) -> dict[str, tuple[object, ...]]:
        return {
            name: (n.region, n.size, n.scale, n.beta, n.k)
            for name, n in weightless(model).named_children()
            if isinstance(n, ResponseNorm)
        }

    spatial = ("spatial", 3, pytest.approx(5e-5 / 9), 0.75, 1.0)
    across = ("channels", 9, pytest.approx(0.001 / 9), 0.75, 1.0)
    assert norms("cifar_18pct") == {"norm1": spatial, "norm2": spatial}
    for model in ("cifar_11pct", "cifar_13pct_norm"):
        assert norms(model) == {"norm1": across, "norm2": across}
    for model in ("cifar_26pct", "cifar_13pct", "cifar_11pct_no_norm"):
        assert norms(model) == {}


def test_pools_are_maximum_first_and_means_then(weightless):
    kinds = {
        model: [
            type(each)
            for each in weightless(model).children()
            if isinstance(each, MaxPool | AvgPool)
        ]
        for model in ("cifar_26pct", "cifar_18pct", "cifar_13pct")
    }
    assert kinds["cifar_26pct"] == kinds["cifar_18pct"] == [MaxPool, AvgPool, AvgPool]
    assert kinds["cifar_13pct"] == [MaxPool, MaxPool]


@pytest.mark.parametrize(
    ("one", "other"),
    [("cifar_13pct", "cifar_13pct_norm"), ("cifar_11pct_no_norm", "cifar_11pct")],
)
def test_pairs_differ_in_normalization_alone(one, other, small):
    plain, normed = small(one), small(other)
    without = [
        (name, repr(each))
        for name, each in normed.named_children()
        if not isinstance(each, ResponseNorm)
    ]
    assert without == [(name, repr(each)) for name, each in plain.named_children()]
    assert (plain.weight_decay, plain.crop_px) == (normed.weight_decay, normed.crop_px)
    theirs = normed.state_dict()
    assert all(each.equal(theirs[name]) for name, each in plain.state_dict().items())


def test_our_small_network_has_a_few_million_parameters_and_mlp_no_window(weightless):
    network = weightless("alexnet_small", classes=200)
    assert sum(each.numel() for each in network.parameters()) == 2_837_768
    assert (network.image_px, network.crop_px) == (64, 56)
    adaptive = weightless("alexnet_adaptive", classes=200)
    assert sum(each.numel() for each in adaptive.parameters()) == 4_460_296
    assert (adaptive.image_px, adaptive.crop_px) == (64, 56)
    mlp = weightless("mlp", classes=10)
    kinds = [type(each) for each in mlp.children()]
    hidden = [FullyConnected, nn.Sigmoid]
    assert kinds == [nn.Flatten, *hidden, *hidden, FullyConnected]


@pytest.mark.parametrize("crop_px", [32, 48, 57, 64, 101, 112, 224])
def test_the_adaptive_network_has_the_same_tensors_at_every_size(weightless, crop_px):
    own = weightless("alexnet_adaptive").state_dict()
    other = weightless("alexnet_adaptive", image_px=crop_px, crop_px=crop_px)
    shapes = {name: each.shape for name, each in other.state_dict().items()}
    assert shapes == {name: each.shape for name, each in own.items()}
    assert other.stages(torch.zeros(1, 3, crop_px, crop_px, device="meta"))["pool5"].shape == (
        *(1, 384, 3, 3),
    )
