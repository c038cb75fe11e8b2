"""What every packing does, into a folder or into memory: decode portions, then sum them up.

Legend: n pictures of a portion, S side of a stored picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.data.decoding import decoded
from alexnet.data.journal import FinishedShard
from alexnet.data.pack import PackHeader
from alexnet.data.pack_index import DIGEST_BYTES, PackIndex, Paths, content_digest
from alexnet.data.refusals import nothing_readable
from alexnet.data.unreadable import UnreadablePolicy
from alexnet.errors import RecipeError
from alexnet.images import read_picture
from alexnet.recipe import LARGEST_PX, Fit

__all__ = ["Packable", "PackingPlan", "Portion", "headed", "portions"]

_PORTION_BYTES = 16 << 20
_MOST_PICTURES = 256
_CHECKSUM_BYTES = 4


class Packable(Protocol):
    """What a packing needs of a source."""

    @property
    def where(self) -> Path:
        """The source as it was named."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        ...

    @property
    def class_words(self) -> Mapping[str, str]:
        """What classes mean whose names are codes."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Relative path of each picture."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each picture."""
        ...

    @property
    def splits(self) -> NDArray[np.uint8]:
        """Split of each picture."""
        ...

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each picture file."""
        ...

    @property
    def excluded(self) -> tuple[str, ...]:
        """Paths of the pictures that were left out on purpose."""
        ...

    @property
    def signature(self) -> str:
        """Stands for paths, labels, splits and sizes."""
        ...

    @property
    def stat_signature(self) -> str:
        """The same with the files' times."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of a picture file; SourceError where it is gone."""
        ...


@dataclass(frozen=True)
class PackingPlan:
    """How pictures are stored.

    Raises:
        RecipeError: a size or a fit out of range.
    """

    image_px: int
    fit: Fit
    unreadable: UnreadablePolicy
    workers: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.image_px <= LARGEST_PX:
            raise RecipeError(
                f"image_px must be between 1 and {LARGEST_PX} pixels; got {self.image_px}."
            )
        if self.fit not in get_args(Fit):
            raise RecipeError(f'fit must be "crop", "squash" or "pad"; got "{self.fit}".')
        if self.workers is not None and self.workers < 1:
            raise RecipeError(f"workers must be at least 1; got {self.workers}.")

    @property
    def picture_bytes(self) -> int:
        """Bytes of one stored picture."""
        return 3 * self.image_px**2


@dataclass(frozen=True)
class Portion:
    """Some decoded pictures."""

    indices: NDArray[np.int64]  # (n,) in the source
    pictures: NDArray[np.uint8]  # (n, S, S, 3)
    digests: NDArray[np.uint8]  # (n, 16)
    checksums: NDArray[np.uint32]  # (n,)
    failures: list[tuple[int, str]]  # index and reason of what could not be read

    @property
    def count(self) -> int:
        """Pictures that were dealt with."""
        return len(self.indices) + len(self.failures)

    def without_pictures(self) -> Portion:
        """Return the rest, for when the pictures are written."""
        return replace(self, pictures=self.pictures[:0].copy())


def portions(source: Packable, indices: NDArray[np.int64], plan: PackingPlan) -> Iterator[Portion]:
    """Decode some pictures of a source in parallel, in order; memory is bounded by a portion.

    Raises:
        SourceError: a picture cannot be read and the plan is to fail.
    """

    def read(data: bytes, name: str) -> NDArray[np.uint8]:
        pixels = read_picture(data, name=name, image_px=plan.image_px, how=plan.fit).ravel()
        checksum = zlib.crc32(pixels.data).to_bytes(_CHECKSUM_BYTES, "little")
        known_by = np.frombuffer(checksum + content_digest(data), dtype=np.uint8)
        return np.concatenate([known_by, pixels])

    batch = max(1, min(_MOST_PICTURES, _PORTION_BYTES // plan.picture_bytes))
    digests_end = _CHECKSUM_BYTES + DIGEST_BYTES
    side = plan.image_px
    for found, flat, failures in decoded(source, indices, read, batch=batch, workers=plan.workers):
        plan.unreadable.take(source, failures)
        rows = flat.reshape(len(found), digests_end + plan.picture_bytes)
        yield Portion(
            np.asarray(found, dtype=np.int64),
            np.ascontiguousarray(rows[:, digests_end:]).reshape(-1, side, side, 3),
            rows[:, _CHECKSUM_BYTES:digests_end].copy(),
            rows[:, :_CHECKSUM_BYTES].copy().view("<u4")[:, 0].astype(np.uint32),
            failures,
        )


def headed(
    source: Packable, plan: PackingPlan, finished: Sequence[FinishedShard]
) -> tuple[PackHeader, PackIndex]:
    """Return header and index of what was packed; the index's own checksum is still 0.

    Raises:
        SourceError: not one picture could be read, or too few of them.
    """
    skipped = [each for shard in finished for each in shard.skipped]
    plan.unreadable.check_share(source, skipped)
    kept = np.concatenate([np.zeros(0, dtype=np.int64), *(each.indices for each in finished)])
    if not len(kept):
        raise nothing_readable(source.where, [(source.paths[i], why) for i, why in skipped])
    places: list[int] = kept.tolist()
    index = PackIndex(
        Paths.of(source.paths[i] for i in places),
        np.asarray(source.labels[kept], dtype=np.int64),
        np.asarray(source.splits[kept], dtype=np.uint8),
        np.asarray(source.sizes[kept], dtype=np.int64),
        np.concatenate([each.digests for each in finished]),
        np.concatenate([each.checksums for each in finished]),
    )
    header = PackHeader(
        classes=tuple(source.classes),
        class_words=dict(source.class_words),
        image_px=plan.image_px,
        fit=plan.fit,
        where=Path(source.where),
        signature=source.signature,
        stat_signature=source.stat_signature,
        skipped=tuple((source.paths[i], reason) for i, reason in skipped),
        shards=tuple(each.shard for each in finished if each.shard is not None),
        index_checksum=0,
        fingerprint="",
        excluded=tuple(source.excluded),
    )
    return replace(header, fingerprint=index.fingerprint(header.identity())), index
