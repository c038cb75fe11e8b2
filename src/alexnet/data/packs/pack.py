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

import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.index import PackIndex, read_index
from alexnet.data.packs.jpeg_shards import JpegShards
from alexnet.data.packs.shards import MappedShards, PixelStore, Shard, ShardSet, SubsetPixels
from alexnet.data.sources.listing import Paths
from alexnet.errors import SourceError
from alexnet.files import as_path, read_json, require_usable_path
from alexnet.images import StoredImages
from alexnet.recipe import LARGEST_PX, ResizeMode

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

Store = Literal["pixels", "jpeg"]

FORMAT = 3
"""Of the files: changes when older packs must not be read any more."""

_PIXEL_FORMAT = 2
"""Of the pixels, as a part of the fingerprint: changes when images are decoded otherwise."""

HEADER = "pack.json"
INDEX = "index.npz"

_CHUNK_BYTES = 1 << 20

MAX_VERIFIED_BYTES = 1 << 30
"""Bytes of pixels up to which a pack is read and verified as a whole when it is opened."""


@dataclass(frozen=True, kw_only=True)
class PackHeader:
    """What `pack.json` says."""

    classes: tuple[str, ...]
    class_words: dict[str, str]
    image_px: int
    resize_mode: ResizeMode
    where: Path  # the source as it was named
    signature: str  # of the source: paths, labels, splits, sizes
    stat_signature: str  # the same with the files' times
    skipped: tuple[tuple[str, str], ...]  # path and reason of what could not be read
    shards: tuple[Shard, ...]
    index_checksum: int
    fingerprint: str
    excluded: tuple[str, ...] = ()  # paths that were left out on purpose
    store: Store = "pixels"
    jpeg_bytes: int = 0  # of all JPEG files, where they are stored

    @property
    def images(self) -> int:
        """Images in all shards."""
        return sum(shard.images for shard in self.shards)

    @property
    def stored_bytes(self) -> int:
        """Bytes of all stored images."""
        if self.store == "jpeg":
            return self.jpeg_bytes
        return self.images * 3 * self.image_px**2

    def identity(self) -> str:
        """Return what enters the fingerprint besides the index."""
        return repr((_PIXEL_FORMAT, self.classes, self.image_px, self.resize_mode, self.store))

    def to_json(self) -> dict[str, Any]:
        """Return what `pack.json` holds."""
        return {
            "format": FORMAT,
            "classes": list(self.classes),
            "class_words": self.class_words,
            "image_px": self.image_px,
            "resize_mode": self.resize_mode,
            "images": self.images,
            "store": self.store,
            "bytes": self.stored_bytes,
            "fingerprint": self.fingerprint,
            "source": {
                "where": str(self.where),
                "signature": self.signature,
                "stat_signature": self.stat_signature,
            },
            "index": {"name": INDEX, "checksum": self.index_checksum},
            "shards": [shard.to_json() for shard in self.shards],
            "skipped": [list(entry) for entry in self.skipped],
            "excluded": list(self.excluded),
        }

    @classmethod
    def from_json(cls, values: Any) -> PackHeader:
        """Read what `to_json` gave; raise ValueError, KeyError or TypeError for anything else."""
        source = values["source"]
        resize_mode = str(values["resize_mode"])
        image_px = int(values["image_px"])
        if resize_mode not in get_args(ResizeMode) or not 1 <= image_px <= LARGEST_PX:
            raise ValueError(f"image_px {image_px} or resize_mode {resize_mode!r} is out of range")
        store = str(values["store"])
        if store not in get_args(Store):
            raise ValueError(f"store {store!r} is unknown")
        shards = tuple(
            Shard(_require_file_name(shard["name"]), int(shard["images"]))
            for shard in values["shards"]
        )
        if any(shard.images < 1 for shard in shards):
            raise ValueError("a shard without images")
        return cls(
            classes=tuple(str(name) for name in values["classes"]),
            class_words={str(k): str(v) for k, v in values["class_words"].items()},
            image_px=image_px,
            resize_mode=cast("ResizeMode", resize_mode),
            where=Path(source["where"]),
            signature=str(source["signature"]),
            stat_signature=str(source["stat_signature"]),
            skipped=tuple((str(path), str(reason)) for path, reason in values["skipped"]),
            shards=shards,
            index_checksum=int(values["index"]["checksum"]),
            fingerprint=str(values["fingerprint"]),
            excluded=tuple(str(path) for path in values.get("excluded", [])),
            store=cast("Store", store),
            jpeg_bytes=int(values["bytes"]) if store == "jpeg" else 0,
        )


