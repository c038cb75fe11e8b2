#!/usr/bin/env bash
# Pillow passes over what an uncompressed YCbCr TIFF says of its colors, and calls the shorter kind truncated.
#
# Expected: YCbCr is turned to RGB by the tag YCbCrCoefficients, uncompressed as when it is packed; and a file with
#   one color for four pixels (YCbCrSubSampling 2, 2: the default of the format) is read, or named as such.
# Instead: without compression the three bytes of a pixel are taken for a JPEG's YCbCr, so that a file with the
#   coefficients of BT.709 has colors that are off by up to some dozens of levels, in silence. One with shared
#   colors raises "image file is truncated", though it is whole. The same file packed by Deflate is correct,
#   since libtiff converts it. OpenCV reads all of them correctly.
# Why here: scanners and video software write such files. The decoder here stands on Pillow: it converts
#   uncompressed YCbCr itself where each pixel has its color, and names the other kind.
# Versions: pillow 13.0.0, opencv-python-headless 4.14.0.94, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    pillow==13.0.0 opencv-python-headless==4.14.0.94 numpy==2.4.6 || exit 2

venv/bin/python -W error - <<'PYTHON'
import io
import struct
import sys
import zlib

import cv2
import numpy as np
from PIL import Image

SIDE = 16
SHORT, LONG, FRACTION = 3, 4, 5
TELEVISION, HIGH_DEFINITION = (299, 587, 114), (2126, 7152, 722)  # BT.601, BT.709


def tiff(luma, shared, deflated):
    """Return a TIFF of a smooth image, and the RGB that its definition gives."""
    across = np.repeat(np.linspace(90, 170, SIDE // 2).round(), 2)
    y, cb, cr = (np.empty((SIDE, SIDE)) for _ in range(3))
    y[:], cb[:], cr[:] = np.linspace(90, 160, SIDE).round(), across, across[::-1, None]
    if shared:  # four Y, then Cb and Cr of the four pixels
        four = y.reshape(SIDE // 2, 2, SIDE // 2, 2).transpose(0, 2, 1, 3).reshape(SIDE // 2, -1, 4)
        parts = np.concatenate([four, cb[::2, ::2, None], cr[::2, ::2, None]], axis=2)
    else:
        parts = np.stack([y, cb, cr], axis=2)
    content = parts.astype(np.uint8).tobytes()
    content = zlib.compress(content) if deflated else content
    red, green, blue = (part / sum(luma) for part in luma)
    r, b = y + (2 - 2 * red) * (cr - 128), y + (2 - 2 * blue) * (cb - 128)
    rgb = np.clip(np.stack([r, (y - red * r - blue * b) / green, b], axis=2), 0, 255)
    start = 8 + 2 + 11 * 12 + 4
    entries = (
        *((256, SHORT, 1, SIDE), (257, SHORT, 1, SIDE), (258, SHORT, 3, start)),
        *((259, SHORT, 1, 8 if deflated else 1), (262, SHORT, 1, 6)),
        *((273, LONG, 1, start + 30), (277, SHORT, 1, 3), (278, SHORT, 1, SIDE)),
        *((279, LONG, 1, len(content)), (529, FRACTION, 3, start + 6)),
        (530, SHORT, 2, 0x20002 if shared else 0x10001),
    )
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    behind = struct.pack("<3H6I", 8, 8, 8, *(n for part in luma for n in (part, sum(luma))))
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    assert len(head) == start and len(behind) == 30
    return head + behind + content, rgb


def read_by_pillow(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


holds = True
print("largest difference from the definition, in levels")
for luma, name in ((TELEVISION, "BT.601"), (HIGH_DEFINITION, "BT.709")):
    for shared in (False, True):
        for deflated in (False, True):
            content, rgb = tiff(luma, shared, deflated)
            opencv = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
            distant = float(np.abs(opencv - rgb).max())
            try:
                difference = float(np.abs(read_by_pillow(content) - rgb).max())
                said = f"{difference:.1f}"
            except OSError as error:
                difference, said = None, str(error)
            what = f"{name}, {'2 x 2' if shared else '1 x 1'}, {'Deflate' if deflated else 'none'}"
            print(f"  {what:22} OpenCV {distant:.1f}, Pillow {said}")
            holds &= distant < 2
            if shared and not deflated:
                holds &= difference is None
            else:
                wrong = not deflated and luma == HIGH_DEFINITION
                holds &= difference is not None and (difference > 5) == wrong
sys.exit(0 if holds else "changed: Pillow reads these files now")
PYTHON
