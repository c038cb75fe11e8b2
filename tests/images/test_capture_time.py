"""The time at which an image was taken, out of files that Pillow wrote."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from alexnet.images import capture_time

ORIGINAL, SUBSECONDS, MODIFIED = 36867, 37521, 306
SECONDS = int(datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp())


def photograph(
    kind="JPEG", text="2024:05:06 07:08:09", subseconds="25", modified="2001:01:01 00:00:00"
):
    exif = Image.Exif()
    exif[MODIFIED] = modified
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    if text is not None:
        camera[ORIGINAL] = text
    if subseconds is not None:
        camera[SUBSECONDS] = subseconds
    file = io.BytesIO()
    Image.new("RGB", (20, 16), (9, 99, 9)).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("subseconds", "fraction"), [("25", 250), ("007", 7), ("123456", 123), (None, 0), ("x", 0)]
)
def test_cameras_times_are_read_to_the_millisecond(kind, subseconds, fraction):
    assert capture_time(photograph(kind, subseconds=subseconds)) == 1000 * SECONDS + fraction


@pytest.mark.parametrize(
    "text", [None, "", "0000:00:00 00:00:00", "2024-05-06", "yesterday", "9" * 400]
)
def test_what_is_no_time_is_unknown(text):
    """The time of the last change is not that of the image."""
    assert capture_time(photograph(text=text)) == 0


def test_files_without_a_time_are_unknown():
    file = io.BytesIO()
    Image.new("RGB", (5, 5)).save(file, "JPEG")
    for data in (file.getvalue(), b"", b"II*\0", b"\xff\xd8", b"RIFF....EXIF", b"\x89PNGeXIf"):
        assert capture_time(data) == 0


def test_directories_that_declare_more_than_the_file_holds_are_not_read():
    """Ten thousand values of 4 KB each out of one block of 4 KB."""
    entry = struct.pack("<HHII", 0x9000, 7, 4000, 8)
    camera = struct.pack("<H", 5000) + entry * 5000
    first = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 26) + bytes(4)
    block = b"II*\0" + struct.pack("<I", 8) + first + camera + bytes(4000)
    parts = [b"Exif\0\0" + block[i : i + 60000] for i in range(0, len(block), 60000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    assert capture_time(b"\xff\xd8" + segments + b"\xff\xda") == 0


@given(st.integers(0, 400), st.binary(max_size=12))
def test_damaged_files_are_unknown_or_read(position, patch):
    data = bytearray(photograph())
    data[position : position + len(patch)] = patch
    assert capture_time(bytes(data)) >= 0
