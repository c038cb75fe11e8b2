"""What kind of file it is: by content, by name, and whether it is whole."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from alexnet.images import detect_format, format_from_suffix, is_truncated

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def saved(kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_a_format_is_told_by_content(kind):
    assert detect_format(saved(kind)) == kind


@pytest.mark.parametrize("data", [b"", b"a text", b"RIFF1234WAVE", b"\x89PN"])
def test_what_is_no_image_has_no_format(data):
    assert detect_format(data) is None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *(("a.jpg", "JPEG"), ("a/b.JPEG", "JPEG"), ("x.jfif", "JPEG"), ("x.mpo", "JPEG")),
        *(("x.png", "PNG"), ("x.webp", "WEBP"), ("x.tif", "TIFF"), ("x.dib", "BMP")),
        *(("x.txt", None), ("jpg", None), ("x.jpg.old", None), (".jpg", None)),
    ],
)
def test_a_name_promises_a_format(path, kind):
    assert format_from_suffix(path) == kind


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"exif": b"Exif\0\0" + b"\xff\xd9" * 9}),
        ("PNG", {}),
        ("WEBP", {}),
    ],
)
def test_a_missing_end_is_noticed_wherever_the_cut_lies(kind, options):
    data = saved(kind, **options)
    assert not is_truncated(data)
    assert not is_truncated(data + b"appended by a camera")
    for cut in range(len(data) // 20, len(data) - 8, len(data) // 20):
        assert is_truncated(data[:cut]), cut


def test_of_other_formats_nothing_is_said():
    assert not is_truncated(saved("BMP")[:100])
    assert not is_truncated(b"")
    assert not is_truncated(b"\xff\xd8\xff\xe0\0\x04ab" + b"no segments" * 9)
