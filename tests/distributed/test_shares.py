"""Who holds which images of a whole batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alexnet.distributed import batch_share, holding, part_sizes, share_of, shares_of

sizes = st.integers(1, 12)


@given(st.integers(1, 200), sizes)
def test_every_image_counts_in_one_process(whole, size):
    shares = shares_of(whole, size)
    counted = [n for each in shares if each.counted for n in range(each.start, each.stop)]
    assert counted == list(range(whole))
    assert (
        sum(each.weight for each in shares) == 1
        or abs(sum(each.weight for each in shares) - 1) < 1e-12
    )
    assert max(each.counted for each in shares) - min(each.counted for each in shares) <= 1


@given(st.integers(1, 200), sizes)
def test_every_process_computes_on_something(whole, size):
    assert all(each.held >= 1 and each.stop <= whole for each in shares_of(whole, size))


@given(st.integers(0, 5000), sizes)
def test_rows_are_divided_evenly_and_in_order(whole, size):
    parts = part_sizes(whole, size)
    assert sum(parts) == whole
    assert max(parts) - min(parts) <= 1


def test_layers_are_told_within_the_block_alone():
    share = share_of(10, 1, 3)
    assert batch_share() is None
    with holding(share):
        assert batch_share() == share
    assert batch_share() is None
