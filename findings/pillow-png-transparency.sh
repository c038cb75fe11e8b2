#!/usr/bin/env bash
# Pillow keeps the transparent level of a PNG opaque where it has 2, 4 or 16 bits.
#
# Expected: the gray level or the color that a PNG's tRNS chunk names is transparent, with any number of bits, as
#   the format defines it and as it is with 1 and 8 bits.
# Instead: levels of 2 and 4 bits are spread to 8 bits, and the transparent one is compared with them as it stands:
#   level 6 of 4 bits has become 102, and no pixel is 6. Of 16 bits, gray and RGB, no pixel becomes
#   transparent at all. Only level 0 happens to be right. What should be background stays an opaque shape.
#   No error and no warning.
# Why here: scanners and drawing programs write gray of 2 and 4 bits, and logos and diagrams have a transparent
#   ground. Transparency is laid over white here, and that has to be so for every number of bits: the
#   decoder reads these PNGs itself.
# Versions: pillow 13.0.0, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    pillow==13.0.0 numpy==2.4.6 || exit 2

venv/bin/python -W error - <<'PYTHON'
import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image

GRAY, RGB = 0, 2


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(pixels, bits, clear):
    """Return a PNG of one row; each pixel is a list of numbers, and `clear` is the transparent one."""
    row = "".join(f"{number:0{bits}b}" for pixel in pixels for number in pixel)
    row += "0" * (-len(row) % 8)
    packed = int(row, 2).to_bytes(len(row) // 8, "big")
    color = GRAY if len(clear) == 1 else RGB
    header = struct.pack(">IIBBBBB", len(pixels), 1, bits, color, 0, 0, 0)
    chunks = (
        chunk(b"IHDR", header),
        chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear)),
        chunk(b"IDAT", zlib.compress(b"\0" + packed)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


holds = True
print("how many pixels come out transparent; the one that should is in brackets")
kinds = ((1, 1, True), (2, 1, False), (4, 1, False), (8, 1, True), (16, 1, False))
for bits, samples, seen in (*kinds, (8, 3, True), (16, 3, False)):
    largest = 2**bits - 1
    pixels = [[level] * samples for level in sorted({0, largest // 3 + 1, largest})]
    content = png(pixels, bits, pixels[1])
    with Image.open(io.BytesIO(content)) as image:
        pillow = np.asarray(image.convert("RGBA"))[0, :, 3] == 0
    name = "gray" if samples == 1 else "RGB "
    print(
        f"  {bits:2} bits, {name} [{pixels[1][0]}] of {[pixel[0] for pixel in pixels]}: "
        f"{int(pillow.sum())} of 1"
    )
    holds &= pillow.tolist() == [index == 1 and seen for index in range(len(pixels))]
sys.exit(0 if holds else "changed: Pillow reads these levels now")
PYTHON