@dataclass(frozen=True, eq=False)
class Pack:
    """Labeled images of one size, ready to be cropped; made by `open_pack` or `load_pack`."""

    header: PackHeader
    index: PackIndex
    pixels: PixelStore = field(repr=False)
    folder: Path | None  # None: in memory

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


def read_header(folder: Path) -> PackHeader:
    """Read what `pack.json` says.

    Raises:
        SourceError: it is missing, damaged, or of another version of this format.
    """
    path = folder / HEADER
    values = read_json(path, SourceError)
    try:
        if values["format"] != FORMAT:
            raise SourceError(
                f"{folder} is a pack of format {values['format']}, and this version reads format "
                f"{FORMAT}. Pack the source again."
            )
        return PackHeader.from_json(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
        raise _damaged(folder, f"{HEADER} lacks or mistakes something ({cause!r})") from cause


def open_pack(folder: Path | str, *, verify: bool | None = None) -> Pack:
    """Open a pack that `write_pack` made.

    The lengths of all shards are always held against the header. The pixels are held against their
    checksums here, or each image when it is first read.

    Args:
        folder: of the pack.
        verify: read and verify all pixels now; None: where they are at most 1 GiB.

    Raises:
        SourceError: not a pack, of another version, or damaged; a damaged shard is named.
    """
    folder = as_path(folder, SourceError, "A pack")
    require_usable_path(folder / HEADER, SourceError)
    if not (folder / HEADER).is_file():
        raise SourceError(
            f"{folder} is not a pack: it has no {HEADER}. Make one with: alexnet pack SOURCE "
            f"{folder} (the same command goes on with one that was interrupted)."
        )
    header = read_header(folder)
    index = _open_index(folder, header)
    shards = _open_shards(folder, header, index)
    if verify or (verify is None and header.stored_bytes <= MAX_VERIFIED_BYTES):
        shards.verify()
    return Pack(header, index, shards, folder)


def _open_shards(folder: Path, header: PackHeader, index: PackIndex) -> MappedShards | JpegShards:
    shards = ShardSet(folder, header.shards, image_px=header.image_px, checksums=index.checksums)
    if header.store == "pixels":
        return MappedShards(shards)
    if index.lengths is None:
        raise _damaged(folder, f"{INDEX} does not say how long its JPEG files are")
    return JpegShards(shards, index.lengths)


def _open_index(folder: Path, header: PackHeader) -> PackIndex:
    try:
        with (folder / INDEX).open("rb") as file:
            checksum = 0
            while chunk := file.read(_CHUNK_BYTES):
                checksum = zlib.crc32(chunk, checksum)
            if checksum != header.index_checksum:
                raise _damaged(folder, f"{INDEX} is not the file that was written with it")
            file.seek(0)
            index = read_index(file, len(header.classes))
    except OSError as cause:
        raise _damaged(folder, f"{INDEX} cannot be read ({cause.strerror})") from cause
    except ValueError as cause:
        raise _damaged(folder, f"{INDEX}: {cause}") from cause
    if len(index) != header.images:
        raise _damaged(
            folder, f"{INDEX} tells of {len(index)} images, its shards of {header.images}"
        )
    return index


def _damaged(folder: Path, what: str) -> SourceError:
    return SourceError(
        f"The pack {folder} is damaged: {what}. Remove the folder and pack the source again."
    )


def _require_file_name(name: Any) -> str:
    """Raise ValueError for a shard that would lie outside the pack."""
    if not isinstance(name, str) or Path(name).name != name or name in ("", "..") or "\0" in name:
        raise ValueError(f"{name!r} is no file name")
    return name
