"""The Recipe: every field checked once, unknown names refused, JSON both ways."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.recipe import LayerSetting, Recipe, RecipeChanges, changed, recipe_from_json


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
        ({"fit": "corp"}, r'fit must be "crop", "squash" or "pad"; got .corp.\. Did you mean'),
        ({"activation": "rely"}, r'got .rely.\. Did you mean "relu"'),
        ({"image_px": 32, "crop_px": 33}, r"crop_px \(33\) is larger than image_px \(32\)"),
        ({"cuts": (3, 2)}, "cuts must be rising epochs"),
        ({"schedule": "steps"}, 'schedule "steps" needs cuts'),
        ({"layer_lr": ("conv1",)}, 'Write for example "conv1=0.1"'),
        ({"layer_lr": ("conv1@x=1",)}, "which is not LAYER=NUMBER or LAYER@EPOCH=NUMBER"),
        ({"layer_decay": ("fc8=-1",)}, "layer_decay holds"),
        ({"learning_rate": 1}, r'no field "learning_rate".* Fields: model,'),
        ({"epoch": 1}, 'no field "epoch". Did you mean "epochs"'),
    ],
)
def test_what_cannot_be_is_a_sentence(changes, words):
    with pytest.raises(RecipeError, match=words):
        changed(Recipe(), changes)


def test_it_is_the_paper_by_default():
    recipe = Recipe()
    assert (recipe.batch, recipe.momentum, recipe.decay, recipe.lr) == (128, 0.9, 0.0005, 0.01)


def test_every_field_may_be_changed_and_nothing_else():
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert set(RecipeChanges.__annotations__) == fields


@given(
    lr=st.floats(1e-9, 1e3),
    epochs=st.integers(1, 10**6),
    cuts=st.lists(st.integers(1, 500), unique=True).map(lambda each: tuple(sorted(each))),
    dropout=st.none() | st.floats(0, 0.99),
    seed=st.integers(0, 2**63 - 1),
)
def test_json_brings_back_the_same_recipe(lr, epochs, cuts, dropout, seed):
    recipe = Recipe(lr=lr, epochs=epochs, cuts=cuts, dropout=dropout, seed=seed)
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
