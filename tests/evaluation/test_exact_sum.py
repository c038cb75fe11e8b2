import math

import numpy as np
import pytest

from alexnet.evaluation.exact_sum import ExactSum


@pytest.mark.parametrize("seed", range(20))
def test_sums_equal_fsum_in_any_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=500) * 10.0 ** rng.integers(-300, 280, 500)
    total = ExactSum()
    for part in np.array_split(values, rng.integers(1, 20)):
        total.add(part)
    assert total.result() == math.fsum(values)


def test_what_is_not_finite_makes_the_sum_so() -> None:
    total = ExactSum()
    total.add(np.array([1.0, math.inf]))
    assert total.result() == math.inf
    total.add(np.array([math.nan]))
    assert math.isnan(total.result())
