from __future__ import annotations

import gc
import os
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from alexnet.data.sources import listing as listing_module
from alexnet.data.sources.listing import ListingBuilder, RandomAccessFile
from alexnet.images import UnreadableImage


class EchoReader:
    """Reads what it was asked for."""

    def read(self, path, position, size):
        return f"{path} {position} {size}".encode()


def listing(*paths):
    builder = ListingBuilder()
    for place, path in enumerate(paths):
        builder.add(path, 10 + place, 100 + place, place)
    builder.folders.add("empty/inner")
    return builder.build(Path("here"), EchoReader())


def test_files_come_by_path_whatever_the_scan_met_first():
    paths = [f"{folder}/{i}.png" for folder in ("bee", "ant", "Ähre") for i in range(20)]
    random.Random(0).shuffle(paths)
    found = listing(*paths)
    assert list(found.paths) == sorted(paths)
    for i, path in enumerate(found.paths):
        place = paths.index(path)
        assert found.read(i) == f"{path} {place} {10 + place}".encode()
        assert found.stamps[i] == 100 + place
        assert path.startswith(found.folders[found.folder_of[i]] + "/")


def test_folders_are_all_there_are():
    found = listing("a/b/c/1.png", "2.png")
    assert found.folders == ("", "a", "a/b", "a/b/c", "empty", "empty/inner")
    assert [found.folders[i] for i in found.folder_of] == ["", "a/b/c"]


def test_of_two_files_of_one_path_the_later_counts():
    found = listing("a/1.png", "b/1.png", "a/1.png")
    assert list(found.paths) == ["a/1.png", "b/1.png"]
    assert found.sizes.tolist() == [12, 11]


def test_some_files_are_taken_in_another_order():
    found = listing("a/1.png", "a/2.png", "b/3.png").take(np.array([2, 0]))
    assert list(found.paths) == ["b/3.png", "a/1.png"]
    assert found.read(0) == b"b/3.png 2 12"
    assert [found.folders[i] for i in found.folder_of] == ["b", "a"]
    assert len(found) == 2


def test_nothing_is_a_listing():
    found = ListingBuilder().build(Path("here"), EchoReader())
    assert (len(found), found.folders) == (0, ("",))


def test_a_file_too_large_for_an_image_is_not_read(monkeypatch):
    monkeypatch.setattr(listing_module, "MAX_FILE_BYTES", 10)
    found = listing("a/1.png", "a/film.mp4")
    assert found.read(0)
    with pytest.raises(UnreadableImage, match="it has 11 bytes, and the limit is 10 bytes"):
        found.read(1)


def test_a_million_images_take_less_than_200_megabytes():
    n = 20_000  # some of it, for speed
    builder = ListingBuilder()
    for i in range(n):
        builder.add(f"train/n{i % 100:08}/n{i % 100:08}_{i:05}.JPEG", i, i, i)
    tracemalloc.start()
    found = builder.build(Path("here"), EchoReader())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == n
    assert held / n < 200e6 / 1.28e6


OPEN = Path("/proc/self/fd")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 40)
    return tmp_path / "file"


@pytest.mark.parametrize("pread", [True, False])
def test_threads_read_at_any_place_at_once(path, monkeypatch, pread):
    if not pread:
        monkeypatch.delattr(os, "pread", raising=False)
    file = RandomAccessFile.open(path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: file.read(i, 3), range(256)))
    assert found == [bytes([i, (i + 1) % 256, (i + 2) % 256]) for i in range(256)]


def test_short_readings_are_put_together(path, monkeypatch):
    monkeypatch.setattr(RandomAccessFile, "_read", one_byte_at_most)
    assert RandomAccessFile.open(path).read(254, 4) == bytes([254, 255, 0, 1])


def one_byte_at_most(self, offset, count):
    return bytes([offset % 256]) if count else b""


def test_the_end_of_the_file_is_the_end(path):
    assert RandomAccessFile.open(path).read(256 * 40 - 2, 10) == b"\xfe\xff"


@pytest.mark.skipif(not OPEN.is_dir(), reason="needs /proc")
def test_nobody_leaves_it_open(path):
    def times_open():
        """How often this file is open; others of the process come and go."""
        links = (os.path.realpath(each) for each in OPEN.iterdir())
        return sum(link == os.path.realpath(path) for link in links)

    file = RandomAccessFile.open(path)
    assert times_open() == 1
    del file
    gc.collect()
    assert times_open() == 0
