#!/usr/bin/env bash
# Pillow reads white as black in JPEG 2000 colors of more than 8 bits, and shifts palettes that repeat a color.
#
# Expected: the largest number of 10, 12 or 16 bits is white, 255 of 8 bits, and the number below it too; and a
#   pixel has the color that stands in the palette at its number.
# Instead: colors of more than 8 bits are rounded up and then cut to 8 bits, so that the largest ones become
#   0: the brightest spots of an image are black holes. A palette is filled by color and not by place: where
#   two entries are equal the second is left out, and all that follow move up by one. OpenCV
#   reads both correctly. No error and no warning in either case.
# Why here: satellite images are JPEG 2000 of 10 to 16 bits, and programs that write palettes of 256 entries
#   fill the unused ones with black. The decoder here stands on Pillow: it has to read these two kinds itself.
# Versions: pillow 13.0.0, imagecodecs 2026.3.6, opencv-python-headless 4.14.0.94, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet pillow==13.0.0 \
    imagecodecs==2026.3.6 opencv-python-headless==4.14.0.94 numpy==2.4.6 || exit 2

venv/bin/python -W error - <<'PYTHON'
import io
import struct
import sys

import cv2
import imagecodecs
import numpy as np
from PIL import Image


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_palette(numbers, palette):
    """Return a JP2 file: the codestream of the numbers, and the palette in a box before it."""
    stream = imagecodecs.jpeg2k_encode(numbers, codecformat="j2k", reversible=True, level=0)
    parts = (
        box(b"ihdr", struct.pack(">IIHBBBB", *numbers.shape, 1, 7, 7, 0, 0)),
        box(b"colr", struct.pack(">BBBI", 1, 0, 0, 16)),  # sRGB
        box(b"pclr", struct.pack(">HBBBB", len(palette), 3, 7, 7, 7) + palette.tobytes()),
        box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))),
    )
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", b"".join(parts)) + box(b"jp2c", stream)


def read(content):
    """Return the RGB pixels of Pillow and of OpenCV."""
    with Image.open(io.BytesIO(content)) as image:
        pillow = np.asarray(image.convert("RGB"))
    return pillow, cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


holds = True
print("RGB, four gray levels, by Pillow and by OpenCV")
for bits in (10, 12, 16):
    largest = 2**bits - 1
    levels = np.array([0, largest // 2, largest - 1, largest], np.uint16)
    array = np.repeat(np.repeat(levels[None, :, None], 4, axis=0), 3, axis=2)
    content = imagecodecs.jpeg2k_encode(array, bitspersample=bits, reversible=True, level=0)
    assert np.array_equal(imagecodecs.jpeg2k_decode(content), array)
    pillow, opencv = (pixels[0, :, 0].tolist() for pixels in read(content))
    print(f"  {bits} bits, {levels.tolist()}: {pillow}, {opencv}")
    holds &= pillow[-1] == 0 and opencv[-1] == 255

print("a palette, the colors of the numbers 0 to 3")
numbers = (np.arange(64) % 4).astype(np.uint8).reshape(8, 8)
for name, first in (("four colors ", (255, 0, 0)), ("black twice ", (0, 0, 0))):
    palette = np.array([first, (0, 0, 0), (0, 0, 255), (255, 255, 255)], np.uint8)
    pillow, opencv = read(with_palette(numbers, palette))
    assert np.array_equal(opencv, palette[numbers])
    right = np.array_equal(pillow, palette[numbers])
    print(f"  {name} {palette.tolist()}: {pillow[0, :4].tolist()}")
    holds &= right == (name == "four colors ")
sys.exit(0 if holds else "changed: Pillow reads one of the two now")
PYTHON
