"""Pairs of bytes, counted 32 at a time, against `bytes.count`."""

from __future__ import annotations

import numpy as np
import pytest

byte_pairs = pytest.importorskip("alexnet.kernels.byte_pairs", exc_type=ImportError)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 31, 32, 33, 34, 64, 65, 66, 1000, 4097])
def test_pairs_are_counted_wherever_they_begin(length):
    letters = np.array([0xFF, 0xDA, 0, 7], dtype=np.uint8)
    data = np.random.default_rng(length).choice(letters, length).tobytes()
    numbers = np.frombuffer(data, dtype=np.uint8)
    assert byte_pairs.count_pairs(numbers, 0xFF, 0xDA) == data.count(b"\xff\xda")


@pytest.mark.parametrize("start", [0, 30, 31, 32, 63, 64, 98])
def test_a_pair_across_two_vectors_counts_once(start):
    data = bytearray(100)
    data[start : start + 2] = b"\xff\xda"
    numbers = np.frombuffer(bytes(data), dtype=np.uint8)
    assert byte_pairs.count_pairs(numbers, 0xFF, 0xDA) == 1
