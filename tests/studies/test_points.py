from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alexnet.recipe import Recipe
from alexnet.studies import grid_levels, grid_points, parse_space, quasi_random_point, random_point

RECIPE = Recipe()
SPACE = parse_space(["lr", "momentum", "activation"], RECIPE)


def test_random_points_are_a_function_of_seed_and_slot():
    points = [random_point(5, slot, 3) for slot in range(50)]
    assert points == [random_point(5, slot, 3) for slot in range(50)]
    assert len({tuple(each) for each in points}) == 50
    assert random_point(6, 0, 3) != points[0]
    assert np.mean(points, axis=0) == pytest.approx([0.5] * 3, abs=0.15)


def test_quasi_random_points_are_a_sobol_sequence():
    engine = torch.quasirandom.SobolEngine(3, scramble=True, seed=5)
    expected = engine.draw(16, dtype=torch.float64)
    found = [quasi_random_point(5, slot, 3) for slot in range(16)]
    assert torch.equal(torch.tensor(found, dtype=torch.float64), expected)
    for k in range(3):  # one point in each sixteenth of each field
        assert sorted(int(16 * point[k]) for point in found) == list(range(16))


@pytest.mark.parametrize(
    ("trials", "levels"), [(1, [1, 1, 1]), (9, [2, 2, 2]), (24, [4, 3, 2]), (100, [6, 5, 3])]
)
def test_grid_levels_divide_the_trials_among_the_fields(trials, levels):
    assert grid_levels(SPACE, trials) == levels


@given(st.integers(1, 200), st.integers(0, 3))
def test_grids_have_at_most_as_many_points_as_trials_and_none_twice(trials, seed):
    points = grid_points(SPACE, RECIPE, trials, seed)
    assert 1 <= len(points) <= trials
    assert len(points) == np.prod(grid_levels(SPACE, trials))
    assert len({tuple(SPACE.params(each, RECIPE).items()) for each in points}) == len(points)


def test_grid_points_are_centered_in_equal_parts_of_the_range():
    space = parse_space(["lr=1e-4..1:log", "momentum=0.5..0.9"], RECIPE)
    found = [space.params(each, RECIPE) for each in grid_points(space, RECIPE, 4, 0)]
    assert sorted({each["lr"] for each in found}) == pytest.approx([1e-3, 1e-1])
    assert sorted({each["momentum"] for each in found}) == pytest.approx([0.6, 0.8])


def test_grids_leave_out_equal_trials():
    space = parse_space(["schedule=plateau,cosine", "patience=1..4"], RECIPE)
    points = grid_points(space, RECIPE, 8, 0)
    found = [space.params(each, RECIPE) for each in points]
    assert len(found) == 5  # four patiences, and one cosine
    assert found.count({"schedule": "cosine"}) == 1
