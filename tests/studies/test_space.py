from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.recipe import Choices, Range, Recipe, changed
from alexnet.studies import EXCLUDED, SEARCHABLE, Dimension, SearchSpace, default_space

SHARES = st.floats(0, 1, exclude_max=True)
RECIPE = Recipe()


def test_every_field_of_a_recipe_is_searchable_or_has_a_reason_not_to_be():
    names = {field.name for field in dataclasses.fields(Recipe)}
    assert SEARCHABLE.keys() | EXCLUDED.keys() == names
    assert not SEARCHABLE.keys() & EXCLUDED.keys()


@pytest.mark.parametrize("name", SEARCHABLE)
def test_default_bounds_are_valid_in_a_recipe(name):
    dimension = Dimension(name, SEARCHABLE[name].domain)
    recipe = dataclasses.replace(
        RECIPE, mean="central"
    )  # with which random_resized_crop is valid, too
    for share in (0.0, 0.3, 0.999999):
        changed(recipe, {name: dimension.at(share)})


@given(SHARES, st.sampled_from(list(SEARCHABLE)))
def test_values_lie_in_the_domain_of_optuna(share, name):
    dimension = Dimension(name, SEARCHABLE[name].domain)
    value = dimension.at(share)
    distribution = dimension.distribution()
    assert distribution._contains(distribution.to_internal_repr(value))
    if isinstance(dimension.domain, Range):
        assert dimension.domain.low <= value <= dimension.domain.high
        assert isinstance(value, int if dimension.domain.whole else float)
    else:
        assert value in dimension.domain.values


@given(SHARES, SHARES)
def test_a_log_scale_is_uniform_in_the_logarithm(a, b):
    dimension = Dimension("lr", Range(1e-4, 1e-1, "log"))
    ratio = math.log(dimension.at(b) / dimension.at(a)) / math.log(1e3)
    assert ratio == pytest.approx(b - a, abs=1e-9)


def test_integers_are_equally_likely():
    dimension = Dimension("patience", Range(1, 4, whole=True))
    found = [dimension.at(i / 400) for i in range(400)]
    assert [found.count(n) for n in (1, 2, 3, 4)] == [100] * 4


def test_choices_are_equally_likely():
    dimension = Dimension("activation", Choices(("relu", "tanh", "sigmoid")))
    found = [dimension.at(i / 300) for i in range(300)]
    assert [found.count(name) for name in ("relu", "tanh", "sigmoid")] == [100] * 3


def test_inactive_fields_have_no_value():
    dimensions = [Dimension(name, SEARCHABLE[name].domain) for name in ("patience", "schedule")]
    space = SearchSpace.of(dimensions, RECIPE)
    assert [each.field for each in space.dimensions] == ["schedule", "patience"]
    assert space.params([0.0, 0.5], RECIPE).keys() == {"schedule", "patience"}  # plateau
    assert space.params([0.5, 0.5], RECIPE) == {"schedule": "cosine"}


def test_fields_that_are_never_active_raise():
    recipe = dataclasses.replace(RECIPE, schedule="cosine")
    with pytest.raises(
        RecipeError, match="an effect only with schedule plateau, and the recipe has .*cosine"
    ):
        SearchSpace.of([Dimension("patience", SEARCHABLE["patience"].domain)], recipe)


def test_conditional_fields_are_validated_where_they_are_active():
    """A mean image forbids random_resized_crop, so it is active with another mean alone."""
    dimensions = [
        Dimension(name, SEARCHABLE[name].domain) for name in ("random_resized_crop", "mean")
    ]
    space = SearchSpace.of(dimensions, RECIPE)
    assert space.params([0.0, 0.5], RECIPE) == {"mean": "image"}
    assert space.params([0.25, 0.0], RECIPE) == {"mean": "central", "random_resized_crop": 0.08}
    with pytest.raises(RecipeError, match="random_resized_crop must be above 0 and at most 1; got"):
        SearchSpace.of([Dimension("random_resized_crop", Range(0.5, 1.5)), dimensions[1]], RECIPE)
    with pytest.raises(RecipeError, match="a mean image cannot follow it"):
        SearchSpace.of(dimensions[:1], RECIPE)


def test_an_empty_space_raises():
    with pytest.raises(RecipeError, match="The search space is empty.*--vary lr=1e-4..1e-1:log"):
        SearchSpace.of([], RECIPE)


def test_bounds_outside_of_a_recipe_raise():
    with pytest.raises(
        RecipeError, match="search space is invalid: momentum must be at least 0 and"
    ):
        SearchSpace.of([Dimension("momentum", Range(0.5, 1.5))], RECIPE)


def test_default_space():
    names = [each.field for each in default_space(RECIPE).dimensions]
    assert names == ["lr", "momentum", "weight_decay", "batch_size", "dropout"]
    recipe = dataclasses.replace(RECIPE, weight_decay=None)
    found = default_space(recipe, ("lr",), has_dropout=False)
    assert [each.field for each in found.dimensions] == ["momentum", "batch_size"]
    with pytest.raises(RecipeError, match="The search space is empty"):
        default_space(recipe, ("lr", "momentum", "batch_size"), has_dropout=False)


def test_json_round_trip():
    dimensions = [Dimension(name, each.domain) for name, each in SEARCHABLE.items()]
    space = SearchSpace.of(dimensions, dataclasses.replace(RECIPE, color_jitter=0.1))
    assert SearchSpace.from_json(space.to_json()) == space
