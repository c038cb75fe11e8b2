"""Opening a pack that lies elsewhere: what it is, its index, and how its images are fetched."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from alexnet.data.packs.header import (
    HEADER,
    INDEX,
    PackHeader,
    file_checksum,
    header_from_json,
    open_index,
)
from alexnet.data.packs.index import PackIndex
from alexnet.data.packs.jpeg_shards import jpeg_places
from alexnet.data.packs.shards import ShardSet
from alexnet.data.remote.remote_images import RemoteImages
from alexnet.data.remote.shard_cache import ShardCache, cache_limit
from alexnet.data.remote.shard_files import CHUNK_BYTES, ImagePlaces, ShardFiles
from alexnet.data.remote.store import AbsentError, ByteRange, RemoteFolder
from alexnet.errors import SourceError
from alexnet.text import format_bytes, format_count

__all__ = ["RemotePack", "open_remote"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemotePack:
    """A pack in a store, opened."""

    header: PackHeader
    index: PackIndex
    pixels: RemoteImages
    shown: str  # its address without secrets


def open_remote(url: str, *, cache_gb: float | None = None) -> RemotePack:
    """Read what a pack is and its index; no image is fetched yet.

    Args:
        url: of the pack's folder.
        cache_gb: GB that the cache keeps, of all packs; None: half of the free disk.

    Raises:
        SourceError: there is no pack, it is damaged, nobody is let in, or nothing answers.
        RecipeError: `cache_gb` is under 0.
    """
    limit = cache_limit(cache_gb)
    folder = RemoteFolder(url)
    header = _read_header(folder)
    cache = ShardCache(f"{header.fingerprint[:16]}-{header.index_checksum:08x}", limit)
    index = _open_index(folder, header, cache)
    shards = ShardSet(
        folder.shown, header.shards, image_px=header.image_px, checksums=index.checksums
    )

    def require_same() -> None:
        _require_same(folder, header)

    files = ShardFiles(folder, shards, _places(header, index, shards), cache, require_same)
    images = RemoteImages(files, jpeg=header.store == "jpeg")
    _log.info(
        "%s: %s, %s. Shards are kept in %s (at most %s, of all packs).",
        folder.shown,
        format_count(len(index), "image"),
        format_bytes(sum(files.places.shard_bytes)),
        cache.folder,
        format_bytes(limit),
    )
    return RemotePack(header, index, images, folder.shown)


def _read_header(folder: RemoteFolder) -> PackHeader:
    try:
        text = folder.read(HEADER)
    except AbsentError as cause:
        raise SourceError(
            f"There is no pack at {folder.shown}: {cause} A pack is made by alexnet pack SOURCE "
            f"FOLDER and copied there, {HEADER} last; of anything else, download it first."
        ) from cause
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise SourceError(
            f"{folder.shown}/{HEADER} is not a whole JSON file ({cause}). Copy the pack there "
            "again."
        ) from cause
    return header_from_json(folder.shown, values)


def _open_index(folder: RemoteFolder, header: PackHeader, cache: ShardCache) -> PackIndex:
    """Read the index, out of the cache where it is there."""

    def write(file: BinaryIO) -> None:
        for again in (False, True):
            file.seek(0)
            file.truncate()
            _copy(folder, INDEX, file)
            file.seek(0)
            if file_checksum(file) == header.index_checksum:
                return
            if not again:
                _log.warning(
                    "%s/%s is not the file that was written with it. It is fetched once more.",
                    folder.shown,
                    INDEX,
                )
        _require_same(folder, header)
        raise SourceError(
            f"The pack {folder.shown} is damaged: {INDEX} is not the file that was written with "
            "it. Copy the pack there again."
        )

    for again in (False, True):
        path = cache.add(INDEX, None, write, wait=True, keep=True)
        if path is None:
            break
        try:
            return open_index(path.parent, header)
        except SourceError:
            if again:
                raise
            cache.discard(INDEX)
    raise SourceError(
        f"The index of {folder.shown} cannot be kept in {cache.folder}. Free some space, or let "
        "ALEXNET_CACHE name a folder on another disk."
    )


def _copy(folder: RemoteFolder, name: str, file: BinaryIO) -> None:
    """Write a file of the pack to an open one, in parts where its size is known."""
    size = folder.size(name)
    if size is None or size <= CHUNK_BYTES:
        file.write(folder.read(name))
        return
    for start in range(0, size, CHUNK_BYTES):
        chunk = ByteRange(name, start, min(start + CHUNK_BYTES, size))
        file.write(folder.read_ranges([chunk])[0])


def _require_same(folder: RemoteFolder, header: PackHeader) -> None:
    """Raise SourceError where another pack lies in the store than when this one was opened."""
    now = _read_header(folder)
    if (now.fingerprint, now.index_checksum) != (header.fingerprint, header.index_checksum):
        raise SourceError(
            f"The pack {folder.shown} changed while it was read: it was {header.fingerprint[:16]} "
            f"and is {now.fingerprint[:16]} now. Give the same command again for what is there "
            "now; a run that began with the other pack needs that one."
        )


def _places(header: PackHeader, index: PackIndex, shards: ShardSet) -> ImagePlaces:
    if header.store == "jpeg":
        if index.lengths is None:
            raise SourceError(
                f"The pack {shards.folder} is damaged: {INDEX} does not say how long its JPEG "
                "files are. Copy the pack there again."
            )
        offsets, sizes = jpeg_places(shards, index.lengths)
        return ImagePlaces(offsets, index.lengths.astype(np.int64), sizes)
    length = 3 * header.image_px**2
    counts = np.diff(shards.starts)
    positions = np.arange(len(index)) - np.repeat(shards.starts[:-1], counts)
    lengths = np.full(len(index), length, dtype=np.int64)
    return ImagePlaces(positions * length, lengths, (counts * length).tolist())
