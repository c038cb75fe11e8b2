"""The network of 2012 in its readings: every count, order and constant of the fact sheet."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from alexnet.models import TORCHVISION_NAMES, Network
from alexnet.nn import Convolution, Dropout, ResponseNorm

PRINTED_ORDER = (
    "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 "
    "flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8"
)
PROGRAM_ORDER = (
    "conv1 norm1 pool1 relu1 conv2 relu2 norm2 norm2_spatial pool2 conv3 relu3 conv4 relu4 conv5 "
    "pool5 relu5 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8"
)
ORDERS = {
    "alexnet": PRINTED_ORDER,
    "alexnet_program": PROGRAM_ORDER,
    "one_gpu": PROGRAM_ORDER,
    "alexnet_sixth_conv": PROGRAM_ORDER.replace("relu5", "relu5 conv6 relu_conv6"),
    "alexnet_caffe": PRINTED_ORDER,
    "caffenet": PRINTED_ORDER.replace("norm1 pool1", "pool1 norm1").replace(
        "norm2 pool2", "pool2 norm2"
    ),
    "one_column": (
        "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 flatten "
        "drop6 fc6 relu6 drop7 fc7 relu7 fc8"
    ),
    "alexnet_bn": (
        "conv1 bn1 relu1 pool1 conv2 bn2 relu2 pool2 conv3 bn3 relu3 conv4 bn4 relu4 conv5 bn5 "
        "relu5 pool5 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8"
    ),
}
PARAMETERS = {
    "alexnet": 60_965_224,
    "alexnet_program": 60_965_224,
    "alexnet_caffe": 60_965_224,
    "caffenet": 60_965_224,
    "one_gpu": 59_798_312,
    "alexnet_sixth_conv": 60_965_224 + 256 * (256 * 9 + 1),
    "one_column": 61_100_840,
    # without towers 62,378,344; here the 1,376 biases give way to a gain and an offset for each map
    "alexnet_bn": 62_378_344 + 1_376,
}

# (printed or published) standard deviation of the weights and the bias, layer by layer
PAPER = {f"conv{n}": (0.01, 0) for n in (1, 3)} | {f"conv{n}": (0.01, 1) for n in (2, 4, 5)}
PAPER |= {"fc6": (0.01, 1), "fc7": (0.01, 1), "fc8": (0.01, 0)}
PROGRAM = PAPER | {"conv3": (0.03, 0), "conv4": (0.03, 1), "conv5": (0.03, 1)}
CAFFENET = PAPER | {"fc6": (0.005, 1), "fc7": (0.005, 1)}
CAFFE = {layer: (std, 0.1 if bias else 0) for layer, (std, bias) in CAFFENET.items()}
FIRST_WEIGHTS = {
    "alexnet": PAPER,
    "alexnet_program": PROGRAM,
    "one_gpu": PROGRAM,
    "alexnet_sixth_conv": PROGRAM | {"conv6": (0.03, 1)},
    "alexnet_caffe": CAFFE,
    "caffenet": CAFFENET,
}

# torchvision: alexnet().state_dict()
TORCHVISION = {
    "features.0.weight": (64, 3, 11, 11),
    "features.0.bias": (64,),
    "features.3.weight": (192, 64, 5, 5),
    "features.3.bias": (192,),
    "features.6.weight": (384, 192, 3, 3),
    "features.6.bias": (384,),
    "features.8.weight": (256, 384, 3, 3),
    "features.8.bias": (256,),
    "features.10.weight": (256, 256, 3, 3),
    "features.10.bias": (256,),
    "classifier.1.weight": (4096, 9216),
    "classifier.1.bias": (4096,),
    "classifier.4.weight": (4096, 4096),
    "classifier.4.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


def names(network: Network) -> list[str]:
    return [name for name, _ in network.named_children()]


def layers(network: Network, kind: type[nn.Module]) -> dict[str, nn.Module]:
    return {name: each for name, each in network.named_children() if isinstance(each, kind)}


@pytest.mark.parametrize("model", ORDERS)
def test_layers_stand_in_the_published_order_under_caffes_names(model, weightless):
    assert names(weightless(model)) == ORDERS[model].split()


@pytest.mark.parametrize("model", PARAMETERS)
def test_parameters_are_counted_as_published(model, weightless):
    network = weightless(model)
    assert sum(each.numel() for each in network.parameters()) == PARAMETERS[model]


@pytest.mark.parametrize("model", ["alexnet", "alexnet_program", "alexnet_caffe", "caffenet"])
def test_conv2_conv4_and_conv5_have_two_towers_and_conv3_sees_both(model, weightless):
    convolutions = layers(weightless(model), Convolution)
    assert [each.groups for each in convolutions.values()] == [1, 2, 1, 2, 2]
    assert [each.in_channels // each.groups for each in convolutions.values()] == [
        3, 48, 256, 192, 192,
    ]  # fmt: skip


def test_without_towers_there_would_be_62_378_344_parameters(weightless):
    """Each of two towers sees half the maps, so that one column would have the weights twice."""
    network = weightless("alexnet")
    count = sum(each.numel() for each in network.parameters())
    for layer in (network.conv2, network.conv4, network.conv5):
        count += layer.weight.numel()
    assert count == 62_378_344


@pytest.mark.parametrize("model", FIRST_WEIGHTS)
def test_initial_weights_have_the_published_deviations_and_biases(model, small):
    network = small(model)
    for name, (std, bias) in FIRST_WEIGHTS[model].items():
        layer = network.get_submodule(name)
        count = layer.weight.numel()
        assert layer.weight.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * count)), name
        assert abs(layer.weight.mean().item()) < 5 * std / math.sqrt(count), name
        assert (layer.bias == bias).all(), name


def test_one_column_starts_as_torch_does(small):
    for layer in small("one_column").children():
        if isinstance(layer, Convolution | nn.Linear):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            for each in (layer.weight, layer.bias):
                assert each.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def norm_settings(network: Network) -> dict[str, tuple[object, ...]]:
    return {
        name: (n.size, n.alpha, n.beta, n.k, n.divide, n.towers, n.region)
        for name, n in layers(network, ResponseNorm).items()
    }


def test_each_reading_of_the_normalization(weightless):
    printed = (5, 1e-4, 0.75, 2.0, False, 2, "channels")
    assert norm_settings(weightless("alexnet")) == {"norm1": printed, "norm2": printed}
    program = {
        "norm1": (5, 1e-4, 0.75, 2.0, True, 2, "channels"),
        "norm2": (5, 1e-4, 0.75, 2.0, True, 2, "channels"),
        "norm2_spatial": (5, 1e-3, 0.75, 1.0, True, 1, "spatial"),
    }
    for model in ("alexnet_program", "alexnet_sixth_conv"):
        assert norm_settings(weightless(model)) == program
    one = {k: v if k == "norm2_spatial" else (*v[:5], 1, v[6]) for k, v in program.items()}
    assert norm_settings(weightless("one_gpu")) == one
    caffe = (5, 1e-4, 0.75, 1.0, True, 1, "channels")
    for model in ("alexnet_caffe", "caffenet"):
        assert norm_settings(weightless(model)) == {"norm1": caffe, "norm2": caffe}
    for model in ("one_column", "alexnet_bn"):
        assert not norm_settings(weightless(model))


@pytest.mark.parametrize(
    ("model", "inverted"),
    [
        ("alexnet", False),
        ("alexnet_program", False),
        ("one_gpu", False),
        ("alexnet_sixth_conv", False),
        ("alexnet_caffe", True),
        ("caffenet", True),
        ("one_column", True),
        ("alexnet_bn", True),
    ],
)
def test_dropout_is_a_half_and_scales_where_the_original_does(model, inverted, weightless):
    dropped = layers(weightless(model), Dropout)
    assert {name: (each.p, each.inverted) for name, each in dropped.items()} == {
        "drop6": (0.5, inverted),
        "drop7": (0.5, inverted),
    }
    changed = layers(weightless(model, dropout=0.2), Dropout).values()
    assert [each.p for each in changed] == [0.2, 0.2]


def test_conv1_rounds_up_without_padding_as_in_the_program(weightless):
    rules = {
        model: (window.kernel, window.stride, window.padding, window.ceiling, crop)
        for model in ("alexnet", "alexnet_program", "one_gpu", "alexnet_caffe", "one_column")
        for network in [weightless(model)]
        for window, crop in [(network.conv1.window, network.crop_px)]
    }
    assert rules == {
        "alexnet": (11, 4, 0, True, 224),
        "alexnet_program": (11, 4, 0, True, 224),
        "one_gpu": (11, 4, 0, True, 224),
        "alexnet_caffe": (11, 4, 0, False, 227),
        "one_column": (11, 4, 2, False, 224),
    }


def test_torchvisions_weights_fit_one_column(weightless):
    network = weightless("one_column")
    ours = {name: tuple(each.shape) for name, each in network.state_dict().items()}
    renamed = {}
    for name, shape in TORCHVISION.items():
        layer, _, tensor = name.rpartition(".")
        renamed[f"{TORCHVISION_NAMES[layer]}.{tensor}"] = shape
    assert renamed == ours


def test_one_column_equals_torch_layers(small):
    """torchvision's own sequence, its weights taken over by name, gives the same logits."""
    network = small("one_column")
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.Dropout(), nn.Linear(network.fc6.in_features, 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 3),
    )  # fmt: skip
    theirs = nn.ModuleDict({"features": features, "classifier": classifier}).eval()
    state = {
        f"{theirs_name}.{tensor}": network.state_dict()[f"{ours_name}.{tensor}"]
        for theirs_name, ours_name in TORCHVISION_NAMES.items()
        for tensor in ("weight", "bias")
    }
    theirs.load_state_dict(state)
    x = torch.randn(2, 3, 70, 70, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = classifier(features(x).flatten(1))
        found = network.eval()(x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
