"""CRC-32 by carry-less products against zlib."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

checksum = pytest.importorskip("alexnet.kernels.checksum", exc_type=ImportError)


@pytest.mark.parametrize("length", [*range(200), 255, 256, 3072, 12_288, 100_001])
def test_checksums_of_any_length_are_those_of_zlib(length):
    numbers = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    assert checksum.crc32(numbers) == zlib.crc32(numbers.tobytes())


@pytest.mark.parametrize("value", [0, 255])
def test_checksums_of_equal_bytes_depend_on_their_number(value):
    arrays = [np.full(length, value, dtype=np.uint8) for length in (64, 128, 192, 200)]
    assert [checksum.crc32(x) for x in arrays] == [zlib.crc32(x.tobytes()) for x in arrays]


def test_bytes_that_cannot_be_written_are_read():
    numbers = np.frombuffer(bytes(range(256)), dtype=np.uint8)
    assert checksum.crc32(numbers) == zlib.crc32(bytes(range(256)))
