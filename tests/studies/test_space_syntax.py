from __future__ import annotations

import json

import pytest

from alexnet.errors import RecipeError
from alexnet.recipe import Choices, Range, Recipe
from alexnet.studies import SEARCHABLE, Dimension, parse_space, read_space

RECIPE = Recipe()


def parse_one(text: str) -> Dimension:
    (dimension,) = parse_space([text], RECIPE).dimensions
    return dimension


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("lr=1e-4..1e-1:log", Range(1e-4, 1e-1, "log")),
        ("lr=0.01..0.1", Range(0.01, 0.1, "log")),  # its default scale
        ("lr=0.01..0.1:linear", Range(0.01, 0.1, "linear")),
        ("dropout=0.2..0.8", Range(0.2, 0.8)),
        ("batch_size=16..64", Range(16, 64, "log", whole=True)),
        ("activation=relu,tanh", Choices(("relu", "tanh"))),
        ("batch_size=32, 64,128", Choices((32, 64, 128))),
        ("weight_decay=0,5e-4", Choices((0.0, 5e-4))),
        ("flip=yes,no", Choices((True, False))),
        ("lr", SEARCHABLE["lr"].domain),
    ],
)
def test_parse(text, domain):
    assert parse_one(text).domain == domain


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["learning_rate=1e-4..1"], 'no field "learning_rate" that can vary.*Fields: lr, '),
        (["drpout=0.1..0.2"], 'Did you mean "dropout"'),
        (["seed=1,2"], "seed cannot vary in a search: all trials .* same validation images"),
        (["model=alexnet,mlp"], "model cannot vary.*Give it one value: --model"),
        (["val_fraction=0.1..0.2"], "--val-fraction"),
        (["lr=0.1..0.01"], "leaves nothing between 0.1 and 0.01. Write the lower bound first"),
        (["lr=0.1..0.1"], "leaves nothing between"),
        (["lr=0..0.1"], "a log scale begins above 0.*lr=0..0.1:linear"),
        (["lr=a..b"], '"a" is not a number'),
        (["lr=1e-4..inf"], '"inf" is not a number'),
        (["lr=1e-4..1e-1:lgo"], 'scale "lgo". Did you mean "log"'),
        (["lr=0.1"], "one choice, so it would not vary. Name two, or fix it with --lr 0.1"),
        (["lr="], '"lr=" names no values'),
        (["lr=,"], "names no values"),
        (["activation=relu..tanh"], "activation is chosen among relu, tanh, sigmoid"),
        (["activation=relu,tan"], 'must be "relu", "tanh".* Did you mean "tanh"'),
        (["activation=relu,relu"], "each once"),
        (["patience=1.5..4"], "patience is a whole number"),
        (["flip=yes,maybe"], 'flip is yes or no, not "maybe"'),
        (["lr=1e-4..1", "lr=1e-4..1"], "lr is to vary twice"),
        (["momentum=0.5..1.0"], "momentum must be at least 0 and under 1"),
        ([], "The search space is empty"),
    ],
)
def test_parse_errors(texts, sentence):
    with pytest.raises(RecipeError, match=sentence):
        parse_space(texts, RECIPE)


def test_files_are_parsed_as_arguments(tmp_path):
    entries = {"lr": "1e-4..1e-1:log", "activation": ["relu", "tanh"], "momentum": True}
    (tmp_path / "space.json").write_text(json.dumps(entries))
    (tmp_path / "space.toml").write_text(
        'lr = "1e-4..1e-1:log"\nactivation = ["relu", "tanh"]\nmomentum = true\n'
    )
    expected = parse_space(["lr=1e-4..1e-1:log", "activation=relu,tanh", "momentum"], RECIPE)
    assert read_space(tmp_path / "space.json", RECIPE) == expected
    assert read_space(tmp_path / "space.toml", RECIPE) == expected


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("space.json", "{}", "space.json: The search space is empty"),
        ("space.json", "[1]", "space.json holds no search space: an object"),
        ("space.json", "{", "not a whole JSON file"),
        ("space.json", '{"lr": 0.1}', "lr is 0.1, and neither a text, a list of choices nor true"),
        ("space.json", '{"lr": []}', "lr has no choice"),
        ("space.json", '{"lr": [[1], [2]]}', "Plain values are expected"),
        ("space.json", '{"lrr": true}', 'space.json: A recipe has no field "lrr"'),
        ("space.toml", "lr = ", "not a whole TOML file"),
        ("space.yaml", "lr: 1", "a .json or .toml file is expected"),
    ],
)
def test_invalid_files(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(RecipeError, match=sentence):
        read_space(tmp_path / name, RECIPE)


@pytest.mark.parametrize("name", ["none.json", "none.toml"])
def test_missing_files(tmp_path, name):
    with pytest.raises(RecipeError, match=f"Could not read .*{name}"):
        read_space(tmp_path / name, RECIPE)
