"""Packs: the images of a source, decoded and made square once, mapped into memory afterward.

A pack is a folder:

    pack.json          what it is: classes, size, resize mode, source, shards, fingerprint
                       (written last: a folder without it is no pack)
    index.npz          for each image path, label, split, file size, content digest, checksum,
                       the DCT coefficients by which near duplicates are found, and the time at
                       which it was taken
    shard-00000.u8 ... pixels, (n, S, S, 3) uint8, RGB, row after row, nothing else;
                       or shard-00000.tar ..., JPEG files and their classes

Legend: N images of the pack, n images asked for, S side of an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.header import (
    FORMAT,
    HEADER,
    INDEX,
    PackHeader,
    Store,
    damaged_pack,
    open_index,
    read_header,
)
from alexnet.data.packs.index import PackIndex
from alexnet.data.packs.jpeg_shards import JpegShards
from alexnet.data.packs.shards import MappedShards, PixelStore, ShardSet, SubsetPixels
from alexnet.data.remote.opening import open_remote
from alexnet.data.remote.reading_ahead import read_ahead
from alexnet.data.sources.listing import Paths
from alexnet.errors import SourceError
from alexnet.files import as_path, require_usable_path
from alexnet.images import StoredImages
from alexnet.recipe import ResizeMode
from alexnet.urls import as_url

__all__ = [
    "FORMAT",
    "HEADER",
    "INDEX",
    "Pack",
    "PackHeader",
    "Store",
    "is_pack",
    "open_pack",
    "read_header",
]

Item = TypeVar("Item")

MAX_VERIFIED_BYTES = 1 << 30
"""Bytes of pixels up to which a pack is read and verified as a whole when it is opened."""


@dataclass(frozen=True, eq=False)
class Pack:
    """Labeled images of one size, ready to be cropped; made by `open_pack` or `load_pack`."""

    header: PackHeader
    index: PackIndex
    pixels: PixelStore = field(repr=False)
    folder: Path | str | None  # None: in memory; a text: the address of one that lies elsewhere

    def __len__(self) -> int:
        return len(self.index)

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return some images, copied, in the order asked for.

        Args:
            indices: (n,) each in 0 .. N - 1.

        Returns:
            (n, S, S, 3) uint8, RGB.

        Raises:
            SourceError: what is stored is not what was packed; the shard is named.
        """
        return self.stored(indices).to_array()

    def stored(self, indices: NDArray[np.int64]) -> StoredImages:
        """Return some images where they lie, in the order asked for; raises what `read` does.

        Args:
            indices: (n,) each in 0 .. N - 1.
        """
        return self.pixels.stored(indices)

    def read_ahead(
        self, items: Iterable[Item], indices_of: Callable[[Item], NDArray[np.int64]]
    ) -> Iterator[Item]:
        """Yield items in their order; of a pack that lies elsewhere images are fetched meanwhile.

        Args:
            items: parts of a reading that is about to begin, such as plans of batches.
            indices_of: gives the images that an item will read.
        """
        return read_ahead(self.pixels, items, indices_of)

    def without(self, out: NDArray[np.bool_]) -> Pack:
        """Return the pack without some images; the classes and their order stay.

        Args:
            out: (N,) which images are left out.
        """
        kept = np.flatnonzero(~out)
        index = self.index.take(kept)
        gone = tuple(self.paths[i] for i in np.flatnonzero(out).tolist())
        header = replace(
            self.header,
            fingerprint=index.fingerprint(self.header.identity()),
            excluded=(*self.header.excluded, *gone),
        )
        return Pack(header, index, SubsetPixels(self.pixels, kept), self.folder)

    @property
    def where(self) -> Path:
        """The source that was packed."""
        return self.header.where

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.header.classes

    @property
    def class_words(self) -> dict[str, str]:
        """Classes whose folder names are codes, and what they mean."""
        return self.header.class_words

    @property
    def image_px(self) -> int:
        """Side of a stored image."""
        return self.header.image_px

    @property
    def resize_mode(self) -> ResizeMode:
        """How the images were made square."""
        return self.header.resize_mode

    @property
    def fingerprint(self) -> str:
        """32 hex digits that stand for all that training could notice."""
        return self.header.fingerprint

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Path and reason of the images that could not be read."""
        return list(self.header.skipped)

    @property
    def excluded(self) -> tuple[str, ...]:
        """Paths of the images that were left out on purpose."""
        return self.header.excluded

    @property
    def paths(self) -> Paths:
        """Where each image stood in the source, relative, with "/" between the parts."""
        return self.index.paths

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) position of each image's class in `classes`."""
        return self.index.labels

    @property
    def splits(self) -> NDArray[np.uint8]:
        """(N,) position of each image's split in `SPLITS`."""
        return self.index.splits

    @property
    def digests(self) -> NDArray[np.uint8]:
        """(N, 16) BLAKE2b of each image file's content."""
        return self.index.digests

    @property
    def coefficients(self) -> NDArray[np.float16] | None:
        """(N, 64) what `hashing` knows of each stored square; None: an older version packed it."""
        return self.index.coefficients

    @property
    def times(self) -> NDArray[np.int64] | None:
        """(N,) ms since 1970 when each image was taken; 0: unknown. None: an older pack."""
        return self.index.times

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N,) bytes of each image file."""
        return self.index.sizes


def is_pack(folder: Path) -> bool:
    """Whether a folder is a whole pack."""
    return (folder / HEADER).is_file() and (folder / INDEX).is_file()


def open_pack(
    folder: Path | str, *, verify: bool | None = None, cache_gb: float | None = None
) -> Pack:
    """Open a pack that `write_pack` made, in a folder or copied to a store.

    The lengths of all shards are always held against the header. The pixels are held against their
    checksums here, or each image when it is first read.

    Args:
        folder: of the pack, or its address: s3://, gs://, az://, hf://, https://. There each image
            is verified when it is fetched.
        verify: read and verify all pixels now; None: where they are at most 1 GiB.
        cache_gb: GB of shards from elsewhere that the cache keeps, of all packs together; None: as
            much as half of the disk's free space.

    Raises:
        SourceError: not a pack, of another version, or damaged; a damaged shard is named. Or the
            store lets nobody in, or did not answer for minutes.
        RecipeError: `cache_gb` is under 0.
    """
    if (url := as_url(folder)) is not None:
        remote = open_remote(url, cache_gb=cache_gb)
        return Pack(remote.header, remote.index, remote.pixels, remote.shown)
    folder = as_path(folder, SourceError, "A pack")
    require_usable_path(folder / HEADER, SourceError)
    if not (folder / HEADER).is_file():
        raise SourceError(
            f"{folder} is not a pack: it has no {HEADER}. Make one with: alexnet pack SOURCE "
            f"{folder} (the same command goes on with one that was interrupted)."
        )
    header = read_header(folder)
    index = open_index(folder, header)
    shards = _open_shards(folder, header, index)
    if verify or (verify is None and header.stored_bytes <= MAX_VERIFIED_BYTES):
        shards.verify()
    return Pack(header, index, shards, folder)


def _open_shards(folder: Path, header: PackHeader, index: PackIndex) -> MappedShards | JpegShards:
    shards = ShardSet(folder, header.shards, image_px=header.image_px, checksums=index.checksums)
    if header.store == "pixels":
        return MappedShards(shards)
    if index.lengths is None:
        raise damaged_pack(folder, f"{INDEX} does not say how long its JPEG files are")
    return JpegShards(shards, index.lengths)
