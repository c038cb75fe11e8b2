"""TIFFs of every kind, written by tifffile or by hand, and what they show."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

tifffile = pytest.importorskip("tifffile", reason="writes the TIFFs that are read here")
pytest.importorskip("imagecodecs", reason="packs them")

H, W = 21, 29
RNG = np.random.default_rng(0)
BLACK, WHITE, RGB, PALETTE, CMYK, YCBCR = 1, 0, 2, 3, 5, 6
NAMES = {BLACK: "minisblack", WHITE: "miniswhite", RGB: "rgb", CMYK: "separated"}
COLORS = {BLACK: 1, WHITE: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}


def expected(array, photometric, *, white, alpha=None):
    """Return (H, W, 3) gray levels by the definition of each kind, in float64."""
    array = array.astype(np.float64)
    count = COLORS[photometric]
    levels = np.clip(array[..., :count] / white, 0, 1) * 255
    if photometric == WHITE:
        levels = 255 - levels
    if photometric == CMYK:
        inks = Image.fromarray(np.rint(levels).astype(np.uint8), "CMYK")
        levels = np.asarray(inks.convert("RGB")).astype(np.float64)
    if alpha:
        over = np.clip(array[..., count : count + 1] / white, 0, 1)
        levels = (levels if alpha == 1 else levels * over) + 255 * (1 - over)
    return np.broadcast_to(np.rint(np.clip(levels, 0, 255)), (*array.shape[:2], 3))


def written(array, photometric, **options):
    file = io.BytesIO()
    extra = array.shape[2] - COLORS[photometric]
    options.setdefault("extrasamples", [0] * extra if extra else None)
    if options.get("planarconfig") == "separate":
        array = np.ascontiguousarray(np.moveaxis(array, 2, 0))
    elif array.shape[2] == 1:
        array = array[:, :, 0]
    tifffile.imwrite(file, array, photometric=NAMES[photometric], metadata=None, **options)
    return file.getvalue()


def numbers(kind, samples, size=(H, W)):
    """Return numbers of the whole range of a type, 0 and the largest among them."""
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        return RNG.random((*size, samples)).astype(dtype)
    largest = np.iinfo(dtype).max
    array = RNG.integers(0, largest, (*size, samples), dtype=np.uint64, endpoint=True).astype(dtype)
    array[0, 0], array[0, 1] = 0, largest
    return array


def packed(rows, bits):
    """Return rows of numbers, each of some bits, the most significant first."""
    lines = ["".join(f"{int(number):0{bits}b}" for number in row) for row in rows]
    full = [line + "0" * (-len(line) % 8) for line in lines]
    return b"".join(int(line, 2).to_bytes(len(line) // 8, "big") for line in full)


def by_hand(array, bits, photometric, *, order="<", planar=False, more=()):
    """Write a TIFF of any bits by its specification, which tifffile writes only of whole bytes."""
    height, width, samples = array.shape
    planes = np.moveaxis(array, 2, 0) if planar else [array.reshape(height, width * samples)]
    parts = [packed(plane, bits) for plane in planes]
    if bits == 16:
        parts = [np.asarray(plane, order + "u2").tobytes() for plane in planes]
    entries = [
        *((256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * samples), (259, 3, [1])),
        *((262, 3, [photometric]), (273, 4, None), (277, 3, [samples]), (278, 3, [height])),
        *((279, 4, [len(part) for part in parts]), (284, 3, [2 if planar else 1]), *more),
    ]
    lengths = [len(parts) if values is None else len(values) for _, _, values in entries]
    sizes = [n * (2 if kind == 3 else 4) for n, (_, kind, _) in zip(lengths, entries, strict=True)]
    start = 8 + 2 + 12 * len(entries) + 4
    first = start + sum(size for size in sizes if size > 4)
    offsets = [first + sum(map(len, parts[:i])) for i in range(len(parts))]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    behind = b""
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        listed = offsets if values is None else values
        data = struct.pack(f"{order}{len(listed)}{'H' if kind == 3 else 'I'}", *listed)
        if len(data) > 4:
            behind, data = behind + data, struct.pack(order + "I", start + len(behind))
        count = len(listed) // (2 if kind == 5 else 1)  # a fraction is two numbers
        head += struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
    return head + bytes(4) + behind + b"".join(parts)
