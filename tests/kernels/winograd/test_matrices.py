from __future__ import annotations

import numpy as np
import pytest

from alexnet.kernels.winograd.matrices import matrices

FORMS = [(4, 3), (5, 3), (4, 5)]


@pytest.mark.parametrize(("m", "r"), FORMS)
def test_a_row_of_outputs_is_the_filter_slid_over_the_inputs(m: int, r: int) -> None:
    outputs, filters, inputs = matrices(m, r)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=m + r - 1), rng.normal(size=r)
    found = outputs @ ((filters @ w) * (inputs @ x))
    assert np.allclose(found, np.correlate(x, w, "valid"), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("m", "r"), FORMS)
def test_inputs_keep_their_size_and_their_transform_is_exact_in_float32(m: int, r: int) -> None:
    inputs = matrices(m, r).inputs
    assert (np.abs(inputs).sum(1) <= 3).all()
    assert (np.abs(inputs).sum(1) >= 1.5).all()
    assert (inputs.astype(np.float32) == inputs).all()


def test_the_sum_over_a_tile_is_one_of_its_numbers() -> None:
    for m, r in FORMS:
        assert (matrices(m, r).outputs[:, 1] == 1).all()  # the bias's gradient is read there


def test_no_points_are_chosen_for_larger_tiles() -> None:
    with pytest.raises(KeyError):
        matrices(6, 5)
