from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from alexnet.data.sources import folder as listing_module
from alexnet.data.sources.folder import Finds
from alexnet.images import UnreadablePicture


class Told:
    """Contents that say what they were asked for."""

    def read(self, path, place, size):
        return f"{path} {place} {size}".encode()


def listing(*paths):
    finds = Finds()
    for place, path in enumerate(paths):
        finds.add(path, 10 + place, 100 + place, place)
    finds.folders.add("empty/inner")
    return finds.listing(Path("here"), Told())


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
    found = Finds().listing(Path("here"), Told())
    assert (len(found), found.folders) == (0, ("",))


def test_a_file_too_large_for_a_picture_is_not_read(monkeypatch):
    monkeypatch.setattr(listing_module, "MOST_FILE_BYTES", 10)
    found = listing("a/1.png", "a/film.mp4")
    assert found.read(0)
    with pytest.raises(UnreadablePicture, match="it has 11 bytes, and the limit is 10 bytes"):
        found.read(1)


def test_a_million_pictures_take_less_than_200_megabytes():
    n = 20_000  # some of it, for speed
    finds = Finds()
    for i in range(n):
        finds.add(f"train/n{i % 100:08}/n{i % 100:08}_{i:05}.JPEG", i, i, i)
    tracemalloc.start()
    found = finds.listing(Path("here"), Told())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == n
    assert held / n < 200e6 / 1.28e6
