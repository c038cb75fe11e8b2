from __future__ import annotations

import functools
import io
import os
import random

import pytest

from alexnet.data.sources.file_bytes import FileWindow, PooledFile, SeekableFile, unnamed_file
from alexnet.data.sources.listing import RandomAccessFile

DATA = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(DATA)
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("offset", "size"), [(0, 1024), (10, 100), (1000, 24), (1000, 500), (5, 0)]
)
def test_a_window_is_a_slice(path, offset, size):
    window, part = FileWindow(RandomAccessFile.open(path), offset, size), DATA[offset:][:size]
    assert window.length() == len(part)
    for start in (0, 1, 50, 2000):
        for count in (0, 1, 30, 5000):
            assert window.read(start, count) == part[start:][:count]
    assert window.read(-5, 10) == b""


def test_a_window_in_a_window(path):
    outer = FileWindow(RandomAccessFile.open(path), 100, 200)
    assert FileWindow(outer, 50, 1000).read(0, 1000) == DATA[150:300]


def test_a_seekable_file_does_what_one_of_io_does(path):
    ours, theirs = SeekableFile(RandomAccessFile.open(path)), io.BytesIO(DATA)
    draw = random.Random(0)
    for _ in range(300):
        whence = draw.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
        offset = {0: draw.randint(0, 1100), 1: draw.randint(0, 60), 2: -draw.randint(0, 1024)}[
            whence
        ]
        assert ours.seek(offset, whence) == theirs.seek(offset, whence) == ours.tell()
        count = draw.choice([0, 1, 100, 5000, -1])
        assert ours.read(count) == theirs.read(count)
    with pytest.raises(OSError, match="a position of -1 bytes"):
        ours.seek(-1)


def test_few_of_many_files_are_open_at_once(tmp_path):
    opened = functools.lru_cache(maxsize=4)(RandomAccessFile.open)
    files = []
    for i in range(50):
        (tmp_path / str(i)).write_bytes(b"%d" % i)
        files.append(PooledFile(tmp_path / str(i), opened))
    for _ in range(2):
        assert [file.read(0, 9) for file in files] == [b"%d" % i for i in range(50)]
    assert opened.cache_info().currsize == 4
    assert [file.length() for file in files[8:12]] == [1, 1, 2, 2]


def test_an_unnamed_file_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    file = unnamed_file(lambda out: out.write(DATA))
    assert file.read(0, 5000) == DATA
    assert list((tmp_path / "cache").iterdir()) == []
