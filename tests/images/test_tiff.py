"""TIFFs of every kind are what their tags say, as tifffile reads them, or refused by name."""

from __future__ import annotations

import io
import itertools
import struct
import tracemalloc

import numpy as np
import pytest

from alexnet.images import UnreadableImage, decode
from alexnet.images import tiff as tiff_module
from alexnet.images.tiff_tags import read_tags

from .tiff_files import (
    BLACK,
    CMYK,
    COLORS,
    RGB,
    RNG,
    WHITE,
    YCBCR,
    H,
    W,
    by_hand,
    expected,
    numbers,
    written,
)

tifffile = pytest.importorskip("tifffile", reason="writes the TIFFs that are read here")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(
    ("kind", "photometric"),
    [
        *itertools.product(["u1", "u2", "u4"], [BLACK, RGB, CMYK, WHITE]),
        *itertools.product(["f2", "f4", "f8"], [BLACK, RGB]),
    ],
)
def test_samples_of_every_size_are_spread_over_8_bits(kind, photometric, planar, order):
    alphas = {None: 0, 0: 1, 1: 1, 2: 1}
    for alpha, more in alphas.items():
        samples = COLORS[photometric] + more
        array = numbers(kind, samples).astype(order + kind)
        if planar and samples == 1:
            continue
        data = written(
            array,
            photometric,
            byteorder=order,
            planarconfig="separate" if planar else None,
            extrasamples=None if alpha is None else [alpha],
            rowsperstrip=8,
        )
        white = 1 if kind[0] == "f" else np.iinfo(kind).max
        found = decode(data, "p").astype(int)
        wanted = expected(array, photometric, white=white, alpha=alpha)
        # Pillow blends 8 bits in whole numbers.
        assert np.abs(found - wanted).max() <= (kind == "u1" and bool(alpha)), alpha


PACKINGS = ["none", "lzw", "zlib", "adobe_deflate", "packbits", "lzma", "zstd"]


@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", ["u2", "u4", "f4", "f2"])
def test_strips_and_tiles_of_every_packing_are_read(kind, packing, tile):
    for planar, predictor, order in itertools.product((False, True), (False, True), "<>"):
        if packing in ("none", "packbits") and predictor:
            continue
        array = numbers(kind, 3).astype(order + kind)
        data = written(
            array,
            RGB,
            byteorder=order,
            compression=None if packing == "none" else packing,
            predictor=(3 if kind[0] == "f" else 2) if predictor else None,
            planarconfig="separate" if planar else "contig",
            tile=tile,
            rowsperstrip=None if tile else 5,
        )
        white = 1 if kind[0] == "f" else np.iinfo(kind).max
        assert np.array_equal(decode(data, "p"), expected(array, RGB, white=white))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", range(1, 17))
def test_every_number_of_bits_is_read(bits, order):
    largest = 2**bits - 1
    for photometric, planar in ((BLACK, False), (WHITE, False), (RGB, False), (RGB, True)):
        array = RNG.integers(0, largest, (H, W, COLORS[photometric]), endpoint=True)
        array[0, 0], array[0, 1] = 0, largest
        data = by_hand(array, bits, photometric, order=order, planar=planar)
        if photometric in (BLACK, WHITE) and bits in (1, 8, 10, 12, 14, 16):
            assert np.array_equal(tifffile.imread(io.BytesIO(data)), array[:, :, 0])
        assert np.array_equal(decode(data, "p"), expected(array, photometric, white=largest))


def test_bits_that_differ_are_refused_by_name():
    data = by_hand(np.zeros((H, W, 3), int), 5, RGB).replace(
        struct.pack("<3H", 5, 5, 5), struct.pack("<3H", 5, 6, 5)
    )
    with pytest.raises(UnreadableImage, match=r"its samples have different numbers of bits \(5, 6"):
        decode(data, "p")


@pytest.mark.parametrize(
    ("photometric", "samples", "words"),
    [
        (32803, 1, "its colors are a camera's raw colors"),
        (8, 3, r"its colors are L\*a\*b\*"),
        (32845, 3, "its colors are LogLuv"),
        (6, 3, "its colors are YCbCr"),
    ],
)
def test_colors_of_other_kinds_are_refused_by_name(photometric, samples, words):
    data = by_hand(np.ones((H, W, samples), int), 16, photometric)
    with pytest.raises(UnreadableImage, match=words):
        decode(data, "p")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "jpeg", "bitspersample": 12}, "12 bits a sample, packed by JPEG"),
        ({"compression": "lerc"}, "bits a sample, packed by LERC, which is not read"),
        ({"compression": "jpeg2000"}, "packed by JPEG 2000"),
        ({"compression": "jpegxl"}, "packed by JPEG XL"),
    ],
)
def test_compressions_of_pixels_are_refused_by_name(options, words):
    array = RNG.integers(0, 4096, (H, W, 1)).astype(np.uint16)
    with pytest.raises(UnreadableImage, match=words):
        decode(written(array, BLACK, **options), "p")
    if "bitspersample" not in options:
        with pytest.raises(UnreadableImage, match=words):
            decode(written((array >> 4).astype(np.uint8), BLACK, **options), "p")


