"""Nothing that a library says of a file reaches the screen, whichever way it goes."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, decode, detect_format

COLORS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def tiff(compression: str) -> bytearray:
    file = io.BytesIO()
    image = Image.fromarray(COLORS)
    (image.convert("1") if compression == "group4" else image).save(
        file, "TIFF", compression=compression
    )
    return bytearray(file.getvalue())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "group4", "jpeg"])
def test_libtiff_is_silent_about_damage(capfd, compression):
    data = tiff(compression)
    middle = len(data) // 2
    data[middle - 40 : middle] = bytes(range(40))
    try:
        decode(bytes(data), "odd")
    except UnreadableImage as error:
        assert error.reason
    data[200:] = b""
    with pytest.raises(UnreadableImage):
        decode(bytes(data), "odd")
    assert capfd.readouterr() == ("", "")


def test_pillow_is_silent_about_what_it_logs(capfd):
    data = tiff("raw")
    samples = struct.pack("<HHIHH", 277, 3, 1, 3, 0)
    assert samples in data
    with pytest.raises(UnreadableImage):
        decode(bytes(data.replace(samples, struct.pack("<HHIHH", 277, 3, 1, 3000, 0))), "odd")
    assert capfd.readouterr() == ("", "")


PROGRAM = """
import sys
from alexnet.images import UnreadableImage, decode
data = sys.stdin.buffer.read()
for cut in range(8, len(data), len(data) // 30):
    try:
        decode(data[:cut], "cut")
    except UnreadableImage:
        pass
"""


def test_a_process_says_nothing_by_itself():
    call = [sys.executable, "-W", "always", "-c", PROGRAM]
    done = subprocess.run(call, input=bytes(tiff("tiff_lzw")), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n", "EPS"),
        (
            b"".join(
                f"{line:<80}".encode()
                for line in (
                    "SIMPLE  = T",
                    "BITPIX  = 8",
                    "NAXIS   = 2",
                    "NAXIS1  = 9",
                    "NAXIS2  = 9",
                )
            )
            + f"{'END':<80}".encode().ljust(2880 - 400)
            + bytes(2880),
            "FITS",
        ),
    ],
)
def test_formats_that_run_or_unpack_anything_are_not_read(data, name, monkeypatch):
    """An EPS is a program; Pillow would hand it to Ghostscript."""
    monkeypatch.setattr(subprocess, "check_call", lambda *_, **__: pytest.fail("it was run"))
    assert detect_format(data) == name
    with pytest.raises(UnreadableImage, match=f"its format, {name}, is none that is read here"):
        decode(data, "drawing.jpg")
