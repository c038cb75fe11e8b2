"""TIFF beyond what Pillow reads right: more than 8 bits, planes, alpha, floating point, signs.

Pillow (13.0) gives some of these kinds as noise, inverted or nearly black, and refuses others
(findings/pillow-tiff-16-bit.sh). Here its libtiff unpacks the bytes alone, of any compression that
has no pixels of its own; what they mean is said by the tags and done by numpy:

    blocks      strips or tiles, of all samples or of one plane
    bits        1 to 16 and 32 of whole numbers, 16, 32 and 64 of floating point, either byte order
    predictor   differences of neighbors, and those of floating point
    white       0 or the largest number; a palette; CMYK; YCbCr of full size
    alpha       laid over white, multiplied in already or not

Every other kind is named. Source: TIFF 6.0 (Adobe, 1992) and its Technical Notes 1 to 3.

Legend: H x W pixels, s samples of a pixel, h rows of a block, w columns of a block.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.images.tiff_samples import SampleRule, UnsupportedKind, unpack_samples
from alexnet.images.tiff_tags import TiffTags

__all__ = ["UnsupportedKind", "decode_tiff"]

_PACKED = {1, 5, 8, 32773, 32946, 34925, 50000}
"""Compressions of bytes: none, LZW, Deflate, PackBits, LZMA, Zstandard. Others are of pixels."""

_OF_PIXELS = {2, 3, 4, 6, 7, 32771, 32809, 34676, 34677, 50001}
"""Compressions of pixels that Pillow reads, if the kind of image is a usual one."""

_COMPRESSIONS = {
    **dict.fromkeys((2, 3, 4), "CCITT (a fax)"),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((34676, 34677), "SGILog"),
    **dict(zip((6, 7), ("old JPEG", "JPEG"), strict=True)),
    **dict(zip((34887, 50001, 50002), ("LERC", "WebP", "JPEG XL"), strict=True)),
}
_COLORS = {
    **dict.fromkeys((8, 9, 10), "L*a*b*"),
    **dict.fromkeys((32844, 32845), "LogLuv"),
    **dict.fromkeys((32803, 34892), "a camera's raw colors"),
    **dict(zip((4, 6), ("a transparency mask", "YCbCr"), strict=True)),
}
_COLOR_SAMPLES = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
_FAX = {2, 3, 4}
_AT_ONCE = 1 << 20  # samples of a group of blocks
_MOST_BYTES = 300_000_000  # of one block: Pillow refuses more


@dataclass(frozen=True)
class _Blocks:
    """Where the strips or tiles of a TIFF lie, and what is in them."""

    tags: TiffTags
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    rows: int  # h; fewer in the last strip
    columns: int  # w: W of strips
    samples: int  # of a pixel in a block: s, or 1 of planes

    @property
    def is_tiled(self) -> bool:
        return 322 in self.tags.values

    @property
    def row_bytes(self) -> int:
        return -(-self.columns * self.samples * self.tags.bits[0] // 8)

    @property
    def across(self) -> int:
        return -(-self.tags.width // self.columns)

    @property
    def down(self) -> int:
        return -(-self.tags.height // self.rows)

    def height_of(self, row: int) -> int:
        """Return the rows that a block of the `row`-th row of blocks holds in the file."""
        if self.is_tiled:
            return self.rows
        return min(self.rows, self.tags.height - row * self.rows)


def decode_tiff(data: bytes, tags: TiffTags) -> NDArray[np.uint8] | None:
    """Return the pixels of a TIFF as they lie in the file; None: a kind that Pillow reads right.

    Args:
        data: the file.
        tags: its first directory; the number of pixels is allowed.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UnsupportedKind: a kind that is not read, by name.
        OSError, ValueError: a damaged file.
    """
    if tags.is_dng or tags.is_preview:
        raise UnsupportedKind(
            "it is a camera's raw file. Develop it to JPEG, PNG or a TIFF of 8 or 16 bits first"
        )
    if tags.compression not in _PACKED | _OF_PIXELS:
        raise UnsupportedKind(_packed_by(tags))
    if 262 not in tags.values and tags.compression not in _FAX:
        raise UnsupportedKind(
            "it is a TIFF that does not say whether its numbers are gray levels, colors or inks "
            "(PhotometricInterpretation is missing)"
        )
    if _is_usual(tags) and not _is_odd_form(data, tags):
        return None
    rule = _sample_rule(tags)
    blocks = _find_blocks(data, tags)
    pixels = np.empty((tags.height, tags.width, 3), dtype=np.uint8)
    white = max(
        (rule.largest(rows) for _, rows in _read_rows(data, blocks)) if rule.looks_first else (),
        default=0.0,
    )
    for top, rows in _read_rows(data, blocks):
        pixels[top : top + len(rows)] = rule.to_rgb(rows, white)
    return pixels


def _is_odd_form(data: bytes, tags: TiffTags) -> bool:
    """Whether Pillow stumbles over how the file is laid out, whatever is in it."""
    old_tiles = 322 in tags.values and 324 not in tags.values
    return data.startswith(b"MM\0+") or old_tiles


def _is_usual(tags: TiffTags) -> bool:
    """Whether Pillow reads this kind right, as the tests have it for each of them."""
    bits, extra = set(tags.bits), tags.extra_samples
    if tags.photometric == 3:
        colors = tags.values.get(320, (65535,))
        return bits <= {1, 2, 4, 8} and tags.samples == 1 and max(colors) > 255
    if not set(tags.formats) <= {1, 4}:
        return False
    if tags.photometric in (0, 1):
        return bits <= {1, 2, 4, 8} and tags.samples == 1
    if tags.photometric in (2, 5):
        colors = _COLOR_SAMPLES[tags.photometric]
        few = tags.samples == colors or (tags.samples == 4 and extra in ((0,), (2,)))
        return bits == {8} and few and not tags.is_planar
    if tags.photometric == 6 and tags.compression == 1:
        return False  # Pillow takes each for JPEG's (findings/pillow-tiff-ycbcr.sh)
    return tags.photometric in (6, 8) and bits == {8} and tags.samples == 3 and not tags.is_planar


def _has_full_colors(tags: TiffTags) -> bool:
    """Whether YCbCr has colors for each pixel, and not for two or four of them together."""
    if 530 not in tags.values and tags.compression == 1:
        return sum(tags.values.get(279, ())) >= 3 * tags.width * tags.height
    return tags.values.get(530, (2, 2)) == (1, 1)


def _sample_rule(tags: TiffTags) -> SampleRule:
    """Return what the samples of a pixel mean.

    Raises:
        UnsupportedKind: nothing that is read here.
    """
    if len(set(tags.bits)) > 1:
        listed = ", ".join(map(str, tags.bits[:8]))
        raise UnsupportedKind(f"its samples have different numbers of bits ({listed})")
    bits, kind = tags.bits[0], tags.formats[0]
    if tags.compression not in _PACKED:
        raise UnsupportedKind(_packed_by(tags))
    colors = _COLOR_SAMPLES.get(tags.photometric)
    is_shared = tags.photometric == 6 and not _has_full_colors(tags)
    is_deep = tags.photometric == 6 and bits != 8
    if is_deep or colors is None or tags.samples < colors or tags.samples > 64 or is_shared:
        name = _COLORS.get(tags.photometric, f"the photometric interpretation {tags.photometric}")
        name += " in planes" * tags.is_planar + ", each for several pixels" * is_shared
        raise UnsupportedKind(
            f"it is a TIFF of {tags.samples} samples of {bits} bits a pixel, and its colors are "
            f"{name}"
        )
    if tags.photometric == 5 and tags.one(332, 1) != 1:
        raise UnsupportedKind("it is a TIFF of other inks than cyan, magenta, yellow and black")
    allowed = (16, 32, 64) if kind == 3 else (*range(1, 17), 32)
    if kind not in (1, 2, 3, 4) or len(set(tags.formats)) > 1 or bits not in allowed:
        kinds = {2: "with sign", 3: "floating point", 5: "complex", 6: "complex"}
        raise UnsupportedKind(
            f"it is a TIFF of {bits} bits a sample, {kinds.get(kind, 'whole numbers')}"
        )
    if kind == 2 and bits != 32:
        raise UnsupportedKind(
            f"its numbers of {bits} bits have a sign, and which of them is black is not said"
        )
    if kind == 3 and tags.photometric != 1 and tags.photometric != 2:
        raise UnsupportedKind("it is a TIFF of floating point in other colors than gray and RGB")
    return SampleRule(tags, colors)


def _packed_by(tags: TiffTags) -> str:
    name = _COMPRESSIONS.get(tags.compression, f"the compression {tags.compression}")
    planes = " in planes" if tags.is_planar else ""
    return (
        f"it is a TIFF of {tags.bits[0]} bits a sample{planes}, packed by {name}, which is not read"
    )


def _find_blocks(data: bytes, tags: TiffTags) -> _Blocks:
    """Return where strips or tiles lie; raise OSError for a file that is cut off."""
    tiled = 322 in tags.values
    strips, counts = tags.values.get(273, ()), tags.values.get(279, ())
    offsets = tags.values.get(324, strips) if tiled else strips
    lengths = tags.values.get(325, counts) if tiled else counts
    rows = tags.one(323, 0) if tiled else min(tags.one(278, tags.height), tags.height)
    columns = tags.one(322, 0) if tiled else tags.width
    if rows < 1 or columns < 1 or columns > 4 * max(tags.width, 4096) or rows > 1 << 24:
        raise OSError("its strips or tiles have no size")
    blocks = _Blocks(tags, offsets, lengths, rows, columns, 1 if tags.is_planar else tags.samples)
    count = blocks.across * blocks.down * (tags.samples if tags.is_planar else 1)
    if not lengths and tags.compression == 1:
        lengths = (blocks.row_bytes * rows,) * count
    if len(offsets) < count or len(lengths) < count:
        raise OSError(f"{min(len(offsets), len(lengths)):,} of {count:,} strips or tiles are there")
    lengths = tuple(
        max(0, min(length, len(data) - offset))
        for offset, length in zip(offsets[:count], lengths, strict=False)
    )
    if sum(lengths) > 2 * len(data):
        raise OSError("its entries claim more bytes than it has")
    return _Blocks(tags, offsets[:count], lengths, rows, columns, blocks.samples)


def _read_rows(data: bytes, blocks: _Blocks) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield the first row of each group of rows, and (rows, W, s) samples as numbers."""
    tags = blocks.tags
    at_once = max(
        1, _AT_ONCE // max(1, blocks.across * blocks.columns * tags.samples * blocks.rows)
    )
    for first in range(0, blocks.down, at_once):
        row_blocks = range(first, min(first + at_once, blocks.down))
        planes: list[NDArray[np.generic]] = []
        for plane in range(tags.samples if tags.is_planar else 1):
            start = plane * blocks.across * blocks.down
            numbers = [
                start + row * blocks.across + column
                for row in row_blocks
                for column in range(blocks.across)
            ]
            heights = [blocks.height_of(row) for row in row_blocks for _ in range(blocks.across)]
            planes.append(_place(blocks, row_blocks, _read_blocks(data, blocks, numbers, heights)))
        yield first * blocks.rows, np.concatenate(planes, axis=2)


