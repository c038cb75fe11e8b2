"""JPEG 2000 of more than 8 bits a sample, and with a palette.

Pillow (13.0) rounds color of more than 8 bits up without a limit: what is nearly white becomes
black. Gray comes as 16 bits, shifted up. Here gray is shifted back, and color is read by
imagecodecs (extra: formats). Of a palette Pillow leaves out colors that come again, and all behind
them move up: here the numbers are read as gray, and looked up (findings/pillow-jpeg2000.sh).

Source: ISO/IEC 15444-1, annexes A.5.1 (image and tile size) and I.5 (boxes).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.boxes import iter_boxes
from alexnet.images.extra_formats import decode_with_imagecodecs, samples_to_rgb
from alexnet.images.tiff_samples import UnsupportedKind

__all__ = ["Jpeg2000Header", "decode_jpeg2000", "decode_palette", "read_jpeg2000"]

_STREAM = b"\xff\x4f\xff\x51"
_BOXED = b"\0\0\0\x0cjP  \r\n\x87\n"
_SIZES = struct.Struct(">4xHH8IH")  # behind the two markers
_GRAY, _SRGB = 17, 16
_PALETTE = 0


@dataclass(frozen=True)
class Jpeg2000Header:
    """What the head of a JPEG 2000 image says."""

    size: tuple[int, int]  # width and height
    bits: tuple[int, ...]  # of each component
    is_plain: bool  # no sign, components of full size, gray or sRGB
    has_palette: bool = False

    @property
    def is_deep(self) -> bool:
        """Whether a component has more than 8 bits."""
        return max(self.bits) > 8


def read_jpeg2000(data: bytes) -> Jpeg2000Header | None:
    """Return the head of a JPEG 2000 image; None: it is none, or cut off."""
    if data.startswith(_STREAM):
        return _read_sizes(data, None)
    if not data.startswith(_BOXED):
        return None
    space: int | None = None
    for kind, start, _ in iter_boxes(data, 0, len(data)):
        if kind == b"jp2h":
            space = _color_space(data, start)
        elif kind == b"jp2c":
            return _read_sizes(data[start : start + 65536], space)
    return None


def _color_space(data: bytes, start: int) -> int | None:
    """Return the number of the color space; `_PALETTE` where a palette takes its place."""
    space: int | None = None
    end = start - 8 + struct.unpack_from(">I", data, start - 8)[0]
    for kind, content, stop in iter_boxes(data, start, min(end, len(data))):
        if kind == b"pclr":
            return _PALETTE
        if kind == b"colr" and space is None and stop >= content + 7:
            space = int.from_bytes(data[content + 3 : content + 7], "big")
            space = space if data[content] == 1 else None  # else a profile, which is not applied
    return space


def _read_sizes(stream: bytes, space: int | None) -> Jpeg2000Header | None:
    if not stream.startswith(_STREAM):
        return None
    try:
        values = _SIZES.unpack_from(stream)
        x_end, y_end, x_first, y_first = values[2:6]
        count = values[-1]
        components = [struct.unpack_from("3B", stream, 42 + 3 * i) for i in range(count)]
    except struct.error:
        return None
    if not components:
        return None
    bits = tuple((depth & 0x7F) + 1 for depth, _, _ in components)
    plain = all(depth < 0x80 and (dx, dy) == (1, 1) for depth, dx, dy in components)
    plain &= space in (None, _GRAY, _SRGB) and len(set(bits)) == 1 and count <= 4
    return Jpeg2000Header((x_end - x_first, y_end - y_first), bits, plain, space == _PALETTE)


def decode_jpeg2000(data: bytes, header: Jpeg2000Header) -> NDArray[np.uint8]:
    """Return the pixels of a deep JPEG 2000 image.

    Args:
        data: the file; its size is allowed.
        header: its head.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UnsupportedKind: components of several sizes, with a sign, or in other colors.
        MissingPackage: color, and imagecodecs is not installed.
        OSError, ValueError: a damaged file.
    """
    bits = header.bits[0]
    if not header.is_plain or bits > 16:
        raise UnsupportedKind(
            f"it is a JPEG 2000 image of {max(header.bits)} bits a sample in other colors than "
            "gray and sRGB. Convert it to PNG or TIFF"
        )
    if len(header.bits) == 1:
        with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as image:
            samples = np.asarray(image)[:, :, None] >> (16 - bits)
        return samples_to_rgb(samples, float(2**bits - 1))
    what = f"it is a JPEG 2000 image of {bits} bits a sample, and reading its colors"
    color = decode_with_imagecodecs("jpeg2k_decode", data, what)
    if color.ndim != 3:
        raise ValueError(f"an image of {color.ndim} axes")
    return samples_to_rgb(color, float(2**bits - 1))


def decode_palette(data: bytes) -> NDArray[np.uint8] | None:
    """Return the pixels of a JPEG 2000 image with a palette; None: an odd one, left to Pillow.

    Args:
        data: the file; its size is allowed.

    Returns:
        (H, W, 3) uint8.

    Raises:
        OSError, ValueError: a damaged file.
    """
    boxes = {kind: data[start:end] for kind, start, end in iter_boxes(data, 0, len(data))}
    head, stream = boxes.get(b"jp2h", b""), boxes.get(b"jp2c", b"")
    parts = {kind: head[start:end] for kind, start, end in iter_boxes(head, 0, len(head))}
    palette = _read_palette(parts.get(b"pclr", b""))
    space = parts.get(b"colr", b"")
    if palette is None or space[:1] + space[3:7] != b"\1\0\0\0\x10":
        return None
    with Image.open(io.BytesIO(stream), formats=("JPEG2000",)) as image:
        if image.mode != "L":
            return None
        numbers = np.asarray(image)
    if int(numbers.max(initial=0)) >= len(palette):
        raise ValueError("its palette is too short")
    columns = _places_of_colors(parts.get(b"cdef", b""))
    return None if columns is None else palette[:, columns][numbers]


def _read_palette(box: bytes) -> NDArray[np.uint8] | None:
    """Return (n, 3) colors; None: other than three columns of 8 bits."""
    count = int.from_bytes(box[:2], "big")
    if box[2:6] != b"\3\7\7\7" or len(box) < 6 + 3 * count or not count:
        return None
    return np.frombuffer(box, np.uint8, 3 * count, 6).reshape(count, 3)


def _places_of_colors(box: bytes) -> list[int] | None:
    """Return which columns are red, green and blue, as channel definitions have it."""
    if not box:
        return [0, 1, 2]
    channels = list(struct.iter_unpack(">HHH", box[2 : 2 + 6 * (len(box[2:]) // 6)]))
    places = {color: channel for channel, kind, color in channels if kind == 0}
    found = [places.get(color, -1) for color in (1, 2, 3)]
    return found if sorted(found) == [0, 1, 2] else None
