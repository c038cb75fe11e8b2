"""Packs of JPEG files: tar archives that others read too, decoded on the way."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image

from alexnet.data.packs import writer
from alexnet.data.packs.cache import load_pack
from alexnet.data.packs.pack import open_pack
from alexnet.data.packs.writer import write_pack
from alexnet.errors import RecipeError, SourceError
from alexnet.images import decode, encode_jpeg, formats, read_image

SIDE = 16
WIDE = 64  # so large that JPEG files are much smaller than pixels


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Seven images to a shard."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 7 * 3 * SIDE**2)


@pytest.fixture
def little_free(monkeypatch):
    """Say how many bytes are free."""

    def say(count):
        usage = shutil.disk_usage("/")._replace(free=count)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)

    return say


def write(source, folder, store="jpeg", image_px=SIDE, **options):
    return write_pack(source, folder, image_px=image_px, workers=2, store=store, **options)


def squares(source):
    return [
        read_image(data, name="", image_px=SIDE, resize_mode="crop")
        for data in source.files
        if not data.startswith(b"no image")
    ]


def test_a_pack_gives_what_its_files_decode_to(tiny_source, tmp_path):
    source = tiny_source(17)
    pack = write(source, tmp_path / "pack")
    expected = np.stack([decode(encode_jpeg(each), "") for each in squares(source)])
    assert pack.header.store == "jpeg"
    assert [each.name for each in pack.header.shards] == [f"shard-{i:05}.tar" for i in range(3)]
    order = np.random.default_rng(0).permutation(17)
    assert np.array_equal(pack.read(order), expected[order])
    assert np.array_equal(pack.read(np.array([16, 0, 0])), expected[[16, 0, 0]])
    assert pack.read(np.zeros(0, dtype=np.int64)).shape == (0, SIDE, SIDE, 3)
    pixels = write(source, tmp_path / "pixels", "pixels")
    assert pack.fingerprint != pixels.fingerprint
    assert np.array_equal(pack.digests, pixels.digests)


def test_each_shard_is_a_tar_of_images_and_classes_as_webdataset_groups_them(tiny_source, tmp_path):
    source = tiny_source(17)
    write(source, tmp_path / "pack")
    samples = defaultdict(dict)
    for shard in sorted((tmp_path / "pack").glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive:
                key, _, suffix = member.name.partition(".")
                file = archive.extractfile(member)
                assert file is not None
                samples[key][suffix] = file.read()
    names = ["", "train", "val", "test"]
    assert list(samples) == [f"{names[s]}/{i:08}" for i, s in enumerate(source.splits)]
    for sample, square, label in zip(samples.values(), squares(source), source.labels, strict=True):
        assert int(sample["cls"]) == label
        with Image.open(io.BytesIO(sample["jpg"])) as image:
            assert image.format == "JPEG"
            assert np.array_equal(np.asarray(image), decode(encode_jpeg(square), ""))


def test_unreadable_images_are_left_out(tiny_source, tmp_path):
    source = tiny_source(30).spoil(8)
    pack = write(source, tmp_path / "pack")
    assert len(pack) == 29
    assert [path for path, _ in pack.skipped] == [source.paths[8]]
    last = decode(encode_jpeg(squares(source)[-1]), "")
    assert np.array_equal(pack.read(np.array([28]))[0], last)


def test_a_packing_goes_on_where_it_was_stopped(tiny_source, tmp_path, monkeypatch):
    source, folder = tiny_source(17), tmp_path / "pack"
    real = writer.append_line

    def stopping(path, values):
        if values.get("first") == 14:
            raise KeyboardInterrupt
        real(path, values)

    monkeypatch.setattr(writer, "append_line", stopping)
    with pytest.raises(KeyboardInterrupt):
        write(source, folder)
    monkeypatch.setattr(writer, "append_line", real)
    with pytest.raises(SourceError, match="the beginning of another pack: .* stored as jpeg"):
        write(source, folder, "pixels")
    reads = source.reads
    pack = write(source, folder, "auto")  # there is room for pixels, and it began with JPEG
    assert source.reads - reads == 3
    whole = write(source, tmp_path / "whole")
    assert pack.fingerprint == whole.fingerprint
    for name in ("shard-00000.tar", "shard-00002.tar", "index.npz"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_damage_is_an_error_with_the_shards_name(tiny_source, tmp_path):
    folder = tmp_path / "pack"
    write(tiny_source(17), folder)
    shard = folder / "shard-00001.tar"
    data = bytearray(shard.read_bytes())
    data[512 + 100] ^= 1
    shard.write_bytes(data)
    words = r"shard shard-00001\.tar: its images are not those that were packed"
    with pytest.raises(SourceError, match=words):
        open_pack(folder)
    pack = open_pack(folder, verify=False)
    pack.read(np.arange(7))
    with pytest.raises(SourceError, match=words):
        pack.read(np.arange(17))
    shard.write_bytes(data[:-1])
    with pytest.raises(SourceError, match=r"shard-00001\.tar: it has .* bytes instead of"):
        open_pack(folder)
    shard.unlink()
    with pytest.raises(SourceError, match=r"shard-00001\.tar: no such file"):
        open_pack(folder)


def test_pixels_are_kept_where_there_is_room(tiny_source, tmp_path, little_free):
    source = tiny_source(17)
    needed = 17 * 3 * WIDE**2
    little_free(3 * needed)
    assert write(source, tmp_path / "a", "auto", WIDE).header.store == "pixels"
    little_free(3 * needed - 1)
    assert write(source, tmp_path / "b", "pixels", WIDE).header.store == "pixels"


def test_pixels_are_kept_where_jpeg_files_would_not_be_much_smaller(
    tiny_source, tmp_path, little_free
):
    little_free(2 * 17 * 3 * SIDE**2)
    assert write(tiny_source(17), tmp_path / "pack", "auto").header.store == "pixels"


@pytest.mark.parametrize("cached", [False, True])
def test_jpeg_is_chosen_and_said_where_pixels_would_fill_the_disk(
    tiny_source, tmp_path, monkeypatch, caplog, little_free, cached
):
    source = tiny_source(17)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    little_free(3 * 17 * 3 * WIDE**2 - 1)
    if cached:
        made = load_pack(source, image_px=WIDE)
    else:
        made = write(source, tmp_path / "pack", "auto", WIDE)
    assert made.header.store == "jpeg"
    words = "would take 209 kB, and 627 kB are free in .*: keeping JPEG files of them, about 64"
    assert re.search(words, caplog.text)
    if cached:
        little_free(10**12)
        assert load_pack(source, image_px=WIDE).header.store == "jpeg"  # it is there already


def test_jpeg_is_chosen_for_very_many_images(tiny_source, tmp_path, monkeypatch, little_free):
    monkeypatch.setattr("alexnet.data.packs.plan.MAX_PIXEL_BYTES", 17 * 3 * WIDE**2 - 1)
    little_free(10**12)
    assert write(tiny_source(17), tmp_path / "pack", "auto", WIDE).header.store == "jpeg"


def test_another_store_is_another_pack(tiny_source, tmp_path):
    source, folder = tiny_source(9), tmp_path / "pack"
    write(source, folder)
    assert write(source, folder, "auto").header.store == "jpeg"
    with pytest.raises(SourceError, match="holds another pack already: .* stored as jpeg"):
        write(source, folder, "pixels")
    with pytest.raises(RecipeError, match='store must be "auto", "pixels" or "jpeg"; got "png"'):
        write(source, tmp_path / "other", "png")


def test_a_photograph_takes_about_a_tenth_and_looks_the_same(monkeypatch):
    y, x = np.mgrid[0:256, 0:256]
    waves = [127 + 90 * np.sin(x / a + y / b) for a, b in ((17, 31), (23, -19), (41, 13))]
    noise = np.random.default_rng(0).normal(size=(256, 256, 1)) * 3
    image = (np.stack(waves, axis=2) + noise).clip(0, 255).astype(np.uint8)
    for _ in range(2):
        data = encode_jpeg(image)
        assert len(data) < image.nbytes / 7
        assert np.abs(decode(data, "").astype(int) - image).mean() < 4
        monkeypatch.setattr(formats, "simplejpeg", None)
