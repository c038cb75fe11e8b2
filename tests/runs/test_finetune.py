"""Fine-tuning: all but the last layer is kept bit for bit, and each learns at its own rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from alexnet.errors import RecipeError, WeightsError
from alexnet.images import Preprocessing
from alexnet.models import MODELS, build_model
from alexnet.runs import (
    finetuning_recipe,
    last_layer,
    resized_weights,
    scratch_recipe,
    with_first_weights,
    with_new_head,
)
from alexnet.runs.finetune import frozen_layers
from alexnet.training import PaperMomentum, Rates
from alexnet.weights import Weights, load_weights
from fixtures.layouts import LAYOUTS, layout_weights

SMALL = {"cifar_26pct": "fc5", "cifar_13pct": "fc5", "mlp": "fc3", "alexnet_small": "fc7"}


@pytest.fixture(params=SMALL)
def weights(request, saved):
    return load_weights(saved("w", model=request.param))


@pytest.mark.parametrize("classes", [1, 3, 7])
def test_all_tensors_but_the_heads_are_kept(weights, classes):
    start = with_new_head(weights, classes, seed=5)
    head = SMALL[weights.model]
    state = start.network.state_dict()
    assert state.keys() == weights.state.keys()
    for name, tensor in state.items():
        if name.startswith(f"{head}."):
            assert len(tensor) == classes
        else:
            assert torch.equal(tensor, weights.state[name]), name
    assert (start.network.classes, start.network.model) == (classes, weights.model)
    assert start.preprocessing == weights.preprocessing


def test_the_new_head_is_that_of_a_new_network_and_depends_on_the_seed(weights):
    head = SMALL[weights.model]
    arguments = {**weights.arguments, "classes": 3}
    for seed in (0, 5):
        fresh = build_model(weights.model, **arguments, seed=seed).state_dict()
        found = with_new_head(weights, 3, seed=seed).network.state_dict()
        assert torch.equal(found[f"{head}.weight"], fresh[f"{head}.weight"])
        assert torch.equal(found[f"{head}.bias"], fresh[f"{head}.bias"])
    one, other = (with_new_head(weights, 3, seed=seed).network.state_dict() for seed in (0, 5))
    assert not torch.equal(one[f"{head}.weight"], other[f"{head}.weight"])


def test_the_weights_themselves_are_not_touched(weights):
    before = {name: tensor.clone() for name, tensor in weights.state.items()}
    network = with_new_head(weights, 2).network
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert all(torch.equal(before[name], tensor) for name, tensor in weights.state.items())


def test_weights_that_do_not_fit_are_an_error(weights):
    state = dict(weights.state)
    del state[f"{SMALL[weights.model]}.bias"]
    with pytest.raises(WeightsError, match=r'lack the tensor "fc\d\.bias"'):
        with_new_head(replace(weights, state=state), 2)


@pytest.mark.parametrize("name", MODELS)
def test_the_last_layer_is_the_one_that_makes_the_logits(name):
    with torch.device("meta"):
        network = build_model(name, classes=3)
    (wanted,) = {key.split(".")[0] for key in list(network.state_dict())[-2:]}
    assert last_layer(network) == wanted
    assert isinstance(network.get_submodule(wanted), nn.Linear)


def multiples(network, recipe) -> dict[str, float]:
    """How far a gradient of one moves each parameter in the first step."""
    optimizer = PaperMomentum(network, replace(recipe, weight_decay=0.0))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer.prepare(0)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.set_lr(Rates(recipe.lr, recipe.lr * recipe.bias_lr_ratio, 0))
    optimizer.step()
    return {
        name: float((before[name] - p.detach()).double().mean())
        for name, p in network.named_parameters()
    }


@pytest.mark.parametrize(("new", "old"), [(0.01, 0.001), (0.02, 0.02), (0.003, 0.0), (1e-3, 1e-2)])
def test_each_layer_learns_at_its_own_rate(weights, new, old):
    start = with_new_head(weights, 2)
    recipe = finetuning_recipe(start, head_lr=new, backbone_lr=old, changes={}, head_epochs=0)
    head = SMALL[weights.model]
    for name, moved in multiples(start.network, recipe).items():
        wanted = new if name.startswith(f"{head}.") else old
        assert moved == pytest.approx(wanted, rel=1e-3, abs=1e-9), name


def test_changes_of_the_recipe_come_last(weights):
    start = with_new_head(weights, 2)
    changes = {"epochs": 3, "lr": 0.5, "layer_lr": ("fc*=2",)}
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes=changes)
    assert (recipe.epochs, recipe.lr, recipe.layer_lr) == (3, 0.5, ("fc*=2",))
    with pytest.raises(RecipeError, match='no field "epoch". Did you mean "epochs"'):
        finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes={"epoch": 3})


@pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
def test_network_and_preprocessing_of_the_recipe_are_those_of_the_weights(saved, resize_mode):
    weights = load_weights(saved("w", resize_mode=resize_mode))
    recipe = finetuning_recipe(
        with_new_head(weights, 2), head_lr=0.01, backbone_lr=0.001, changes={}
    )
    assert (recipe.model, recipe.activation) == (weights.model, "relu")
    assert (recipe.image_px, recipe.crop_px, recipe.resize_mode) == (20, 16, resize_mode)
    assert (recipe.mean, recipe.normalize) == ("image", True)
    plain = replace(weights.preprocessing, mean=None, std=None)
    start = with_new_head(replace(weights, preprocessing=plain), 2)
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes={})
    assert (recipe.mean, recipe.normalize) == ("none", False)


@pytest.mark.parametrize(
    ("changes", "sides"),
    [
        ({}, (64, 56)),
        ({"image_px": 40}, (40, 35)),
        ({"crop_px": 48}, (64, 48)),
        ({"image_px": 128, "crop_px": 112}, (128, 112)),
        ({"image_px": None, "crop_px": None}, (64, 56)),
    ],
)
def test_weights_for_any_size_are_fine_tuned_at_the_size_asked_for(changes, sides):
    network = build_model("alexnet_adaptive", classes=3)
    rule = Preprocessing(image_px=64, crop_px=56)
    trained = Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("a", "b", "c"),
        preprocessing=rule,
    )
    start = with_new_head(resized_weights(trained, changes), 2)
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes=changes)
    assert (recipe.image_px, recipe.crop_px) == sides
    assert (start.preprocessing.image_px, start.preprocessing.crop_px) == sides
    assert (start.network.crop_px, start.origin) == (sides[1], trained.digest)
    conv5 = network.state_dict()["conv5.weight"]
    assert torch.equal(start.network.state_dict()["conv5.weight"], conv5)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "mlp"},
        {"resize_mode": "pad"},
        {"image_px": 64},
        {"mean": "none"},
        {"initialization": "he"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_comes_with_the_weights_cannot_be_chosen_again(saved, changes):
    start = with_new_head(load_weights(saved("w")), 2)
    words = f"{next(iter(changes))} cannot be chosen here: fine-tuning keeps the network and the pr"
    with pytest.raises(RecipeError, match=words):
        finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes=changes)


def test_a_start_is_known_by_its_weights(saved):
    one, same, other = (
        with_new_head(load_weights(saved(name, seed=seed)), 2).origin
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert one == same != other


def test_a_head_is_left_behind(saved, images):
    """Weights with a head are fine-tuned as the network below it."""
    from alexnet.models import build_model

    weights = load_weights(saved("w"))
    head = {"kind": "logistic", "layer": "relu4", "features": 64, "classes": 2}
    arguments = {**weights.arguments, "head": head}
    classifier = {"weight": (2, 64), "bias": (2,), "shift": (64,), "scale": (64,)}
    headed = replace(
        weights,
        arguments=arguments,
        classes=("a", "b"),
        state={f"backbone.{name}": each for name, each in weights.state.items()}
        | {f"classifier.{name}": torch.ones(shape) for name, shape in classifier.items()},
    )
    start = with_new_head(headed, 4)
    assert type(start.network) is type(build_model("cifar_26pct", classes=2))
    assert start.network.classes == 4
    assert torch.equal(start.network.state_dict()["conv1.weight"], weights.state["conv1.weight"])


SMALL_LAYERS = ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "conv4", "bn4", "conv5", "bn5"]


@pytest.mark.parametrize(
    ("freeze", "wanted"),
    [
        ((), []),
        (("conv1",), ["conv1", "bn1"]),
        (("conv1..conv3",), SMALL_LAYERS[:6]),
        (("conv2..conv2", "bn5"), ["conv2", "bn2", "bn5"]),
        (("conv1..fc6",), [*SMALL_LAYERS, "fc6"]),
    ],
)
def test_layers_are_frozen_by_name_and_by_range(freeze, wanted):
    network = build_model("alexnet_small", classes=2)
    assert sorted(frozen_layers(network, freeze)) == sorted(wanted)


@pytest.mark.parametrize(
    ("freeze", "sentence"),
    [
        ("conv9", r'layer "conv9", which has no weights here\. Did you mean .* Layers: conv1, bn1'),
        ("relu1", r'layer "relu1", which has no weights here'),
        ("conv1..", r'layer "", which has no weights here'),
        ("fc7", "fc7 cannot be frozen: it is the new last layer"),
        ("conv1..fc7", "fc7 cannot be frozen"),
        ("conv3..conv1", r'freeze: "conv3\.\.conv1" leads back; write conv1\.\.conv3\.'),
    ],
)
def test_what_cannot_be_frozen_is_a_sentence(freeze, sentence):
    with pytest.raises(RecipeError, match=sentence):
        frozen_layers(build_model("alexnet_small", classes=2), [freeze])


def test_first_the_head_then_all_but_the_frozen(weights):
    start, head = with_new_head(weights, 2), SMALL[weights.model]
    first = "fc1" if weights.model == "mlp" else "conv1"
    changes = {"epochs": 20}
    recipe = finetuning_recipe(
        start, head_lr=0.01, backbone_lr=0.001, changes=changes, freeze=[first], head_epochs=5
    )
    optimizer = PaperMomentum(start.network, recipe)

    def learning(epoch: int) -> set[str]:
        optimizer.prepare(epoch)
        named = start.network.named_parameters()
        return {name.split(".")[0] for name, each in named if each.requires_grad}

    every = {name.split(".")[0] for name, _ in start.network.named_parameters()}
    assert learning(0) == learning(4) == {head}
    assert learning(5) == learning(19) == every - {first, "bn1"}


@pytest.mark.parametrize(("epochs", "alone"), [(1, 0), (9, 0), (20, 2), (35, 3)])
def test_a_tenth_of_the_epochs_is_the_heads_where_it_is_not_fitted(weights, epochs, alone):
    start = with_new_head(weights, 2)
    assert start.fits_last_layer
    rates = {"head_lr": 0.1, "backbone_lr": 0.01, "changes": {"epochs": epochs}}
    assert not any("@" in text for text in finetuning_recipe(start, **rates).layer_lr)
    recipe = finetuning_recipe(replace(start, fits_last_layer=False), **rates)
    begun = {text.partition("@")[2].partition("=")[0] for text in recipe.layer_lr if "@" in text}
    assert begun == ({str(alone)} if alone else set())


def test_no_epoch_for_the_old_layers_is_a_sentence(weights):
    start, rates = with_new_head(weights, 2), {"head_lr": 0.01, "backbone_lr": 0.001}
    for alone in (-1, 5, 6):
        with pytest.raises(RecipeError, match=rf"leave some of 5 epochs for .*; got {alone}\."):
            finetuning_recipe(start, **rates, changes={"epochs": 5}, head_epochs=alone)
    frozen = finetuning_recipe(
        start, head_lr=0.01, backbone_lr=0, changes={"epochs": 5}, head_epochs=5
    )
    assert all(text.endswith("=0") for text in frozen.layer_lr)


def test_the_recipe_suits_small_sets(saved):
    start = with_new_head(load_weights(saved("w")), 2)
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes={})
    assert (recipe.class_weights, recipe.early_stop) == ("auto", 8)
    assert (recipe.mean, recipe.random_resized_crop) == ("image", 1)  # which no box can follow
    plain = replace(start.preprocessing, mean=None)
    recipe = finetuning_recipe(
        replace(start, preprocessing=plain), head_lr=1, backbone_lr=1, changes={}
    )
    assert recipe.random_resized_crop == 0.35


def test_from_scratch_is_on_the_same_terms(weights):
    start = with_new_head(weights, 2)
    changes = {"seed": 3, "val_fraction": 0.3, "batch_size": 16, "epochs": 30}
    tuned = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes=changes)
    fresh = with_first_weights(weights, tuned, 2)
    recipe = scratch_recipe(fresh, tuned)
    assert fresh.origin is None
    assert fresh.preprocessing == weights.preprocessing
    for name in (*changes, "model", "image_px", "crop_px", "resize_mode", "mean", "class_weights"):
        if name != "epochs":
            assert getattr(recipe, name) == getattr(tuned, name), name
    assert recipe.epochs >= 60
    assert recipe.layer_lr == ()
    known = build_model(weights.model, **{**weights.arguments, "classes": 2}, seed=3).state_dict()
    assert all(torch.equal(known[name], each) for name, each in fresh.network.state_dict().items())


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_graph_for_other_classes_keeps_every_tensor_but_the_heads(name):
    weights = layout_weights(name)
    start = with_new_head(weights, 3)
    assert start.fits_last_layer
    head, state = last_layer(start.network), start.network.state_dict()
    for key, tensor in weights.state.items():
        if not key.startswith(f"{head}."):
            assert torch.equal(state[key], tensor), key
    assert len(state[f"{head}.weight"]) == 3
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes={})
    fresh = with_first_weights(weights, recipe, 3)  # of a graph with no ReLU on its scores either
    assert [*fresh.network.state_dict()] == [*state]
    assert start.network.arguments["graph"]["nodes"] == fresh.network.arguments["graph"]["nodes"]
