"""How a source differs from what was packed of it."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from alexnet.data.decoding import decoded
from alexnet.data.pack import Pack
from alexnet.data.pack_index import DIGEST_BYTES, content_digest
from alexnet.data.packing_plan import Packable
from alexnet.errors import SourceError
from alexnet.images import read_picture
from alexnet.progress import track

__all__ = ["changed_files", "differences"]

_LISTED = 3


def changed_files(source: Packable, pack: Pack) -> list[str]:
    """Return the paths whose contents are no longer those that were packed."""
    left_out = {path for path, _ in pack.skipped}
    missing = np.array([path in left_out for path in source.paths], dtype=np.bool_)
    kept = np.flatnonzero(~missing)
    if len(kept) != len(pack):
        return list(source.paths)
    digests = np.zeros((len(missing), DIGEST_BYTES), dtype=np.uint8)
    with track("looking for changes", len(kept)) as advance:
        for indices, rows, failures in decoded(source, kept, _digest, batch=256, workers=None):
            digests[indices] = rows.reshape(len(indices), DIGEST_BYTES)
            advance(len(indices) + len(failures))
    wrong: list[int] = kept[(digests[kept] != pack.digests).any(axis=1)].tolist()
    wrong += [i for i in np.flatnonzero(missing).tolist() if _readable(source, i, pack)]
    return [source.paths[i] for i in wrong]


def _digest(data: bytes, name: str) -> NDArray[np.uint8]:
    del name
    return np.frombuffer(content_digest(data), dtype=np.uint8)


def _readable(source: Packable, index: int, pack: Pack) -> bool:
    """Whether a picture that was left out can be read now."""
    with contextlib.suppress(SourceError):
        name = source.paths[index]
        read_picture(source.read(index), name=name, image_px=pack.image_px, how=pack.fit)
        return True
    return False


def differences(source: Packable, old: Pack) -> str:
    """Say how a source differs from what was packed: files that came, went, or changed size."""
    before = dict(zip(old.paths, old.sizes.tolist(), strict=True))
    before.update({path: -1 for path, _ in old.skipped})
    now = dict(zip(source.paths, source.sizes.tolist(), strict=True))
    came = [path for path in now if path not in before]
    went = [path for path in before if path not in now]
    sizes = [path for path in now if before.get(path, -1) not in (-1, now[path])]
    parts = [
        f"{len(paths):,} {what} ({', '.join(paths[:_LISTED])}{', ...' * (len(paths) > _LISTED)})"
        for paths, what in ((came, "new"), (went, "gone"), (sizes, "of another size"))
        if paths
    ]
    return ", ".join(parts) or "its classes or splits are others"