def test_previews_in_raw_files_are_refused():
    array = np.zeros((H, W, 3), int)
    for more in ([(254, 4, [1]), (330, 4, [8])], [(50706, 4, [1])]):
        with pytest.raises(UnreadableImage, match="it is a camera's raw file"):
            decode(by_hand(array, 8, RGB, more=more), "p")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_images_are_turned_upright_too(orientation):
    array = numbers("u2", 3)
    small = (array >> 8).astype(np.uint8)
    tag = [(274, 3, 1, orientation, True)]
    turned = decode(written(small, RGB, extratags=tag), "p").astype(int)
    assert np.abs(decode(written(array, RGB, extratags=tag), "p").astype(int) - turned).max() <= 1


@pytest.mark.parametrize("packing", [None, "zlib"])
def test_a_cut_off_file_is_unreadable(packing):
    data = written(numbers("u2", 3, (200, 200)), RGB, compression=packing, rowsperstrip=9)
    for part in (0.5, 0.9, 0.999):
        with pytest.raises(UnreadableImage, match="it is (cut off|damaged)"):
            decode(data[: int(part * len(data))], "p")


def test_strips_that_share_their_bytes_do_not_multiply_work():
    data = bytearray(written(numbers("u2", 1, (300, 300)), BLACK, rowsperstrip=1))
    tags = read_tags(bytes(data))
    assert tags is not None
    lengths = struct.pack("<300H", *tags.values[279])
    whole = struct.pack("<300H", *[65000] * 300)
    assert lengths in data
    with pytest.raises(UnreadableImage, match="claim more bytes than it has"):
        decode(bytes(data).replace(lengths, whole), "p")


def test_groups_of_rows_give_the_pixels_of_the_whole(monkeypatch):
    array = numbers("u2", 4)
    files = [
        written(array, RGB, extrasamples=[2], planarconfig=planar, **form)
        for planar in ("contig", "separate")
        for form in (
            {"rowsperstrip": 4},
            {"tile": (16, 16)},
            {"rowsperstrip": 2, "compression": "zlib"},
        )
    ]
    whole = [decode(data, "p") for data in files]
    monkeypatch.setattr(tiff_module, "_AT_ONCE", 1)
    for data, pixels in zip(files, whole, strict=True):
        assert np.array_equal(decode(data, "p"), pixels)


def test_memory_is_bounded_by_groups_of_rows():
    data = written(numbers("u2", 3, (1000, 1000)), RGB, rowsperstrip=10)
    decode(data, "p")
    tracemalloc.start()
    decode(data, "p")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.parametrize("planar", [False, True])
def test_fewer_colors_than_pixels_are_refused_by_name(planar):
    data = by_hand(np.ones((H, W, 3), int), 8, YCBCR, planar=planar, more=[(530, 3, [2, 2])])
    where = " in planes" if planar else ""
    with pytest.raises(UnreadableImage, match=f"colors are YCbCr{where}, each for several pixels"):
        decode(data, "p")


@pytest.mark.parametrize("photometric", [BLACK, RGB, CMYK])
def test_numbers_without_a_meaning_are_refused(photometric):
    array = np.ones((H, W, COLORS[photometric]), int)
    data = by_hand(array, 8, photometric).replace(
        struct.pack("<HHI", 262, 3, 1), struct.pack("<HHI", 65000, 3, 1)
    )
    with pytest.raises(UnreadableImage, match="PhotometricInterpretation is missing"):
        decode(data, "p")


def test_an_orientation_of_another_type_counts():
    array = RNG.integers(0, 256, (H, W, 3))
    upright = by_hand(array, 8, RGB, more=[(274, 3, [1])])
    turned = upright.replace(
        struct.pack("<HHIH", 274, 3, 1, 1), struct.pack("<HHIBB", 274, 1, 1, 8, 0)
    )
    assert np.array_equal(decode(turned, "p"), np.rot90(decode(upright, "p")))


def test_bigtiff_is_read_in_either_order():
    for kind, order in itertools.product(("u1", "u2"), "<>"):
        array = numbers(kind, 3).astype(order + kind)
        data = written(array, RGB, bigtiff=True, byteorder=order)
        assert np.array_equal(decode(data, "p"), expected(array, RGB, white=np.iinfo(kind).max))


def test_tiles_that_are_listed_as_strips_are_read():
    array = numbers("u1", 1)
    data = written(array, BLACK, tile=(16, 16))
    for tile, strip in ((324, 273), (325, 279)):
        assert data.count(struct.pack("<H", tile) + b"\3\0") + data.count(
            struct.pack("<H", tile) + b"\4\0"
        )
        for kind in (b"\3\0", b"\4\0"):
            data = data.replace(struct.pack("<H", tile) + kind, struct.pack("<H", strip) + kind)
    assert np.array_equal(decode(data, "p"), expected(array, BLACK, white=255))
