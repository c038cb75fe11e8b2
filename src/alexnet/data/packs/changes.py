"""How a source differs from what was packed of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.index import DIGEST_BYTES, content_digests
from alexnet.data.packs.pack import HEADER, Pack
from alexnet.data.packs.plan import PackableSource
from alexnet.data.sources.parallel_decoding import decode_files
from alexnet.errors import SourceError
from alexnet.files import write_json
from alexnet.images import read_image
from alexnet.progress import track
from alexnet.text import format_count

__all__ = ["describe_changes", "describe_listing_changes", "find_changed_files", "update_times"]

_MAX_NAMED = 3


def describe_changes(source: PackableSource, pack: Pack) -> str:
    """Say how a source differs from a pack; an empty text where only times of files do.

    Files that were added, removed or changed in size are told by the listing; where those are the
    same, every content is read and compared.
    """
    if source.signature == pack.header.signature:
        return describe_changed_files(find_changed_files(source, pack))
    return describe_listing_changes(source, pack) or "other images are left out of it"


def describe_changed_files(paths: Sequence[str]) -> str:
    """Say which images have another content than was packed; an empty text where none has."""
    return (
        f"{format_count(len(paths), 'image')} of another content ({_few(paths)})" if paths else ""
    )


def update_times(source: PackableSource, pack: Pack) -> Pack:
    """Write the files' times, and where they are, into the header of a pack."""
    header = replace(pack.header, stat_signature=source.stat_signature, where=source.where)
    if isinstance(pack.folder, Path):  # what lies elsewhere is not written to
        write_json(pack.folder / HEADER, header.to_json())
    return replace(pack, header=header)


def find_changed_files(source: PackableSource, pack: Pack) -> list[str]:
    """Return the paths whose contents are no longer those that were packed."""
    skipped = {path for path, _ in pack.skipped}
    missing = np.array([path in skipped for path in source.paths], dtype=np.bool_)
    kept = np.flatnonzero(~missing)
    if len(kept) != len(pack):
        return list(source.paths)
    digests = np.zeros((len(missing), DIGEST_BYTES), dtype=np.uint8)
    with track("comparing files", len(kept)) as advance:
        for indices, rows, failures in decode_files(
            source, kept, _nothing, batch_size=256, summarize=content_digests
        ):
            digests[indices] = rows.reshape(len(indices), DIGEST_BYTES)
            advance(len(indices) + len(failures))
    changed: list[int] = kept[(digests[kept] != pack.digests).any(axis=1)].tolist()
    changed += [i for i in np.flatnonzero(missing).tolist() if _is_readable(source, i, pack)]
    return [source.paths[i] for i in changed]


def _nothing(data: bytes, name: str) -> NDArray[np.uint8]:
    """Add nothing to the digest of a file."""
    del data, name
    return np.zeros(0, dtype=np.uint8)


def _is_readable(source: PackableSource, index: int, pack: Pack) -> bool:
    """Whether an image that was left out can be read now."""
    with contextlib.suppress(SourceError):
        side, resize_mode = pack.image_px, pack.resize_mode
        name, data = source.paths[index], source.read(index)
        read_image(data, name=name, image_px=side, resize_mode=resize_mode)
        return True
    return False


def describe_listing_changes(source: PackableSource, old: Pack) -> str:
    """Say which files were added, removed, or changed in size since a source was packed.

    Images that are excluded, now or then, count as neither. An empty text says that nothing differs
    but what is excluded.
    """
    before = dict(zip(old.paths, old.sizes.tolist(), strict=True))
    before.update({path: -1 for path, _ in old.skipped})
    now = dict(zip(source.paths, source.sizes.tolist(), strict=True))
    known_then, known_now = {*before, *old.excluded}, {*now, *source.excluded}
    added = [path for path in now if path not in known_then]
    removed = [path for path in before if path not in known_now]
    resized = [path for path in now if before.get(path, -1) not in (-1, now[path])]
    parts = [
        f"{len(paths):,} {what} ({_few(paths)})"
        for paths, what in ((added, "new"), (removed, "gone"), (resized, "of another size"))
        if paths
    ]
    if not parts and {*source.excluded} == {*old.excluded}:
        return "its classes or splits are others"
    return ", ".join(parts)


def _few(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_MAX_NAMED]) + ", ..." * (len(paths) > _MAX_NAMED)
