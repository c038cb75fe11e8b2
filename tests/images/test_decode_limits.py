"""Files of a few bytes that declare much are refused before they are decoded."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, decode, detect_format, is_truncated
from alexnet.images.decode_limits import MAX_SCANS, exceeded_limit, has_oversized_tags

COLORS = np.random.default_rng(0).integers(0, 256, (14, 20, 3), dtype=np.uint8)


def file_of(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(COLORS).save(file, kind, **options)
    return file.getvalue()


def drawn_again(times: int) -> bytes:
    """A JPEG whose last scan is there so many times."""
    data = file_of("JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + data[-2:]


def entries(count: int, each: int, *, order: str = "<", length: int = 0) -> bytes:
    """A TIFF whose entries all point to its beginning."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    rows = [struct.pack(f"{order}HHII", 1000 + i, 7, each, 0) for i in range(count)]
    directory = struct.pack(f"{order}H", count) + b"".join(rows) + bytes(4)
    return (mark + struct.pack(f"{order}I", 8) + directory).ljust(length, b"\0")


def test_a_jpeg_of_too_many_scans_is_refused():
    usual = file_of("JPEG", progressive=True)
    assert exceeded_limit(usual) is None
    data = drawn_again(MAX_SCANS)
    scans = data.count(b"\xff\xda")
    words = f"it is drawn in {scans} scans, and the limit is 100"
    with pytest.raises(UnreadableImage, match=words):
        decode(data, "again")
    assert detect_format(data) == "JPEG"
    assert not is_truncated(data)


def test_bytes_behind_a_jpeg_are_no_scans():
    """Telephones put a film behind the image."""
    data = file_of("JPEG") + b"\xff\xda\0\0" * 500
    assert np.array_equal(decode(data, "p"), decode(file_of("JPEG"), "p"))


def test_a_comment_does_not_hide_the_scans_behind_it():
    data = drawn_again(MAX_SCANS)
    place = data.find(b"\xff\xda")
    comment = b"\xff\xfe\0\x06\xff\xd9\xff\xd9"
    assert exceeded_limit(data[:place] + comment + data[place:]) is not None


@pytest.mark.parametrize("order", ["<", ">"])
def test_entries_that_all_point_to_the_same_bytes_are_refused(order):
    data = entries(3000, 30_000, order=order)
    assert has_oversized_tags(data)
    with pytest.raises(UnreadableImage, match="its entries claim more bytes than it has"):
        decode(data, "odd")
    assert detect_format(data) is None
    assert not has_oversized_tags(entries(3000, 4, order=order))  # values inside of the entries
    assert not has_oversized_tags(entries(3000, 2**31, order=order))  # values that lie nowhere


def test_entries_of_bigtiff_are_limited_too():
    rows = [struct.pack("<HHQQ", i, 7, 30_000, 0) for i in range(2000)]
    data = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(rows)) + b"".join(rows)
    assert has_oversized_tags(data)


@pytest.mark.parametrize("end", [*range(0, 40, 3), 200])
def test_a_truncated_directory_exceeds_nothing(end):
    assert not has_oversized_tags(entries(3000, 30_000)[:end])


@pytest.mark.parametrize(
    "compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
)
def test_usual_files_exceed_no_limit(compression):
    assert exceeded_limit(file_of("TIFF", compression=compression)) is None


def exif_of(block: bytes, kind: str) -> bytes:
    """An image with a block of EXIF that Pillow would not write."""
    data = file_of(kind)
    if kind == "PNG":
        body = b"eXIf" + block
        chunk = struct.pack(">I", len(block)) + body + struct.pack(">I", zlib.crc32(body))
        return data[:33] + chunk + data[33:]
    parts = [block[i : i + 60_000] for i in range(0, len(block), 60_000)]
    segments = [b"\xff\xe1" + struct.pack(">H", len(p) + 8) + b"Exif\0\0" + p for p in parts]
    return data[:2] + b"".join(segments) + data[2:]


def test_oversized_exif_of_a_jpeg_is_refused():
    with pytest.raises(UnreadableImage, match="its entries claim more bytes than it has"):
        decode(exif_of(entries(9000, 100_000, length=120_000), "JPEG"), "odd")
    turned = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    plain = b"II*\0" + struct.pack("<IH", 8, 1) + turned + bytes(4)
    assert decode(exif_of(plain, "JPEG"), "p").shape == (20, 14, 3)
    assert decode(exif_of(plain, "PNG"), "p").shape == (20, 14, 3)


def test_oversized_exif_of_another_format_is_ignored():
    data = exif_of(entries(9000, 100_000, length=120_000), "PNG")
    assert np.array_equal(decode(data, "p"), COLORS)


def run_lengths(width: int, height: int, rows: bytes) -> bytes:
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    palette = b"".join(bytes([k, k, k, 0]) for k in range(256))
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + header + palette + rows


def test_run_lengths_are_limited_by_their_bytes():
    row = bytes([255, 7, 0, 0])
    found = decode(run_lengths(255, 3, row * 3 + b"\0\1"), "p")
    assert found.shape == (3, 255, 3)
    assert (found == 7).all()
    with pytest.raises(UnreadableImage, match="it claims more pixels than its bytes can say"):
        decode(run_lengths(10_000, 9_000, b"\0\0" * 10), "few")
