"""What every packing does, into a folder or into memory: decode portions, then sum them up.

Legend: n images of a portion, S side of a stored image.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import THUMBNAIL_PX, dct_coefficients, square_thumbnail
from alexnet.data.packs.file_times import choose_times
from alexnet.data.packs.index import DIGEST_BYTES, PackIndex, content_digest
from alexnet.data.packs.journal import FinishedShard
from alexnet.data.packs.pack import PackHeader
from alexnet.data.packs.plan import PackableSource, PackingPlan
from alexnet.data.sources.listing import Paths
from alexnet.data.sources.parallel_decoding import decode_files
from alexnet.data.sources.validation import unreadable_source
from alexnet.images import capture_time, encode_jpeg, read_image

__all__ = ["Portion", "build_header_and_index", "decode_portions"]

_PORTION_BYTES = 16 << 20
_MAX_IMAGES = 256

# The decoding threads fill one row an image: its head, its thumbnail, then its content.
_NUMBER_BYTES = 4
_TIME_BYTES = 8
_HEAD_BYTES = _NUMBER_BYTES + DIGEST_BYTES + _TIME_BYTES + _NUMBER_BYTES
"""Of checksum, digest, time and length."""
_THUMBNAIL_BYTES = THUMBNAIL_PX * THUMBNAIL_PX * 3
_MAX_JPEG_OVERHEAD = 4096  # by which the JPEG file of the smallest image exceeds its pixels


@dataclass(frozen=True)
class Portion:
    """Some decoded images."""

    indices: NDArray[np.int64]  # (n,) in the source
    images: NDArray[np.uint8]  # (n, S, S, 3), each of them without gaps
    digests: NDArray[np.uint8]  # (n, 16)
    checksums: NDArray[np.uint32]  # (n,)
    coefficients: NDArray[np.float16]  # (n, 64) of the square that is stored, see `hashing`
    times: NDArray[np.int64]  # (n,) ms since 1970 when it was taken, as EXIF says; 0: unknown
    failures: list[tuple[int, str]]  # index and reason of what could not be read
    files: list[bytes] | None = None  # n JPEG files, where those are stored instead of `images`
    lengths: NDArray[np.uint32] | None = None  # (n,) their bytes

    @property
    def count(self) -> int:
        """Images, readable or not."""
        return len(self.indices) + len(self.failures)

    def without_images(self) -> Portion:
        """Return the rest, for when the images are written."""
        return replace(self, images=self.images[:0].copy(), files=None)


def decode_portions(
    source: PackableSource, indices: NDArray[np.int64], plan: PackingPlan
) -> Iterator[Portion]:
    """Decode some images of a source in parallel, in order; memory is bounded by a portion.

    Raises:
        SourceError: an image cannot be read and the plan is to fail.
    """
    is_jpeg = plan.store == "jpeg"
    content_bytes = plan.image_bytes + (_MAX_JPEG_OVERHEAD if is_jpeg else 0)

    def read(data: bytes, name: str) -> tuple[NDArray[np.uint8], ...]:
        """Return the head; the thumbnail; the content; and zeros up to the row's length."""
        image = read_image(data, name=name, image_px=plan.image_px, resize_mode=plan.resize_mode)
        content = np.frombuffer(encode_jpeg(image), np.uint8) if is_jpeg else image.ravel()
        checksum = zlib.crc32(content.data).to_bytes(_NUMBER_BYTES, "little")
        length = len(content).to_bytes(_NUMBER_BYTES, "little")
        time = capture_time(data).to_bytes(_TIME_BYTES, "little")
        head = np.frombuffer(checksum + content_digest(data) + time + length, dtype=np.uint8)
        small = square_thumbnail(image).ravel()
        return head, small, content, np.zeros(content_bytes - len(content), dtype=np.uint8)

    batch_size = max(1, min(_MAX_IMAGES, _PORTION_BYTES // plan.image_bytes))
    for decoded, flat, failures in decode_files(
        source, indices, read, batch_size=batch_size, workers=plan.workers
    ):
        plan.unreadable.handle(source, failures)
        rows = flat.reshape(len(decoded), _HEAD_BYTES + _THUMBNAIL_BYTES + content_bytes)
        yield _split_rows(np.asarray(decoded, dtype=np.int64), rows, failures, plan)


def _split_rows(
    indices: NDArray[np.int64],
    rows: NDArray[np.uint8],
    failures: list[tuple[int, str]],
    plan: PackingPlan,
) -> Portion:
    """Take the rows of a portion apart."""
    checksums = rows[:, :_NUMBER_BYTES].copy().view("<u4")[:, 0].astype(np.uint32)
    lengths = rows[:, _HEAD_BYTES - _NUMBER_BYTES : _HEAD_BYTES].copy().view("<u4")[:, 0]
    digests = rows[:, _NUMBER_BYTES : _NUMBER_BYTES + DIGEST_BYTES].copy()
    start = _NUMBER_BYTES + DIGEST_BYTES
    times = rows[:, start : start + _TIME_BYTES].copy().view("<i8")[:, 0].astype(np.int64)
    side, start = plan.image_px, _HEAD_BYTES + _THUMBNAIL_BYTES
    small, content = rows[:, _HEAD_BYTES:start], rows[:, start:]
    coefficients = dct_coefficients(small.reshape(-1, THUMBNAIL_PX, THUMBNAIL_PX, 3))
    if plan.store == "pixels":
        images = content.reshape(-1, side, side, 3)
        return Portion(indices, images, digests, checksums, coefficients, times, failures)
    files = [row[:n].tobytes() for row, n in zip(content, lengths.tolist(), strict=True)]
    none = np.empty((0, side, side, 3), dtype=np.uint8)
    return Portion(
        indices,
        none,
        digests,
        checksums,
        coefficients,
        times,
        failures,
        files,
        lengths.astype(np.uint32),
    )


def build_header_and_index(
    source: PackableSource, plan: PackingPlan, finished: Sequence[FinishedShard]
) -> tuple[PackHeader, PackIndex]:
    """Return header and index of what was packed; the index's own checksum is still 0.

    Raises:
        SourceError: not one image could be read, or too few of them.
    """
    skipped = [failure for shard in finished for failure in shard.skipped]
    plan.unreadable.check_share(source, skipped)
    kept = np.concatenate([np.zeros(0, dtype=np.int64), *(part.indices for part in finished)])
    if not len(kept):
        raise unreadable_source(source.where, [(source.paths[i], why) for i, why in skipped])
    numbers: list[int] = kept.tolist()
    lengths = [part.lengths for part in finished if part.lengths is not None]
    coefficients = [part.coefficients for part in finished if part.coefficients is not None]
    times = [part.times for part in finished if part.times is not None]
    index = PackIndex(
        Paths.of(source.paths[i] for i in numbers),
        np.asarray(source.labels[kept], dtype=np.int64),
        np.asarray(source.splits[kept], dtype=np.uint8),
        np.asarray(source.sizes[kept], dtype=np.int64),
        np.concatenate([part.digests for part in finished]),
        np.concatenate([part.checksums for part in finished]),
        np.concatenate(lengths) if plan.store == "jpeg" else None,
        np.concatenate(coefficients) if len(coefficients) == len(finished) else None,
        choose_times(source, kept, times) if len(times) == len(finished) else None,
    )
    header = PackHeader(
        classes=tuple(source.classes),
        class_words=dict(source.class_words),
        image_px=plan.image_px,
        resize_mode=plan.resize_mode,
        where=Path(source.where),
        signature=source.signature,
        stat_signature=source.stat_signature,
        skipped=tuple((source.paths[i], reason) for i, reason in skipped),
        shards=tuple(part.shard for part in finished if part.shard is not None),
        index_checksum=0,
        fingerprint="",
        excluded=tuple(source.excluded),
        store=plan.store,
        jpeg_bytes=sum(int(part.sum()) for part in lengths),
    )
    return replace(header, fingerprint=index.fingerprint(header.identity())), index
