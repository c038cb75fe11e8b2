from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alexnet.data.sources.tar import RandomAccess

OPEN = Path("/proc/self/fd")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 40)
    return tmp_path / "file"


@pytest.mark.parametrize("pread", [True, False])
def test_threads_read_at_any_place_at_once(path, monkeypatch, pread):
    if not pread:
        monkeypatch.delattr(os, "pread", raising=False)
    file = RandomAccess.open(path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: file.read(i, 3), range(256)))
    assert found == [bytes([i, (i + 1) % 256, (i + 2) % 256]) for i in range(256)]


def test_short_readings_are_put_together(path, monkeypatch):
    monkeypatch.setattr(RandomAccess, "_read", one_byte_at_most)
    assert RandomAccess.open(path).read(254, 4) == bytes([254, 255, 0, 1])


def one_byte_at_most(self, offset, count):
    return bytes([offset % 256]) if count else b""


def test_the_end_of_the_file_is_the_end(path):
    assert RandomAccess.open(path).read(256 * 40 - 2, 10) == b"\xfe\xff"


@pytest.mark.skipif(not OPEN.is_dir(), reason="needs /proc")
def test_nobody_leaves_it_open(path):
    before = len(list(OPEN.iterdir()))
    file = RandomAccess.open(path)
    assert len(list(OPEN.iterdir())) == before + 1
    del file
    gc.collect()
    assert len(list(OPEN.iterdir())) == before
