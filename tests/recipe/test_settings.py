"""A field described once: its bounds, their sentence, and what a search tries."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import pytest

from alexnet.errors import RecipeError
from alexnet.recipe import Choices, Condition, Range
from alexnet.recipe.settings import (
    Bounds,
    any_of,
    check_value,
    linear,
    log,
    resolve_search,
    setting,
    setting_of,
)


@dataclass
class Oven:
    degrees: float = setting(180.0, "How hot.", above=0, search=log(50, 250))
    share: float | None = setting(None, "How full.", at_least=0, under=1, search="it is known")
    shelves: tuple[int, ...] = setting((), "Which are used.", at_least=1, search="it is a list")


DEGREES, SHARE, SHELVES = fields(Oven)


def test_a_default_is_the_fields_own():
    assert Oven() == Oven(degrees=180.0, share=None, shelves=())
    assert setting_of(DEGREES).help == "How hot."


@pytest.mark.parametrize(
    ("field", "annotation", "value", "sentence"),
    [
        (DEGREES, float, 0, "degrees must be a number above 0; got 0."),
        (DEGREES, float, math.inf, "degrees must be a number above 0; got inf."),
        (DEGREES, float, "hot", "degrees must be a number; got 'hot'."),
        (SHARE, float | None, 1.0, "share must be at least 0 and under 1; got 1.0."),
        (SHARE, float | None, "full", "share must be a number or none; got 'full'."),
        (SHELVES, tuple[int, ...], (1, 0), "shelves must each be at least 1; got (1, 0)."),
    ],
)
def test_a_value_out_of_bounds_is_a_sentence(field, annotation, value, sentence):
    with pytest.raises(RecipeError) as error:
        check_value(field, value, annotation)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("field", "annotation", "value"),
    [(DEGREES, float, 1), (SHARE, float | None, None), (SHELVES, tuple[int, ...], (1, 2))],
)
def test_a_value_within_bounds_passes(field, annotation, value):
    check_value(field, value, annotation)


def test_bounds_are_said_as_people_do():
    assert str(Bounds(at_least=1, at_most=9)) == "between 1 and 9"
    assert str(Bounds(above=0, at_most=1)) == "above 0 and at most 1"
    assert not Bounds(at_least=0).hold(math.nan)


def test_a_search_takes_whole_numbers_and_choices_from_the_type():
    assert resolve_search(linear(1, 4), int).domain == Range(1, 4, whole=True)
    assert resolve_search(log(1, 4), float | None).domain == Range(1, 4, "log")
    assert resolve_search(linear(0, 9), int | None).domain == Range(0, 9, whole=True)
    assert resolve_search(any_of(), bool).domain == Choices((True, False))
    assert resolve_search(any_of(), Literal["a", "b"] | None).domain == Choices(("a", "b"))
    assert resolve_search(any_of("a"), Literal["a", "b"]).domain == Choices(("a",))


def test_a_condition_holds_for_values_or_above_a_number():
    schedule, jitter = Condition("schedule", ("plateau", "steps")), Condition("jitter", above=0)
    assert (schedule.holds("steps"), schedule.holds("cosine")) == (True, False)
    assert (jitter.holds(0.1), jitter.holds(0.0)) == (True, False)
    assert schedule.words == "schedule plateau or steps"
    assert jitter.words == "jitter above 0"
