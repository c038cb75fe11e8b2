from __future__ import annotations

import json

import numpy as np
import pytest

from alexnet.data.packs import pack as pack_module
from alexnet.data.packs import writer
from alexnet.data.packs.pack import PackHeader, is_pack, open_pack, read_header
from alexnet.data.packs.writer import write_pack
from alexnet.errors import SourceError

SIDE = 8


@pytest.fixture
def folder(tiny_source, tmp_path, monkeypatch):
    """A pack of 16 images in shards of 7, 7 and 2."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 7 * 3 * SIDE**2)
    write_pack(tiny_source(16), tmp_path / "pack", image_px=SIDE, workers=1)
    return tmp_path / "pack"


def change_header(folder, **changes):
    path = folder / "pack.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def flip_bit(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_pack_says_what_it_is(folder, tiny_source):
    source = tiny_source(16)
    pack = open_pack(folder)
    assert is_pack(folder)
    assert (len(pack), pack.folder) == (16, folder)
    assert pack.header == read_header(folder)
    assert pack.header.images == 16
    assert pack.header.stored_bytes == 16 * 3 * SIDE**2
    assert pack.header.signature == source.signature
    assert pack.header.stat_signature == source.stat_signature
    assert len(pack.fingerprint) == 32
    assert pack.digests.shape == (16, 16)
    assert "MappedShards" not in repr(pack)


def test_header_comes_back_as_it_was(folder):
    header = read_header(folder)
    assert PackHeader.from_json(json.loads(json.dumps(header.to_json()))) == header


def test_a_folder_that_is_no_pack_is_refused_with_the_command_that_makes_one(tmp_path):
    assert not is_pack(tmp_path)
    with pytest.raises(SourceError, match=r"is not a pack: it has no pack\.json\. Make one with: "):
        open_pack(tmp_path)


def test_a_truncated_shard_is_refused_by_name(folder):
    with (folder / "shard-00002.u8").open("r+b") as file:
        file.truncate(383)
    words = r"The pack .* is damaged: shard shard-00002\.u8: it has 383 bytes instead of 384\. "
    with pytest.raises(SourceError, match=words):
        open_pack(folder, verify=False)


def test_a_small_pack_with_a_changed_bit_is_refused_when_opened(folder):
    flip_bit(folder / "shard-00001.u8", 100)
    with pytest.raises(SourceError, match=r"shard shard-00001\.u8: its pixels are not those"):
        open_pack(folder)


def test_a_large_pack_with_a_changed_bit_is_refused_at_that_image(folder, monkeypatch):
    monkeypatch.setattr(pack_module, "MAX_VERIFIED_BYTES", 10)
    flip_bit(folder / "shard-00001.u8", 100)
    pack = open_pack(folder)
    pack.read(np.arange(7))
    with pytest.raises(SourceError, match=r"shard shard-00001\.u8: its pixels are not those"):
        pack.read(np.array([7]))
    with pytest.raises(SourceError, match=r"shard shard-00001\.u8"):
        open_pack(folder, verify=True)


@pytest.mark.parametrize("place", [0, 40, 700, -30, -1])
def test_a_damaged_index_is_refused(folder, place):
    flip_bit(folder / "index.npz", place)
    with pytest.raises(SourceError, match=r"index\.npz is not the file that was written with it"):
        open_pack(folder)


def test_a_missing_index_is_refused(folder):
    (folder / "index.npz").unlink()
    assert not is_pack(folder)
    with pytest.raises(SourceError, match=r"index\.npz cannot be read \(No such file"):
        open_pack(folder)


def test_a_later_format_is_refused(folder):
    change_header(folder, format=99)
    with pytest.raises(SourceError, match="is a pack of format 99, and this version reads format"):
        open_pack(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"shards": [{"name": "../../etc/passwd", "images": 7}]},
        {"shards": [{"name": 3, "images": 7}]},
        {"shards": [{"name": "shard-00000.u8", "images": -7}]},
        {"shards": "none"},
        {"resize_mode": "stretch"},
        {"image_px": 0},
        {"image_px": "wide"},
        {"index": {}},
        {"source": None},
        {"classes": 3},
        {"class_words": []},
        {"skipped": [["a"]]},
        {"excluded": 3},
    ],
)
def test_a_mistaken_header_is_refused(folder, changes):
    change_header(folder, **changes)
    with pytest.raises(SourceError, match=r"is damaged: pack\.json lacks or mistakes something"):
        open_pack(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_a_header_that_is_no_header_is_refused(folder, text):
    (folder / "pack.json").write_text(text)
    with pytest.raises(SourceError, match=r"is damaged|is not a whole JSON file"):
        open_pack(folder)


def test_an_index_of_other_shards_is_refused(folder):
    header = json.loads((folder / "pack.json").read_text())
    change_header(folder, shards=header["shards"][:2])
    with pytest.raises(SourceError, match=r"index\.npz tells of 16 images, its shards of 14"):
        open_pack(folder)


def test_labels_beyond_the_classes_are_refused(folder):
    change_header(folder, classes=["ant"])
    with pytest.raises(SourceError, match=r"index\.npz: a label is not one of its 1 classes"):
        open_pack(folder)
