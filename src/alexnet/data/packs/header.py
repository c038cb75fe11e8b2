"""What the file `pack.json` of a pack says: read, written, and held against its format."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

from alexnet.data.packs.index import PackIndex, read_index
from alexnet.data.packs.shards import Shard
from alexnet.errors import SourceError
from alexnet.files import read_json
from alexnet.recipe import LARGEST_PX, ResizeMode

__all__ = [
    "FORMAT",
    "HEADER",
    "INDEX",
    "PackHeader",
    "Store",
    "damaged_pack",
    "file_checksum",
    "open_index",
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


def read_header(folder: Path) -> PackHeader:
    """Read what `pack.json` says.

    Raises:
        SourceError: it is missing, damaged, or of another version of this format.
    """
    return header_from_json(folder, read_json(folder / HEADER, SourceError))


def header_from_json(folder: Path | str, values: Any) -> PackHeader:
    """Return what the values of a `pack.json` say.

    Args:
        folder: where it lies, for the errors.
        values: of the file.

    Raises:
        SourceError: it is damaged, or of another version of this format.
    """
    try:
        if values["format"] != FORMAT:
            raise SourceError(
                f"{folder} is a pack of format {values['format']}, and this version reads format "
                f"{FORMAT}. Pack the source again."
            )
        return PackHeader.from_json(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
        raise damaged_pack(folder, f"{HEADER} lacks or mistakes something ({cause!r})") from cause


def open_index(folder: Path, header: PackHeader) -> PackIndex:
    """Read the index of a pack.

    Raises:
        SourceError: it is missing, damaged, or of another pack.
    """
    try:
        with (folder / INDEX).open("rb") as file:
            if file_checksum(file) != header.index_checksum:
                raise damaged_pack(folder, f"{INDEX} is not the file that was written with it")
            file.seek(0)
            index = read_index(file, len(header.classes))
    except OSError as cause:
        raise damaged_pack(folder, f"{INDEX} cannot be read ({cause.strerror})") from cause
    except ValueError as cause:
        raise damaged_pack(folder, f"{INDEX}: {cause}") from cause
    if len(index) != header.images:
        raise damaged_pack(
            folder, f"{INDEX} tells of {len(index)} images, its shards of {header.images}"
        )
    return index


def file_checksum(file: IO[bytes]) -> int:
    """Return the CRC-32 of what is left of an open file."""
    checksum = 0
    while chunk := file.read(_CHUNK_BYTES):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def damaged_pack(folder: Path | str, what: str) -> SourceError:
    """Return the error for a pack that is not as it was written."""
    return SourceError(
        f"The pack {folder} is damaged: {what}. Remove the folder and pack the source again."
    )


def _require_file_name(name: Any) -> str:
    """Raise ValueError for a shard that would lie outside the pack."""
    if not isinstance(name, str) or Path(name).name != name or name in ("", "..") or "\0" in name:
        raise ValueError(f"{name!r} is no file name")
    return name