def _place(blocks: _Blocks, row_blocks: range, stacked: NDArray[np.generic]) -> NDArray[np.generic]:
    """Lay blocks that are stacked one below the other side by side: (rows, W, s)."""
    tags, top = blocks.tags, row_blocks.start * blocks.rows
    height = min(row_blocks.stop * blocks.rows, tags.height) - top
    if not blocks.is_tiled:
        return stacked[:height]
    grid = stacked.reshape(len(row_blocks), blocks.across, blocks.rows, blocks.columns, -1)
    wide = grid.transpose(0, 2, 1, 3, 4).reshape(
        len(row_blocks) * blocks.rows, blocks.across * blocks.columns, -1
    )
    return wide[:height, : tags.width]


def _read_blocks(
    data: bytes, blocks: _Blocks, numbers: list[int], heights: list[int]
) -> NDArray[np.generic]:
    """Return the samples of some blocks, stacked: (sum of heights, w, s)."""
    total = sum(heights)
    if total * blocks.row_bytes > _MOST_BYTES and blocks.tags.compression != 1:
        raise UnsupportedKind("it is packed in one piece of more than 300 MB")
    parts = [data[blocks.offsets[i] : blocks.offsets[i] + blocks.lengths[i]] for i in numbers]
    if blocks.tags.compression == 1 and blocks.tags.one(266, 1) == 1:
        wanted = [height * blocks.row_bytes for height in heights]
        if any(len(part) < size for part, size in zip(parts, wanted, strict=True)):
            raise OSError("image file is truncated")
        packed = b"".join(part[:size] for part, size in zip(parts, wanted, strict=True))
        raw = np.frombuffer(packed, dtype=np.uint8).reshape(total, blocks.row_bytes)
    else:
        file = _bytes_as_gray(blocks, parts, total)
        with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
            raw = np.asarray(image)
    return unpack_samples(raw, blocks.tags, blocks.columns, blocks.samples)


