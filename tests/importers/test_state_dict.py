"""A network's tensors among all that programs of torch write around them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from alexnet.errors import WeightsError
from alexnet.importers.state_dict import find_tensors

WANTED = ("features.0.weight", "features.0.bias", "classifier.6.weight")
STATE = {name: torch.full((2,), float(i)) for i, name in enumerate(WANTED)}
PATH = Path("m.pth")


def find(value):
    return find_tensors(value, set(WANTED), PATH, "the network")


def renamed(change):
    return {change(name): each for name, each in STATE.items()}


def inside(prefix):
    return renamed(lambda name: prefix + name)


def in_features(name):
    return name.replace("features.", "features.module.")


NAMES = {
    "plain": STATE,
    "imagenet example": renamed(in_features),
    "data parallel": inside("module."),
    "compiled": inside("_orig_mod."),
    "compiled in parallel": inside("module._orig_mod."),
    "lightning": inside("model."),
    "net": inside("net."),
    "backbone": inside("backbone."),
    "encoder": inside("encoder."),
    "deep": inside("system.model.module.backbone."),
    "compiled blocks": renamed(lambda name: name.replace(".", "._orig_mod.", 1)),
    "half": {name: each.half() for name, each in STATE.items()},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "key",
    ["", "state_dict", "model", "net", "model_state_dict", "weights", "network", "module", "ema"],
)
def test_names_and_keys_of_programs_are_taken_off(name, key):
    value = {key: NAMES[name], "epoch": 3, "best": 0.5} if key else NAMES[name]
    found = find(value)
    assert {k: v.float().tolist() for k, v in found.tensors.items()} == {
        k: v.tolist() for k, v in STATE.items()
    }
    assert found.remarks == ()


def test_what_is_deeper_is_found():
    value = {"checkpoint": {"model": {"state_dict": inside("module.")}}, "optimizer": {"state": {}}}
    assert find(value).tensors["features.0.bias"].tolist() == [1, 1]


def test_of_two_copies_the_trained_one_is_taken_and_told():
    averaged = {name: each + 10 for name, each in STATE.items()}
    for value in (
        {"model": STATE, "model_ema": averaged},
        {"state_dict_ema": averaged, "state_dict": STATE},
        {"state_dict": {**inside("model."), **{f"ema_model.{k}": v for k, v in averaged.items()}}},
    ):
        found = find(value)
        assert found.tensors["features.0.weight"].tolist() == [0, 0]
        (said,) = [each for each in found.remarks if "more than once" in each]
        assert "ema" in said
    assert find({"ema": averaged}).tensors["features.0.weight"].tolist() == [10, 10]


def test_what_stands_beside_the_network_is_told():
    value = {"state_dict": {**inside("model."), "loss.weight": torch.ones(3)}}
    (said,) = find(value).remarks
    assert 'stand "loss.weight", which are not taken' in said


def test_numbers_and_texts_beside_plain_names_are_passed_over():
    assert find({**STATE, "epoch": 3, "arch": "alexnet"}).remarks == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "holds no state dict"),
        (3, "holds no state dict"),
        ({"a": {"b": 1}}, "holds no state dict"),
        ({**STATE, "more": torch.ones(1)}, 'it also holds "more"'),
        ({"model": {k: STATE[k] for k in WANTED[:2]}}, 'it lacks "classifier.6.weight"'),
        (
            {"conv1.weight": torch.ones(1)},
            "is not a state dict of the network: it lacks .* Known by their tensors are torch",
        ),
        ({**STATE, WANTED[0]: torch.ones(1, dtype=torch.int8)}, r"holds torch\.int8\. Save the"),
        ({**STATE, WANTED[0]: torch.ones(2).to_sparse()}, r"sparse_coo\. Save it dense"),
        ({**STATE, WANTED[0]: torch.tensor([1, torch.nan])}, "holds 1 number that is not finite"),
        ({**STATE, WANTED[0]: torch.ones(2, device="meta")}, "has a shape and no numbers"),
        ({**STATE, WANTED[0]: torch.ones(1).expand(1 << 31)}, "which is no layer of"),
        (
            {"a_orig" if k == WANTED[0] else k: v for k, v in STATE.items()},
            'it lacks "features.0.weight", and holds "a_orig" instead',
        ),
    ],
)
def test_what_is_no_network_is_told(value, said):
    with pytest.raises(WeightsError, match=said):
        find(value)


def test_a_count_beside_the_tensors_is_no_tensor_of_the_network():
    """As torch.optim.swa_utils writes one beside the averaged weights."""
    found = find({**inside("module."), "n_averaged": torch.tensor(4)})
    assert found.tensors.keys() == set(WANTED)
