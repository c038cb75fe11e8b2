from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.recipe import Recipe, changed
from alexnet.studies import Dimension, Space, usual_space
from alexnet.studies.fields import FIELDS, FIXED, Choices, Range

SHARES = st.floats(0, 1, exclude_max=True)
RECIPE = Recipe()


def test_every_field_of_a_recipe_moves_or_has_a_reason_not_to():
    names = {field.name for field in dataclasses.fields(Recipe)}
    assert FIELDS.keys() | FIXED.keys() == names
    assert not FIELDS.keys() & FIXED.keys()


@pytest.mark.parametrize("name", FIELDS)
def test_the_usual_bounds_are_values_of_a_recipe(name):
    dimension = Dimension(name, FIELDS[name].domain)
    recipe = dataclasses.replace(RECIPE, mean="central")  # so that crop_area may move, too
    for share in (0.0, 0.3, 0.999999):
        changed(recipe, {name: dimension.at(share)})


@given(SHARES, st.sampled_from(list(FIELDS)))
def test_a_value_lies_in_its_domain_and_optuna_agrees(share, name):
    dimension = Dimension(name, FIELDS[name].domain)
    value = dimension.at(share)
    distribution = dimension.distribution()
    assert distribution._contains(distribution.to_internal_repr(value))
    if isinstance(dimension.domain, Range):
        assert dimension.domain.low <= value <= dimension.domain.high
        assert isinstance(value, int if dimension.domain.whole else float)
    else:
        assert value in dimension.domain.values


@given(SHARES, SHARES)
def test_a_log_scale_is_even_in_the_logarithm(a, b):
    dimension = Dimension("lr", Range(1e-4, 1e-1, "log"))
    ratio = math.log(dimension.at(b) / dimension.at(a)) / math.log(1e3)
    assert ratio == pytest.approx(b - a, abs=1e-9)


def test_whole_numbers_are_equally_likely():
    dimension = Dimension("patience", Range(1, 4, whole=True))
    found = [dimension.at(i / 400) for i in range(400)]
    assert [found.count(n) for n in (1, 2, 3, 4)] == [100] * 4


def test_choices_are_equally_likely():
    dimension = Dimension("activation", Choices(("relu", "tanh", "sigmoid")))
    found = [dimension.at(i / 300) for i in range(300)]
    assert [found.count(name) for name in ("relu", "tanh", "sigmoid")] == [100] * 3


def test_a_field_that_would_shape_nothing_is_left_out():
    dimensions = [Dimension(name, FIELDS[name].domain) for name in ("patience", "schedule")]
    space = Space.of(dimensions, RECIPE)
    assert [each.field for each in space.dimensions] == ["schedule", "patience"]
    assert space.values([0.0, 0.5], RECIPE).keys() == {"schedule", "patience"}  # plateau
    assert space.values([0.5, 0.5], RECIPE) == {"schedule": "cosine"}


def test_a_field_that_can_never_shape_anything_is_refused():
    recipe = dataclasses.replace(RECIPE, schedule="cosine")
    with pytest.raises(
        RecipeError, match="only with schedule plateau, and the recipe has .*cosine"
    ):
        Space.of([Dimension("patience", FIELDS["patience"].domain)], recipe)


def test_a_field_is_checked_where_it_moves():
    """A mean image forbids crop_area, so it moves in the trials of another mean alone."""
    dimensions = [Dimension(name, FIELDS[name].domain) for name in ("crop_area", "mean")]
    space = Space.of(dimensions, RECIPE)
    assert space.values([0.0, 0.5], RECIPE) == {"mean": "image"}
    assert space.values([0.25, 0.0], RECIPE) == {"mean": "central", "crop_area": 0.08}
    with pytest.raises(RecipeError, match="crop_area must be above 0 and at most 1; got"):
        Space.of([Dimension("crop_area", Range(0.5, 1.5)), dimensions[1]], RECIPE)
    with pytest.raises(RecipeError, match="a mean image cannot follow it"):
        Space.of(dimensions[:1], RECIPE)


def test_an_empty_space_is_refused():
    with pytest.raises(RecipeError, match="The space is empty.*--vary lr=1e-4..1e-1:log"):
        Space.of([], RECIPE)


def test_bounds_that_a_recipe_refuses_are_refused():
    with pytest.raises(RecipeError, match="cannot be searched: momentum must be at least 0 and"):
        Space.of([Dimension("momentum", Range(0.5, 1.5))], RECIPE)


def test_what_moves_usually():
    names = [each.field for each in usual_space(RECIPE).dimensions]
    assert names == ["lr", "momentum", "decay", "batch", "dropout"]
    recipe = dataclasses.replace(RECIPE, decay=None)
    found = usual_space(recipe, ("lr",), has_dropout=False)
    assert [each.field for each in found.dimensions] == ["momentum", "batch"]
    with pytest.raises(RecipeError, match="The space is empty"):
        usual_space(recipe, ("lr", "momentum", "batch"), has_dropout=False)


def test_a_space_is_json_and_back():
    dimensions = [Dimension(name, each.domain) for name, each in FIELDS.items()]
    space = Space.of(dimensions, dataclasses.replace(RECIPE, colour_noise=0.1))
    assert Space.from_json(space.to_json()) == space
