"""torchvision's state dicts against the same network written out in torch."""

from __future__ import annotations

import argparse
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from alexnet.errors import WeightsError
from alexnet.importers import ImportRequest
from alexnet.importers.torchvision import import_torchvision
from alexnet.weights import load_weights, save_weights

K = 3
SHAPES = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (K, 4096),
}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, shape in SHAPES.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        drawn = (1, *shape[1:]) if shape[0] == 4096 else shape  # one row, so that files are small
        weight = torch.randn(drawn, generator=generator) * scale
        found[f"{name}.weight"] = weight.expand(shape)
        found[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return found


def theirs(state, x):
    """What torchvision's module does, in order, at 224 pixels and without dropout."""
    for name, padding, stride in (("0", 2, 4), ("3", 2, 1), ("6", 1, 1), ("8", 1, 1), ("10", 1, 1)):
        x = functional.conv2d(
            x,
            state[f"features.{name}.weight"],
            state[f"features.{name}.bias"],
            padding=padding,
            stride=stride,
        ).relu()
        if name in ("0", "3", "10"):
            x = functional.max_pool2d(x, 3, 2)
    x = functional.adaptive_avg_pool2d(x, 6).flatten(1)
    for name in ("1", "4", "6"):
        x = functional.linear(
            x, state[f"classifier.{name}.weight"], state[f"classifier.{name}.bias"]
        )
        x = x if name == "6" else x.relu()
    return x


def read(path, **asked):
    return import_torchvision(ImportRequest(files=(path,), **asked)).weights


def test_the_network_answers_as_torchvisions(state, tmp_path):
    torch.save(state, tmp_path / "net.pth")
    weights = read(tmp_path / "net.pth")
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(weights.network()(x), theirs(state, x), atol=1e-4)
    assert (weights.model, weights.classes) == ("one_column", ("0", "1", "2"))


def test_images_become_what_torchvision_makes_of_them(state, tmp_path):
    halves = {name: each.half().contiguous() for name, each in state.items()}
    save_file(halves, tmp_path / "net.safetensors")
    rule = read(tmp_path / "net.safetensors").preprocessing
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    place, no = np.array([16]), np.array([False])
    found = rule.normalize(rule.crop(pixels, place, place, no), place, place, no)
    cut = torch.from_numpy(pixels[:, 16:240, 16:240]).permute(0, 3, 1, 2).float() / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = (cut - mean[:, None, None]) / deviation[:, None, None]
    assert torch.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("wrap", ["state_dict", "model", "module."])
def test_what_training_programs_wrap_around_is_taken_off(state, tmp_path, wrap):
    inside = {f"module.{k}": v for k, v in state.items()} if wrap == "module." else {wrap: state}
    torch.save(inside, tmp_path / "net.pth")
    assert torch.equal(read(tmp_path / "net.pth").state["fc8.bias"], state["classifier.6.bias"])


def test_a_checkpoint_of_the_imagenet_example_is_read(state, tmp_path):
    """examples/imagenet of PyTorch: DataParallel around the features, options, best accuracy."""
    inside = {name.replace("features.", "features.module."): each for name, each in state.items()}
    value = {
        "epoch": 3,
        "arch": "alexnet",
        "state_dict": inside,
        "best_acc1": np.float64(55.0),
        "args": argparse.Namespace(lr=0.1),
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": []},
    }
    torch.save(value, tmp_path / "model_best.pth.tar")
    found = read(tmp_path / "model_best.pth.tar").state
    assert torch.equal(found["conv1.bias"], state["features.0.bias"])


def test_it_survives_our_own_file(state, tmp_path):
    torch.save(state, tmp_path / "net.pth")
    (tmp_path / "names.txt").write_text("ant\nbee\ncrab\n")
    weights = read(tmp_path / "net.pth", classes=tmp_path / "names.txt", image_px=300)
    save_weights(tmp_path / "ours.safetensors", weights, dtype="bfloat16")
    again = load_weights(tmp_path / "ours.safetensors")
    assert again.classes == ("ant", "bee", "crab")
    assert again.preprocessing == weights.preprocessing
    assert again.preprocessing.image_px == 300
    again.network()


class Evil:
    def __reduce__(self):
        return (open, ("was-here", "w"))


def test_nothing_in_a_pickle_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Evil()}, "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(), protocol=2))
    for name in ("zip.pth", "plain.pth"):
        with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
            read(tmp_path / name)
    torch.save(nn.Linear(1, 1), "module.pth")
    with pytest.raises(WeightsError, match="holds more than tensors, which is never run"):
        read(tmp_path / "module.pth")
    assert not (tmp_path / "was-here").exists()


def test_other_state_dicts_are_named_by_what_they_lack(state, tmp_path):
    path = tmp_path / "net.pth"
    for change, words in (
        ({"features.0.weight": None}, 'it lacks "features.0.weight"'),
        ({"extra": torch.ones(1)}, 'it also holds "extra"'),
        ({"features.3.weight": torch.ones(192, 64, 3, 3)}, 'tensor "conv2.weight" has the shape'),
        ({"features.0.bias": torch.ones(64, dtype=torch.int64)}, "holds torch.int64"),
    ):
        torch.save({k: v for k, v in {**state, **change}.items() if v is not None}, path)
        with pytest.raises(WeightsError, match=words):
            read(path)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds no state dict"):
        read(path)


def test_damaged_files_are_sentences(state, tmp_path):
    path = tmp_path / "net.pth"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[: 1 << 20])
    with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
        read(path)
    path.write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match="cannot be read as tensors alone"):
        read(path)


@pytest.mark.parametrize("asked", [{"mean": "1,2,3"}, {"order": "BGR"}, {"scale": 1.0}])
def test_a_preprocessing_that_is_known_is_not_asked_for(tmp_path, asked):
    with pytest.raises(WeightsError, match="torchvision's preprocessing is known"):
        read(tmp_path / "net.pth", **asked)
    with pytest.raises(WeightsError, match="is one file; got 2"):
        import_torchvision(ImportRequest(files=(tmp_path / "a", tmp_path / "b")))
