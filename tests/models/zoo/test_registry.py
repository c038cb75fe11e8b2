"""Choosing and building: activation, initial weights, sizes, and what cannot be built."""

from __future__ import annotations

import math

import pytest
from torch import nn

from alexnet.errors import RecipeError
from alexnet.models import MODELS, build_model
from alexnet.models.builder import Options, sizes
from alexnet.nn import Convolution

WANTED = (
    "alexnet alexnet_program alexnet_caffe caffenet one_column one_gpu alexnet_bn "
    "alexnet_sixth_conv cifar_26pct cifar_18pct cifar_13pct cifar_11pct alexnet_small "
    "alexnet_adaptive mlp"
)


def test_models_are_the_documented_ones():
    assert set(WANTED.split()) <= set(MODELS)


@pytest.mark.parametrize(
    ("activation", "kind"), [("relu", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid)]
)
def test_the_activation_is_a_choice_everywhere(name, activation, kind, weightless):
    network = weightless(name, activation=activation)
    own = weightless(name)
    acts = (nn.ReLU, nn.Tanh, nn.Sigmoid)
    found = {key: type(each) for key, each in network.named_children() if isinstance(each, acts)}
    places = [key for key, each in own.named_children() if isinstance(each, acts)]
    assert found == dict.fromkeys(places, kind)
    assert network.arguments["activation"] == activation


def test_the_models_own_activation_is_relu_but_for_the_traditional_one(name, weightless):
    own = weightless(name).arguments["activation"]
    assert own == ("sigmoid" if name == "mlp" else "relu")


def test_he_draws_every_layer_by_its_fan_in():
    network = build_model("cifar_26pct", classes=100, initialization="he")
    for key in ("conv1", "conv2", "conv3", "fc4", "fc5"):
        layer = network.get_submodule(key)
        std = math.sqrt(2 / layer.weight[0].numel())
        assert layer.weight.std().item() == pytest.approx(std, rel=0.06), key
        assert not layer.bias.any(), key


@pytest.mark.parametrize("model", ["alexnet_small", "alexnet_adaptive"])
def test_ours_start_with_hes_weights_and_a_small_classifier(small, model):
    network = small(model)
    for layer in network.children():
        if isinstance(layer, Convolution):
            std = math.sqrt(2 / layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
    assert network.fc7.weight.std().item() == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, (256, 224)),
        ({"image_px": 64}, (64, 56)),
        ({"image_px": 128}, (128, 112)),
        ({"crop_px": 200}, (256, 200)),
        ({"crop_px": 300}, (300, 300)),
        ({"image_px": 100, "crop_px": 90}, (100, 90)),
        ({"image_px": 1}, (1, 1)),
    ],
)
def test_image_px_alone_scales_the_crop_and_crop_px_alone_keeps_the_image(asked, found):
    assert sizes(Options(classes=2, **asked), 256, 224) == found


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"image_px": 100, "crop_px": 101}, "crop of 101 pixels cannot be cut from .* of 100"),
        ({"image_px": 0}, "image_px must be between 1 and 4096 pixels; got 0"),
        ({"crop_px": -1}, "crop_px must be between 1 and 4096 pixels; got -1"),
        ({"image_px": 5000}, "image_px must be between 1 and 4096 pixels; got 5000"),
        ({"classes": 0}, "alexnet needs at least one class; got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and under 1; got 1.0"),
        ({"activation": "rleu"}, 'no activation "rleu". Did you mean "relu"'),
        ({"initialization": "hee"}, 'no initialization "hee". Did you mean "he"'),
    ],
)
def test_arguments_out_of_range_raise(asked, words, weightless):
    with pytest.raises(RecipeError, match=words):
        weightless("alexnet", **asked)


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        (
            "alexnet",
            {"crop_px": 10, "image_px": 11},
            (
                r"alexnet cannot take crops of 10 pixels from images of 11: conv1 has a window "
                r"of 11 x 11, and its input is 10 x 10\. The smallest that work are crops of 52 pix"
            ),
        ),
        ("alexnet", {"image_px": 32}, "pool5 has a window of 3 x 3, and its input is 1 x 1"),
        (
            "one_column",
            {"image_px": 6, "crop_px": 6},
            r"conv1 .* 11 x 11, and its input is 6 x 6 \(with 2 of padding\)",
        ),
        ("cifar_26pct", {"image_px": 2}, "pool1 has a window of 3 x 3, and its input is 2 x 2"),
        (
            "alexnet_adaptive",
            {"image_px": 20, "crop_px": 20},
            (
                r"crops of 20 pixels from images of 20: pool5 needs maps of at least 3 x 3, and "
                r"its input is 2 x 2\. The smallest that work are crops of 23 pixels"
            ),
        ),
    ],
)
def test_sizes_that_cannot_work_raise_with_layer_and_sizes(model, asked, words, weightless):
    with pytest.raises(RecipeError, match=words):
        weightless(model, **asked)


@pytest.mark.parametrize(
    ("model", "asked", "layer"),
    [
        ("alexnet", {"classes": 2**50}, "fc8"),
        ("alexnet_bn", {"image_px": 4096}, "fc6"),
        ("cifar_13pct", {"image_px": 4096}, "local3"),
    ],
)
def test_too_large_network_raises_before_allocation(model, asked, layer):
    words = f"{model} for .* is too large: up to {layer} it has .* parameters.* is the limit"
    with pytest.raises(RecipeError, match=words):
        build_model(model, **{"classes": 2, **asked})


def test_twenty_thousand_classes_are_no_mistake(weightless):
    assert weightless("alexnet", classes=21_843).fc8.out_features == 21_843


def test_unknown_model_raises_with_suggestion():
    words = 'no model "alexnett". Did you mean "alexnet" .*Models: alexnet, alexnet_program'
    with pytest.raises(RecipeError, match=words):
        build_model("alexnett", classes=2)
    with pytest.raises(RecipeError, match='no model "resnet50"'):
        build_model("resnet50", classes=2)
