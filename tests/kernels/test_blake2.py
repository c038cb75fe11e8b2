"""BLAKE2b of several files at once against hashlib."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

blake2 = pytest.importorskip("alexnet.kernels.blake2", exc_type=ImportError)

EDGES = [0, 1, 127, 128, 129, 255, 256, 257, 384, 1000]


def by_hashlib(files: list[bytes]) -> list[bytes]:
    return [hashlib.blake2b(data, digest_size=16).digest() for data in files]


@given(st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, 2000)), max_size=12))
def test_digests_are_those_of_hashlib_for_any_lengths(lengths):
    rng = np.random.default_rng(len(lengths))
    files = [rng.bytes(length) for length in lengths]
    assert [row.tobytes() for row in blake2.digests(files)] == by_hashlib(files)


@pytest.mark.parametrize("long", range(5))
def test_lanes_that_are_done_take_the_next_file(long):
    """One file that is longer than all others together, in any lane."""
    files = [bytes([k]) * 300 for k in range(9)]
    files[long] = bytes(range(256)) * 40
    assert [row.tobytes() for row in blake2.digests(files)] == by_hashlib(files)


def test_rows_are_bytes():
    digests = blake2.digests([b"one", b"two", b"three"])
    assert digests.shape == (3, blake2.DIGEST_BYTES)
    assert digests.dtype == np.uint8
