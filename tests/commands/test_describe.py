"""`alexnet describe`: its record, its JSON, and its text in 100 columns."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from rich.console import Console

from alexnet.cli.console.models import render_describe
from alexnet.commands.describe import describe
from alexnet.errors import RecipeError
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


def test_mistakes_are_sentences():
    with pytest.raises(RecipeError, match='no model "alexnt". Did you mean "alexnet"'):
        describe("alexnt")
    with pytest.raises(RecipeError, match="conv1 has a window of 11 x 11, and its input is 9 x 9"):
        describe("alexnet", image_px=10)
    with pytest.raises(RecipeError, match="needs at least one class; got 0"):
        describe("mlp", classes=0)
    with pytest.raises(RecipeError, match="Name a model with these settings"):
        describe(classes=10)
