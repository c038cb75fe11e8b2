#!/usr/bin/env bash
# Pillow reads a 16-bit RGB TIFF stored plane by plane as noise, and a 16-bit WhiteIsZero as a negative.
#
# Expected: an image of one of the two basic layouts of TIFF is decoded or refused, with 16 bits as with 8,
#   uncompressed as with zlib; and "white is zero" is undone for 16 bits as it is for 8.
# Instead: 16-bit planes without compression are taken for planes of bytes: the low and high byte of each
#   number become two pixels side by side, and the second half of each plane is never read. What comes
#   out is an RGB image of the right size that shows nothing. The same planes compressed are decoded correctly, since
#   libtiff reads those. A gray WhiteIsZero image of 16 bits comes out as mode I;16 with black for
#   white, one of 8 bits as it is meant. No error and no warning in either case.
# Why here: microscopes, X-ray detectors and satellites write such files, uncompressed planes are what
#   tifffile writes for an array of (3, H, W), and noise has a label as well as any image. The decoder
#   here stands on Pillow: it has to look at the tags of a 16-bit TIFF itself.
# Versions: pillow 13.0.0, tifffile 2026.3.3, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6 || exit 2

venv/bin/python -W error - <<'PYTHON'
import io
import sys

import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 48, 64


def reopened(array, **how):
    """Return an array as tifffile writes and reads it, and as Pillow opens that file."""
    file = io.BytesIO()
    tifffile.imwrite(file, array, **how)
    file.seek(0)
    assert np.array_equal(tifffile.imread(file), array)
    file.seek(0)
    with Image.open(file) as image:
        return image.mode, np.asarray(image)


across, down = np.meshgrid(np.linspace(0, 65535, WIDTH), np.linspace(0, 65535, HEIGHT))
planes = np.stack([across, down, (across + down) / 2]).astype(np.uint16)
true = (planes >> 8).astype(np.uint8).transpose(1, 2, 0)

holds = True
print("RGB, 16 bits, a smooth gradient: mean difference in gray levels, and difference of neighbors")
for name, compression, noise in (("uncompressed planes", None, True), ("planes by zlib", "zlib", False)):
    mode, pixels = reopened(
        planes, photometric="rgb", planarconfig="separate", compression=compression
    )
    difference = np.abs(pixels.astype(int) - true).mean()
    rough = np.abs(np.diff(pixels.astype(int), axis=1)).mean()
    print(f"  {name:20} {mode} {pixels.shape}: {difference:5.1f}, {rough:5.1f}")
    holds &= pixels.shape == true.shape and (difference > 30 and rough > 30) == noise
    holds &= noise or difference == 0
mode, pixels = reopened(np.ascontiguousarray(planes.transpose(1, 2, 0)), photometric="rgb")
holds &= np.array_equal(pixels, true)
print(f"  pixel by pixel       {mode} {pixels.shape}: {np.abs(pixels.astype(int) - true).mean():5.1f}")

print("gray, the number 0 is white: what Pillow gives for it")
stored = planes[0]
for bits, array, inverted in ((8, (stored >> 8).astype(np.uint8), True), (16, stored, False)):
    mode, pixels = reopened(array, photometric="miniswhite")
    white = int(pixels[array == 0].max())
    word = "white" if white == 2**bits - 1 else "black"
    print(f"  {bits:2} bits, mode {mode}: {white}, {word}")
    holds &= (word == "white") == inverted and white in (0, 2**bits - 1)
sys.exit(0 if holds else "changed: Pillow decodes these files now, or refuses them")
PYTHON
