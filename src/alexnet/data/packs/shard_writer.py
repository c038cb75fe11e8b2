"""One shard of a pack: a range of the source's images, decoded and written as one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.journal import FinishedShard
from alexnet.data.packs.jpeg_shards import TAR_END, tar_members
from alexnet.data.packs.plan import PackableSource, PackingPlan
from alexnet.data.packs.portions import Portion, decode_portions
from alexnet.data.packs.shards import Shard
from alexnet.errors import SourceError
from alexnet.files import disk_errors, replace_file
from alexnet.progress import Advance

__all__ = ["ShardWriter", "join_portions"]


def _ignore(count: int = 1, note: str = "") -> None:
    """Advance a bar that another process shows."""


@dataclass(frozen=True)
class ShardWriter:
    """Writes the shards of a pack, whichever process writes which."""

    source: PackableSource
    folder: Path
    plan: PackingPlan
    shard_images: int

    def indices(self, number: int) -> NDArray[np.int64]:
        """Return (n,) the images of a shard, in the source."""
        first = number * self.shard_images
        return np.arange(first, min(first + self.shard_images, len(self.source.paths)))

    def write(self, number: int, advance: Advance = _ignore) -> FinishedShard:
        """Write a shard beside, flush and rename it; there is none without a readable image.

        Raises:
            SourceError: the disk refuses, or the plan is to fail.
        """
        is_jpeg = self.plan.store == "jpeg"
        name = f"shard-{number:05}.{'tar' if is_jpeg else 'u8'}"
        parts: list[Portion] = []

        def write(file: BinaryIO) -> None:
            for portion in decode_portions(self.source, self.indices(number), self.plan):
                for image in portion.images:
                    file.write(image.data)
                self._write_files(file, portion)
                parts.append(portion.without_images())
                advance(portion.count)
            file.write(TAR_END if is_jpeg else b"")

        with disk_errors(self.folder / name, SourceError):
            replace_file(self.folder / name, write)
            done = join_portions(parts, name, number * self.shard_images)
            if done.shard is None:
                (self.folder / name).unlink()
        return done

    def _write_files(self, file: BinaryIO, portion: Portion) -> None:
        if portion.files is None:
            return
        for index, data in zip(portion.indices.tolist(), portion.files, strict=True):
            split, label = int(self.source.splits[index]), int(self.source.labels[index])
            file.write(tar_members(index, split, label, data))


def join_portions(portions: Sequence[Portion], name: str, first: int) -> FinishedShard:
    """Join the portions of one shard."""
    indices = np.concatenate([part.indices for part in portions])
    lengths = [part.lengths for part in portions if part.lengths is not None]
    return FinishedShard(
        Shard(name, len(indices)) if len(indices) else None,
        first,
        indices,
        np.concatenate([part.digests for part in portions]),
        np.concatenate([part.checksums for part in portions]),
        [failure for part in portions for failure in part.failures],
        np.concatenate(lengths) if lengths else None,
        np.concatenate([part.coefficients for part in portions]),
        np.concatenate([part.times for part in portions]),
    )
