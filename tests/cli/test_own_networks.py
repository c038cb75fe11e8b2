"""Layer files and torch modules as models through the verbs."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from alexnet import features, finetune, load_weights, train, trusting
from alexnet.errors import RunError, WeightsError
from alexnet.recipes import choose_recipe

LAYERS = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[conv1]
type=conv
inputs=data
channels=3
filters=16
padding=2
filterSize=5
initW=0.01
partialSum=0
[pool1]
type=pool
pool=max
inputs=conv1
sizeX=3
stride=2
channels=16
neuron=relu
[fc2]
type=fc
inputs=pool1
outputs=2
initW=0.01
[probs]
type=softmax
inputs=fc2
[logprob]
type=cost.logreg
inputs=labels,probs
"""
PARAMETERS = """
[conv1]
epsW=0.0005
epsB=0.001
momW=0.9
momB=0.9
wc=0.004
[fc2]
epsW=0.001
epsB=0.002
momW=0.9
momB=0.9
wc=0.03
[logprob]
coeff=1
"""
NET = """
from torch import nn

def small(classes):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(4), nn.Flatten(),
        nn.Linear(36, classes),
    )
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with images of two classes, a pair of layer files and a module."""
    place = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for k, name in enumerate(("ant", "bee")):
        (place / "photos" / name).mkdir(parents=True)
        for i in range(8):
            pixels = rng.integers(160 * k, 160 * k + 90, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "photos" / name / f"{i}.png")
    (place / "layers-two.cfg").write_text(LAYERS)
    (place / "layer-params-two.cfg").write_text(PARAMETERS)
    (place / "shy_net.py").write_text(NET)
    return place


QUICK = {
    "cache": "none",
    "precision": "fp32",
    "image_px": 16,
    "crop_px": 16,
    "epochs": 1,
    "threads": 1,
    "batch_size": 4,
    "schedule": "constant",
    "val_fraction": 0.25,
}


@pytest.fixture(scope="module")
def layer_run(place) -> Path:
    """A run of the layer files; not to be changed."""
    train(place / "photos", run_dir=place / "run", model=str(place / "layers-two.cfg"), **QUICK)
    return place / "run"


def test_layer_files_have_learning_rates(place):
    recipe = choose_recipe(None, {"model": str(place / "layers-two.cfg")})
    assert (recipe.lr, recipe.momentum, recipe.bias_lr_ratio) == (0.001, 0.9, 2.0)
    assert recipe.layer_lr == ("conv1=0.5",)
    assert (recipe.weight_decay, recipe.layer_weight_decay, recipe.bias_weight_decay) == (
        0.004,
        ("fc2=0.03",),
        False,
    )
    other = choose_recipe("small", {"model": str(place / "layers-two.cfg"), "lr": 0.5})
    assert (other.lr, other.schedule, other.layer_weight_decay) == (0.5, "cosine", ("fc2=0.03",))


def test_weights_hold_the_layer_files(place, layer_run):
    weights = load_weights(layer_run)
    assert weights.model == "cuda_convnet"
    assert weights.arguments["files"] == {"layers": LAYERS, "parameters": PARAMETERS}
    moved = place / "moved"
    moved.mkdir()
    shutil.copy(layer_run / "weights.safetensors", moved / "w.safetensors")
    network = load_weights(moved / "w.safetensors").network()
    assert next(name for name, _ in network.named_children()) == "conv1"


def test_other_verbs_take_such_weights(place, layer_run, alexnet):
    photos = place / "photos"
    said = alexnet("evaluate", layer_run, photos, "--json")
    assert json.loads(said.out)["classes"] == ["ant", "bee"]
    out = place / "features.npz"
    assert alexnet("features", layer_run, photos, "--layer", "pool1_neuron", "--out", out).code == 0
    assert np.load(out)["features"].shape == (16, 16 * 8 * 8)
    assert alexnet("predict", layer_run, photos / "ant").code == 0
    said = alexnet("describe", place / "layers-two.cfg")
    assert (said.code, "pool1_neuron" in said.out) == (0, True)
    assert (layer_run / "report" / "index.html").is_file()


