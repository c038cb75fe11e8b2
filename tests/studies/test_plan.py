from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alexnet.recipe import Recipe
from alexnet.studies import grid_levels, grid_points, quasi_random_point, random_point, space_of

RECIPE = Recipe()
SPACE = space_of(["lr", "momentum", "activation"], RECIPE)


def test_a_random_point_is_a_function_of_seed_and_slot():
    points = [random_point(5, slot, 3) for slot in range(50)]
    assert points == [random_point(5, slot, 3) for slot in range(50)]
    assert len({tuple(each) for each in points}) == 50
    assert random_point(6, 0, 3) != points[0]
    assert np.mean(points, axis=0) == pytest.approx([0.5] * 3, abs=0.15)


def test_quasi_random_points_are_a_sobol_sequence():
    engine = torch.quasirandom.SobolEngine(3, scramble=True, seed=5)
    wanted = engine.draw(16, dtype=torch.float64)
    found = [quasi_random_point(5, slot, 3) for slot in range(16)]
    assert torch.equal(torch.tensor(found, dtype=torch.float64), wanted)
    for k in range(3):  # each sixteenth of each field is met once
        assert sorted(int(16 * point[k]) for point in found) == list(range(16))


@pytest.mark.parametrize(
    ("trials", "levels"), [(1, [1, 1, 1]), (9, [2, 2, 2]), (24, [4, 3, 2]), (100, [6, 5, 3])]
)
def test_a_grid_divides_the_trials_among_the_fields(trials, levels):
    assert grid_levels(SPACE, trials) == levels


@given(st.integers(1, 200), st.integers(0, 3))
def test_a_grid_has_no_more_points_than_trials_and_none_twice(trials, seed):
    points = grid_points(SPACE, RECIPE, trials, seed)
    assert 1 <= len(points) <= trials
    assert len(points) == np.prod(grid_levels(SPACE, trials))
    assert len({tuple(SPACE.values(each, RECIPE).items()) for each in points}) == len(points)


def test_a_grid_stands_in_the_middle_of_equal_shares():
    space = space_of(["lr=1e-4..1:log", "momentum=0.5..0.9"], RECIPE)
    found = [space.values(each, RECIPE) for each in grid_points(space, RECIPE, 4, 0)]
    assert sorted({each["lr"] for each in found}) == pytest.approx([1e-3, 1e-1])
    assert sorted({each["momentum"] for each in found}) == pytest.approx([0.6, 0.8])


def test_a_grid_leaves_out_what_would_be_the_same_trial():
    space = space_of(["schedule=plateau,cosine", "patience=1..4"], RECIPE)
    points = grid_points(space, RECIPE, 8, 0)
    found = [space.values(each, RECIPE) for each in points]
    assert len(found) == 5  # four patiences, and one cosine
    assert found.count({"schedule": "cosine"}) == 1
