"""The Recipe: every field checked once, unknown names are errors, JSON both ways."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.recipe import (
    LayerSetting,
    Recipe,
    RecipeChanges,
    changed,
    recipe_from_json,
    recipe_help,
    search_defaults,
    search_exclusions,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 0.0}, r"lr must be a number above 0; got 0\.0"),
        ({"lr": float("nan")}, "lr must be a number above 0"),
        ({"lr": "fast"}, "lr must be a number; got 'fast'"),
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"epochs": 1.5}, r"epochs must be a whole number; got 1\.5"),
        ({"epochs": True}, "epochs must be a whole number; got True"),
        ({"momentum": 1.0}, "momentum must be at least 0 and under 1"),
        ({"dropout": 1.0}, "dropout must be at least 0 and under 1"),
        (
            {"resize_mode": "corp"},
            r'resize_mode must be "crop", "squash" or "pad"; got .corp.\. Did you mean',
        ),
        ({"activation": "rely"}, r'got .rely.\. Did you mean "relu"'),
        ({"image_px": 4097}, "image_px must be between 1 and 4096; got 4097"),
        ({"seed": 10**400}, "seed must be between 0 and 9223372036854775807"),
        ({"weight_decay": float("inf")}, "weight_decay must be a number of at least 0; got inf"),
        ({"milestones": (0, 3)}, r"milestones must each be at least 1; got \(0, 3\)"),
        ({"image_px": 32, "crop_px": 33}, r"crop_px \(33\) is larger than image_px \(32\)"),
        ({"milestones": (3, 2)}, "milestones must be rising epochs"),
        ({"schedule": "steps"}, 'schedule "steps" needs milestones'),
        ({"layer_lr": ("conv1",)}, 'Write for example "conv1=0.1"'),
        ({"layer_lr": ("conv1@x=1",)}, "which is not LAYER=NUMBER or LAYER@EPOCH=NUMBER"),
        ({"layer_weight_decay": ("fc8=-1",)}, "layer_weight_decay holds"),
        ({"learning_rate": 1}, r'no field "learning_rate".* Fields: model,'),
        ({"epoch": 1}, 'no field "epoch". Did you mean "epochs"'),
    ],
)
def test_a_value_that_cannot_be_is_a_sentence(changes, words):
    with pytest.raises(RecipeError, match=words):
        changed(Recipe(), changes)


def test_it_is_the_paper_by_default():
    recipe = Recipe()
    assert (recipe.batch_size, recipe.momentum, recipe.weight_decay, recipe.lr) == (
        128,
        0.9,
        0.0005,
        0.01,
    )


def test_changes_have_the_names_and_types_of_the_fields():
    changes, fields = get_type_hints(RecipeChanges), get_type_hints(Recipe)
    assert changes.pop("lr") == fields.pop("lr") | Literal["auto"]
    assert list(changes.items()) == list(fields.items())


def test_every_field_says_what_it_is_and_whether_a_search_varies_it():
    names = [field.name for field in dataclasses.fields(Recipe)]
    assert list(recipe_help()) == names
    assert all(text.endswith(".") and len(text) < 100 for text in recipe_help().values())
    assert search_defaults().keys() | search_exclusions().keys() == set(names)
    assert not search_defaults().keys() & search_exclusions().keys()


def test_a_search_varies_five_fields_unasked_in_this_order():
    usual = [name for name, search in search_defaults().items() if search.usual is not None]
    assert usual == ["lr", "momentum", "weight_decay", "batch_size", "dropout"]


@given(
    lr=st.floats(1e-9, 1e3),
    epochs=st.integers(1, 10**6),
    milestones=st.lists(st.integers(1, 500), unique=True).map(lambda each: tuple(sorted(each))),
    dropout=st.none() | st.floats(0, 0.99),
    seed=st.integers(0, 2**63 - 1),
)
def test_json_brings_back_the_same_recipe(lr, epochs, milestones, dropout, seed):
    recipe = Recipe(lr=lr, epochs=epochs, milestones=milestones, dropout=dropout, seed=seed)
    assert recipe_from_json(json.loads(json.dumps(recipe.to_json())), "x") == recipe


def test_a_file_is_named_in_the_error():
    with pytest.raises(RecipeError, match=r"best\.json: epochs must be at least 1"):
        recipe_from_json({"epochs": 0}, "best.json")
    with pytest.raises(RecipeError, match=r"best\.json holds no recipe"):
        recipe_from_json([1], "best.json")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("conv1=0.1", LayerSetting("conv1", 0, 0.1)),
        ("conv1@67=0", LayerSetting("conv1", 67, 0.0)),
        ("conv*=1e-3", LayerSetting("conv*", 0, 1e-3)),
    ],
)
def test_settings_of_layers_are_read(text, setting):
    assert LayerSetting.parse(text, "layer_lr") == setting
