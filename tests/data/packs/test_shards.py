from __future__ import annotations

import os

import numpy as np
import pytest

from alexnet.data.packs import shards
from alexnet.data.packs.shards import (
    MappedShards,
    MemoryPixels,
    Shard,
    ShardSet,
    pixel_checksums,
)
from alexnet.errors import SourceError

SIDE = 4


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (25, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path, pixels):
    """Three shards of 10, 10 and 5 images."""
    listed = []
    for number, part in enumerate((pixels[:10], pixels[10:20], pixels[20:])):
        (tmp_path / f"shard-{number}.u8").write_bytes(part.tobytes())
        listed.append(Shard(f"shard-{number}.u8", len(part)))
    return listed


@pytest.fixture
def open_shards(tmp_path, files, pixels):
    shards = ShardSet(tmp_path, files, image_px=SIDE, checksums=pixel_checksums(pixels))
    return lambda: MappedShards(shards)


def test_images_come_in_the_order_asked_for_across_shards(open_shards, pixels):
    mapped = open_shards()
    asked = np.array([24, 0, 10, 9, 20, 0, 19])
    assert np.array_equal(mapped.stored(asked).to_array(), pixels[asked])
    assert mapped.stored(np.arange(0)).to_array().shape == (0, SIDE, SIDE, 3)


def test_images_are_copies(open_shards, pixels):
    mapped = open_shards()
    found = mapped.stored(np.array([3])).to_array()
    found[:] = 0
    assert np.array_equal(mapped.stored(np.array([3])).to_array(), pixels[[3]])
    memory = MemoryPixels(pixels)
    memory.stored(np.array([3])).to_array()[:] = 0
    assert pixels[3].any()


@pytest.mark.parametrize("asked", [[25], [-1], [0, 99]])
def test_images_that_are_not_there_are_refused(open_shards, asked):
    with pytest.raises(IndexError, match="the pack holds images 0 to 24"):
        open_shards().stored(np.array(asked))


def test_a_truncated_shard_is_refused_by_name_when_opened(open_shards, tmp_path):
    with (tmp_path / "shard-1.u8").open("r+b") as file:
        file.truncate(479)
    with pytest.raises(SourceError, match=r"shard shard-1\.u8: it has 479 bytes instead of 480\. "):
        open_shards()


def test_a_missing_shard_is_refused_by_name(open_shards, tmp_path):
    (tmp_path / "shard-2.u8").unlink()
    with pytest.raises(SourceError, match=r"shard shard-2\.u8: no such file or directory\. Remove"):
        open_shards()


def test_a_changed_byte_is_refused_by_its_shards_name_when_met(open_shards, tmp_path, pixels):
    data = bytearray((tmp_path / "shard-1.u8").read_bytes())
    data[7 * 48 + 5] ^= 1  # of image 17
    (tmp_path / "shard-1.u8").write_bytes(data)
    words = r"shard shard-1\.u8: its pixels are not those that were packed"
    mapped = open_shards()
    assert np.array_equal(mapped.stored(np.arange(17)).to_array(), pixels[:17])
    for _ in range(2):  # every time, not only the first
        with pytest.raises(SourceError, match=words):
            mapped.stored(np.array([2, 17])).to_array()
    with pytest.raises(SourceError, match=words):
        open_shards().verify()


def test_each_image_is_verified_once(open_shards, monkeypatch):
    sums: list[int] = []

    def counted(images):
        sums.append(len(images))
        return pixel_checksums(images)

    monkeypatch.setattr(shards, "pixel_checksums", counted)
    mapped = open_shards()
    mapped.stored(np.array([0, 1, 2])).to_array()
    mapped.stored(np.array([2, 3])).to_array()
    mapped.stored(np.array([0, 3])).to_array()
    assert sums == [3, 1]
    mapped.verify()
    mapped.stored(np.arange(25)).to_array()
    assert sum(sums) == 4 + 25


def test_sound_shards_pass(open_shards):
    open_shards().verify()


def test_checksums_are_crc32():
    pixels = np.frombuffer(b"123456789" + b"abc", dtype=np.uint8).reshape(1, 2, 2, 3)
    assert pixel_checksums(pixels)[0] == 0xBDB0C0E4


def test_a_shard_that_is_shortened_while_it_is_mapped_is_named_and_kills_nobody(
    open_shards, tmp_path
):
    mapped = open_shards()
    mapped.verify()
    with (tmp_path / "shard-1.u8").open("r+b") as file:
        file.truncate(100)
    assert mapped.stored(np.array([0, 9, 24])).to_array().shape == (3, SIDE, SIDE, 3)
    words = r"shard shard-1\.u8: it has 100 bytes instead of 480\. Remove the folder and pack"
    with pytest.raises(SourceError, match=words):
        mapped.stored(np.array([0, 19]))
    with pytest.raises(SourceError, match=words):
        mapped.verify()


@pytest.mark.parametrize("length", [0, 479, 481, 100_000])
def test_any_other_length_of_a_mapped_shard_is_an_error(open_shards, tmp_path, length):
    mapped = open_shards()
    os.truncate(tmp_path / "shard-0.u8", length)
    with pytest.raises(SourceError, match=f"it has {length:,} bytes instead of 480"):
        mapped.stored(np.array([0]))


def test_a_shard_that_is_replaced_under_a_reader_is_read_as_it_was(open_shards, tmp_path, pixels):
    mapped = open_shards()
    (tmp_path / "new").write_bytes(b"short")
    (tmp_path / "new").replace(tmp_path / "shard-0.u8")
    assert np.array_equal(mapped.stored(np.array([3])).to_array(), pixels[[3]])
