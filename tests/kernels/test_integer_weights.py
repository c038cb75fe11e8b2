"""Weights of a resize against their definition: a triangle, in whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from alexnet.kernels.integer_weights import integer_weights


@pytest.mark.parametrize(("size", "count"), [(500, 256), (64, 32), (17, 40), (1, 9), (300, 1)])
def test_each_output_is_a_mean_under_its_triangle(size, count):
    first, weights, precision = integer_weights(size, count)
    assert weights.shape[1] % 2 == 0
    support = max(size / count, 1.0)
    for i, (start, row) in enumerate(zip(first, weights, strict=True)):
        centers = start + np.arange(len(row)) + 0.5
        wanted = np.maximum(1 - np.abs(centers - (i + 0.5) * size / count) / support, 0)
        wanted[centers > size] = 0
        np.testing.assert_allclose(
            row / 2.0**precision, wanted / wanted.sum(), atol=2.0**-precision
        )


def test_what_is_kept_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        integer_weights(64, 32)[1][0] = 0