def _bytes_as_gray(blocks: _Blocks, parts: list[bytes], rows: int) -> bytes:
    """Return a TIFF whose gray pixels of 8 bits are the bytes of some blocks, stacked."""
    lengths = [len(part) for part in parts]
    count = len(parts)
    entries = [
        *((256, 4, [blocks.row_bytes]), (257, 4, [rows]), (258, 3, [8])),
        *((259, 3, [blocks.tags.compression]), (262, 3, [1]), (266, 3, [blocks.tags.one(266, 1)])),
        (273, 4, [0] * count),
        *((277, 3, [1]), (278, 4, [min(blocks.rows, rows)]), (279, 4, lengths)),
    ]
    start = 8 + 2 + 12 * len(entries) + 4  # of what does not fit into the entries
    first = start + (8 * count if count > 1 else 0)
    offsets = (first + np.concatenate([[0], np.cumsum(lengths)[:-1]])).astype(int).tolist()
    head = bytearray(struct.pack("<2sHIH", b"II", 42, 8, len(entries)))
    behind = bytearray()
    for tag, kind, values in entries:
        listed = offsets if tag == 273 else values
        packed = struct.pack(f"<{len(listed)}{'H' if kind == 3 else 'I'}", *listed)
        if len(packed) > 4:
            packed, behind = struct.pack("<I", start + len(behind)), behind + packed
        head += struct.pack("<HHI", tag, kind, len(listed)) + packed.ljust(4, b"\0")
    return bytes(head + b"\0\0\0\0" + behind) + b"".join(parts)
