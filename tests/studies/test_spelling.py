from __future__ import annotations

import json

import pytest

from alexnet.errors import RecipeError
from alexnet.recipe import Recipe
from alexnet.studies import Dimension, read_space, space_of
from alexnet.studies.fields import FIELDS, Choices, Range

RECIPE = Recipe()


def only(text: str) -> Dimension:
    (found,) = space_of([text], RECIPE).dimensions
    return found


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("lr=1e-4..1e-1:log", Range(1e-4, 1e-1, "log")),
        ("lr=0.01..0.1", Range(0.01, 0.1, "log")),  # its usual scale
        ("lr=0.01..0.1:linear", Range(0.01, 0.1, "linear")),
        ("dropout=0.2..0.8", Range(0.2, 0.8)),
        ("batch=16..64", Range(16, 64, "log", whole=True)),
        ("activation=relu,tanh", Choices(("relu", "tanh"))),
        ("batch=32, 64,128", Choices((32, 64, 128))),
        ("decay=0,5e-4", Choices((0.0, 5e-4))),
        ("flip=yes,no", Choices((True, False))),
        ("lr", FIELDS["lr"].domain),
    ],
)
def test_what_is_understood(text, domain):
    assert only(text).domain == domain


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["learning_rate=1e-4..1"], 'no field "learning_rate" that could vary.*Fields: lr, '),
        (["drpout=0.1..0.2"], 'Did you mean "dropout"'),
        (["seed=1,2"], "seed does not move in a search: all trials .* same validation pictures"),
        (["model=alexnet,mlp"], "model does not move.*Give it one value: --model"),
        (["val_fraction=0.1..0.2"], "--val-fraction"),
        (["lr=0.1..0.01"], "leaves nothing between 0.1 and 0.01. Write the lower bound first"),
        (["lr=0.1..0.1"], "leaves nothing between"),
        (["lr=0..0.1"], "a log scale begins above 0.*lr=0..0.1:linear"),
        (["lr=a..b"], '"a" is no number'),
        (["lr=1e-4..inf"], '"inf" is no number'),
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
        ([], "The space is empty"),
    ],
)
def test_what_is_refused_and_how(texts, sentence):
    with pytest.raises(RecipeError, match=sentence):
        space_of(texts, RECIPE)


def test_a_file_says_the_same(tmp_path):
    entries = {"lr": "1e-4..1e-1:log", "activation": ["relu", "tanh"], "momentum": True}
    (tmp_path / "space.json").write_text(json.dumps(entries))
    (tmp_path / "space.toml").write_text(
        'lr = "1e-4..1e-1:log"\nactivation = ["relu", "tanh"]\nmomentum = true\n'
    )
    wanted = space_of(["lr=1e-4..1e-1:log", "activation=relu,tanh", "momentum"], RECIPE)
    assert read_space(tmp_path / "space.json", RECIPE) == wanted
    assert read_space(tmp_path / "space.toml", RECIPE) == wanted


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("space.json", "{}", "space.json: The space is empty"),
        ("space.json", "[1]", "space.json holds no space: an object"),
        ("space.json", "{", "not a whole JSON file"),
        ("space.json", '{"lr": 0.1}', "lr is 0.1, and neither a text, a list of choices nor true"),
        ("space.json", '{"lr": []}', "lr has no choice"),
        ("space.json", '{"lr": [[1], [2]]}', "Plain values are wanted"),
        ("space.json", '{"lrr": true}', 'space.json: A recipe has no field "lrr"'),
        ("space.toml", "lr = ", "not a whole TOML file"),
        ("space.yaml", "lr: 1", "a .json or .toml file is expected"),
    ],
)
def test_a_file_that_cannot_be(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(RecipeError, match=sentence):
        read_space(tmp_path / name, RECIPE)


@pytest.mark.parametrize("name", ["none.json", "none.toml"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(RecipeError, match=f"Could not read .*{name}"):
        read_space(tmp_path / name, RECIPE)
