from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.checks.duplicates import Groups

PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


@given(PAIRS)
def test_groups_are_the_connected_parts(pairs):
    groups = Groups(20)
    some, others = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1))
    groups.join(some, others)
    wanted = [{each} for each in range(20)]
    for one, other in pairs:
        a, b = (next(part for part in wanted if each in part) for each in (one, other))
        if a is not b:
            a |= b
            wanted.remove(b)
    parts = sorted(sorted(part) for part in wanted if len(part) > 1)
    assert groups.several() == parts
    least = {each: min(part) for part in wanted for each in part}
    assert groups.roots(np.arange(20)).tolist() == [least[each] for each in range(20)]
