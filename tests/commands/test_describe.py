"""`alexnet describe`: its record, its JSON, and its text in 100 columns."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from rich.console import Console

from alexnet.cli.console.models import render_describe
from alexnet.commands.describe import describe
from alexnet.errors import RecipeError, WeightsError
from alexnet.nn.convolution import winograd_planner
from alexnet.records import ModelList, NetworkSummary


@pytest.fixture
def printed() -> Callable[[NetworkSummary | ModelList], str]:
    def printed(record: NetworkSummary | ModelList) -> str:
        console = Console(width=100, color_system=None)
        with console.capture() as capture:
            render_describe(record, console)
        return capture.get()

    return printed


def test_describe_answers_with_the_geometry():
    found = describe("alexnet")
    assert isinstance(found, NetworkSummary)
    assert (found.parameters, found.multiply_adds) == (60_965_224, 724_406_816)


def test_sizes_and_classes_are_taken():
    found = describe("alexnet", image_px=128, classes=7, activation="tanh")
    assert isinstance(found, NetworkSummary)
    assert (found.image_px, found.crop_px, found.classes) == (128, 112, 7)
    assert found.activation == "tanh"
    cut = describe("alexnet", crop_px=100)
    assert isinstance(cut, NetworkSummary)
    assert (cut.image_px, cut.crop_px) == (256, 100)


def test_it_is_one_json_object():
    found = json.loads(json.dumps(describe("alexnet").to_json(), allow_nan=False))
    assert found["layers"][0]["name"] == "conv1"
    assert found["layers"][0]["output"] == [96, 55, 55]
    assert found["layers"][0]["coverage"].startswith("conv1: 55 windows")
    listed = json.loads(json.dumps(describe().to_json()))
    assert listed["models"][0]["name"] == "alexnet"


@pytest.mark.skipif(winograd_planner() is None, reason="needs numba")
def test_forms_of_convolutions_are_said_without_measuring(printed, monkeypatch):
    monkeypatch.setattr("alexnet.devices.speeds.measure_speeds", None)  # calling it fails
    text = " ".join(printed(describe("cifar_18pct")).split())
    assert (
        "- conv1 by torch, the others by Winograd, where training and predicting find Winograd's "
        "form the fastest on this machine."
    ) in text
    assert "- conv1: by torch, since 3 channels in are no multiple of " in text
    assert "- conv2, conv3: 4 x 4 outputs a tile, 6.2 times fewer multiplications." in text
    assert "Convolutions" not in printed(describe("mlp"))
    found = json.loads(json.dumps(describe("small-200").to_json(), allow_nan=False))
    assert found["convolutions"] == "conv1 by torch, the others by Winograd"
    layers = {each["name"]: each for each in found["layers"]}
    assert layers["conv2"]["tile"] == 4
    assert "12 channels" in layers["conv1"]["torch_because"]


def test_the_table_of_the_papers_network(printed):
    lines = printed(describe("alexnet")).splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert " ".join(rows["conv2"]) == (
        "conv2 convolution 5/1/2 2 256 x 27 x 27 186,624 307,456 223,948,800"
    )
    assert rows["total"] == ["total", "659,272", "60,965,224", "724,406,816"]
    text = " ".join(" ".join(lines).split())
    assert "norm1, norm2: x / (2 + 0.0001 * sum of squares) ^ 0.75 over 5 neighboring" in text
    assert "Figure 2 prints 253,440 neurons for conv1" in text
    assert "do not cover 224 positions exactly" in text
    assert "out of images of 256 (150,528 inputs), 1,000 classes, relu." in text


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "alexnet"},
        {"model": "alexnet_program"},
        {"model": "alexnet_bn", "image_px": 600},
        {"model": "cifar_11pct", "classes": 100_000},
        {"model": None},
    ],
)
def test_no_line_is_longer_than_a_hundred_columns_and_no_number_is_cut(asked, printed):
    text = printed(describe(**asked))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    assert "…" not in text


def test_without_a_model_each_has_one_line(printed):
    record = describe()
    assert isinstance(record, ModelList)
    lines = printed(record).splitlines()
    assert len(lines) == len(record.models) + 2
    (line,) = [each for each in lines if each.startswith("one_column")]
    assert "224 of 256" in line
    assert "61,100,840" in line
    assert "torchvision's alexnet" in line


LENET = """name: "LeNet"
layer { name: "mnist" type: "%s" top: "data" top: "label" %s
  transform_param { %s } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 kernel_size: 5 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool1" top: "ip"
  inner_product_param { num_output: 10 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
"""


@pytest.fixture
def described(tmp_path):
    def described(kind: str, more: str, transform: str, **asked):
        (tmp_path / "lenet.prototxt.txt").write_text(LENET % (kind, more, transform))
        return describe(str(tmp_path / "lenet.prototxt.txt"), **asked)

    return described


def test_a_description_alone_is_shown(described, printed):
    found = described("Data", "", "scale: 0.00390625 crop_size: 28 mean_value: [1, 2, 3]")
    assert (found.crop_px, found.classes) == (28, 10)
    assert [layer.name for layer in found.layers] == ["conv1", "pool1", "ip_flat", "ip"]
    assert found.parameters == 20 * 75 + 20 + 2880 * 10 + 10
    text = printed(found)
    assert "multiplied by 0.00390625" in text
    assert "The mean 1,2,3 is taken off" in text
    assert "does not say how many channels" in text


def test_of_mean_and_scale_the_same_is_said(described):
    said = " ".join(described("Data", "", "crop_size: 28").images)
    assert "No mean is taken off; most" in said
    assert "Numbers are not scaled: they stay on 0..255" in said
    said = described("Data", "", "scale: 0.5 mean_file: '/home/a/m.binaryproto'", crop_px=28).images
    assert any("(its training named m.binaryproto)" in each for each in said)
    assert any("multiplied by 0.5" in each for each in said)


def test_what_training_alone_did_is_told_as_such(tmp_path):
    text = LENET % ("Data", "include { phase: TRAIN }", "scale: 0.5 mean_value: 7")
    test = """layer { name: "d" type: "Input" top: "data" include { phase: TEST }
      input_param { shape { dim: [1, 1, 28, 28] } } }\n"""
    (tmp_path / "n.prototxt").write_text(test + text)
    said = " ".join(describe(str(tmp_path / "n.prototxt")).images)
    assert "(its training took 7)" in said
    assert "(its training multiplied by 0.5)" in said


def test_a_data_layer_in_python_is_named(described):
    more = 'python_param { module: "readers" layer: "Digits" }'
    found = described("Python", more, "", crop_px=28)
    assert 'from the layer "mnist" (Python), readers.Digits, a program' in found.images[0]
    with pytest.raises(WeightsError, match="does not say of which side"):
        described("Python", more, "")


def test_bundled_weights_are_shown_by_name():
    found = describe("small-200")
    assert (found.model, found.classes, found.images) == ("alexnet_adaptive", 200, [])


def test_a_layer_file_is_shown_with_its_partner(tmp_path):
    layers = (
        "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n"
        "[fc]\ntype=fc\noutputs=4\ninputs=data\ninitW=0.01\n"
        "[probs]\ntype=softmax\ninputs=fc\n"
        "[logprob]\ntype=cost.logreg\ninputs=labels,probs\n"
    )
    rates = "[fc]\nepsW=0.001\nepsB=0.002\nmomW=0.9\nmomB=0.9\nwc=0\n[logprob]\ncoeff=1\n"
    (tmp_path / "net.cfg").write_text(layers)
    (tmp_path / "net-params.cfg").write_text(rates)
    one, other = str(tmp_path / "net.cfg"), str(tmp_path / "net-params.cfg")
    found = describe(one, other)
    assert isinstance(found, NetworkSummary)
    assert found.classes == 4
    assert describe(other, one).parameters == found.parameters
    with pytest.raises(RecipeError, match="is no partner of alexnet: a layer file has one"):
        describe("alexnet", other)


def test_files_have_settings_of_their_own(described, tmp_path):
    with pytest.raises(RecipeError, match="says its classes and activations itself"):
        described("Data", "", "crop_size: 28", classes=3)
    with pytest.raises(RecipeError, match="is a file, whose network has settings of its own"):
        describe("small-200", classes=3)


def test_mistakes_are_sentences():
    with pytest.raises(RecipeError, match='no model "alexnt". Did you mean "alexnet"'):
        describe("alexnt")
    with pytest.raises(RecipeError, match="conv1 has a window of 11 x 11, and its input is 9 x 9"):
        describe("alexnet", image_px=10)
    with pytest.raises(RecipeError, match="needs at least one class; got 0"):
        describe("mlp", classes=0)
    with pytest.raises(RecipeError, match="Name a model with these settings"):
        describe(classes=10)
