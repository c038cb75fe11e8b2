"""What every packing does, into a folder or into memory: decode portions, then sum them up.

Legend: n images of a portion, S side of a stored image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.checks.hashing import THUMBNAIL_PX, dct_coefficients, square_thumbnail
from alexnet.data.packs.file_times import choose_times
from alexnet.data.packs.index import DIGEST_BYTES, PackIndex, content_digests
from alexnet.data.packs.journal import FinishedShard
from alexnet.data.packs.pack import PackHeader
from alexnet.data.packs.plan import PackableSource, PackingPlan
from alexnet.data.packs.shards import checksum
from alexnet.data.sources.listing import Paths
from alexnet.data.sources.parallel_decoding import decode_files
from alexnet.data.sources.validation import unreadable_source
from alexnet.images import capture_time, encode_jpeg, read_image
from alexnet.kernels.late import expect_images

__all__ = ["Portion", "build_header_and_index", "decode_portions"]

_PORTION_BYTES = 16 << 20
_MAX_IMAGES = 256

_HEAD = np.dtype([("checksum", "<u4"), ("length", "<u4"), ("time", "<i8")])
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
    expect_images(len(source.paths))
    is_jpeg = plan.store == "jpeg"
    kind = _row_type(plan)
    content_bytes = kind["content"].itemsize

    def read(data: bytes, name: str) -> tuple[NDArray[np.uint8], ...]:
        """Return what follows a file's digest: head, thumbnail, content, and zeros to the end."""
        image = read_image(data, name=name, image_px=plan.image_px, resize_mode=plan.resize_mode)
        content = np.frombuffer(encode_jpeg(image), np.uint8) if is_jpeg else image.ravel()
        head = np.array([(checksum(content), len(content), capture_time(data))], _HEAD)
        pieces = head.view(np.uint8), square_thumbnail(image).ravel(), content
        missing = content_bytes - len(content)
        return (*pieces, np.zeros(missing, dtype=np.uint8)) if missing else pieces

    batch_size = max(1, min(_MAX_IMAGES, _PORTION_BYTES // plan.image_bytes))
    for decoded, flat, failures in decode_files(
        source,
        indices,
        read,
        batch_size=batch_size,
        workers=plan.workers,
        summarize=content_digests,
    ):
        plan.unreadable.handle(source, failures)
        rows = flat.reshape(len(decoded), kind.itemsize).view(kind)[:, 0]
        yield _split_rows(np.asarray(decoded, dtype=np.int64), rows, failures, plan)


def _row_type(plan: PackingPlan) -> np.dtype[np.void]:
    """Return what the decoding threads write of an image, one field behind the other."""
    content_bytes = plan.image_bytes + (_MAX_JPEG_OVERHEAD if plan.store == "jpeg" else 0)
    return np.dtype(
        [
            ("digest", "u1", DIGEST_BYTES),
            ("head", _HEAD),
            ("thumbnail", "u1", (THUMBNAIL_PX, THUMBNAIL_PX, 3)),
            ("content", "u1", content_bytes),
        ]
    )


def _split_rows(
    indices: NDArray[np.int64],
    rows: NDArray[np.void],
    failures: list[tuple[int, str]],
    plan: PackingPlan,
) -> Portion:
    """Take the rows of a portion apart.

    Args:
        indices: (n,).
        rows: (n,) of `_row_type`.
        failures: of the portion.
        plan: of the packing.
    """
    side, head, content = plan.image_px, rows["head"], rows["content"]
    lengths = head["length"].astype(np.uint32)
    is_jpeg = plan.store == "jpeg"
    none = np.empty((0, side, side, 3), dtype=np.uint8)
    files = [row[:n].tobytes() for row, n in zip(content, lengths.tolist(), strict=True) if is_jpeg]
    return Portion(
        indices,
        none if is_jpeg else content.reshape(-1, side, side, 3),
        rows["digest"].copy(),
        head["checksum"].astype(np.uint32),
        dct_coefficients(rows["thumbnail"]),
        head["time"].astype(np.int64),
        failures,
        files if is_jpeg else None,
        lengths if is_jpeg else None,
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