def test_fine_tuning_replaces_the_last_layer(place, layer_run):
    photos = place / "three"
    shutil.copytree(place / "photos", photos)
    shutil.copytree(photos / "ant", photos / "cow")
    report = finetune(
        layer_run, photos, run_dir=place / "tuned", cache="none", precision="fp32", epochs=1,
        threads=1, batch_size=4, val_fraction=0.25,
    )  # fmt: skip
    weights = load_weights(report.weights)
    assert weights.network().get_submodule("fc2").out_features == 3


def test_a_run_of_changed_layer_files_is_another_run(place, layer_run):
    file = place / "layers-two.cfg"
    file.write_text(LAYERS.replace("initW=0.01", "initW=0.02"))
    try:
        with pytest.raises(RunError, match="holds another run. It differs in layers: "):
            train(place / "photos", run_dir=layer_run, model=str(file), **QUICK)
    finally:
        file.write_text(LAYERS)


def test_missing_parameter_files(place, alexnet, tmp_path):
    lonely = tmp_path / "layers-lonely.cfg"
    lonely.write_text(LAYERS)
    said = alexnet("train", place / "photos", "--model", lonely)
    assert (said.code, "layer-params-lonely.cfg, which does not exist" in said.err) == (2, True)


@pytest.fixture(scope="module")
def module_run(place) -> Path:
    """A run of a torch module that lies in the working folder; the module is forgotten again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.syspath_prepend(place)
        train("photos", run_dir="own", model="shy_net:small", **{**QUICK, "crop_px": 14})
        del sys.modules["shy_net"]
    return place / "own"


def test_weights_of_a_module_hold_its_tensors_by_its_names(module_run):
    weights = load_weights(module_run)
    assert weights.model == "shy_net:small"
    assert set(weights.state) == {"0.weight", "0.bias", "4.weight", "4.bias"}
    assert set(load_file(module_run / "weights.safetensors")) >= set(weights.state)


@pytest.fixture
def trap(place, module_run, tmp_path, monkeypatch) -> Path:
    """A working folder with weights, and a module that leaves a file when it is imported."""
    (tmp_path / "shy_net.py").write_text("import pathlib\npathlib.Path('was-here').touch()\n" + NET)
    shutil.copytree(place / "photos", tmp_path / "photos")
    shutil.copy(module_run / "weights.safetensors", tmp_path / "w.safetensors")
    shutil.copy(module_run / "run.json", tmp_path / "recipe.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shy_net", raising=False)
    return tmp_path


def test_code_of_a_model_runs_only_where_it_is_trusted(trap, alexnet, monkeypatch):
    done = alexnet("evaluate", "w.safetensors", "photos")
    assert done.code == 2
    assert "is code outside of them" in done.err
    assert "--trust shy_net:small" in done.err
    done = alexnet("train", "photos", "--recipe", "recipe.json", "--run-dir", "r")
    assert (done.code, "add --trust shy_net:small" in done.err) == (2, True)
    assert not (trap / "was-here").exists()
    assert "shy_net" not in sys.modules


def test_the_program_imports_a_trusted_model_from_the_working_folder(trap):
    program = "import sys; from alexnet.cli.main import main; sys.exit(main())"
    arguments = ["evaluate", "w.safetensors", "photos", "--trust", "shy_net:small", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (trap / "was-here").exists()
    assert json.loads(done.stdout)["images"] > 0


def test_trusting_in_python(place, module_run, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "shy_net", raising=False)
    with pytest.raises(WeightsError, match="--trust shy_net:small"):
        load_weights(module_run).network()
    with trusting("shy_net:small"):
        network = load_weights(module_run).network()
        report = features(module_run, "photos", out=place / "own.npz", layer="1")
    assert network.features_layer == "2"
    assert report.feature_dim == 4 * 12 * 12
    assert network(torch.zeros(1, 3, 14, 14)).shape == (1, 2)


def test_weights_that_name_a_file_raise(module_run, tmp_path):
    weights = dataclasses.replace(load_weights(module_run), model=str(tmp_path / "x.cfg"))
    with pytest.raises(WeightsError, match="name the file .* and do not hold it"):
        weights.network()
