"""How a source differs from what was packed of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alexnet.data.loading.decoding import decoded
from alexnet.data.packs.index import DIGEST_BYTES, content_digest
from alexnet.data.packs.pack import HEADER, Pack
from alexnet.data.packs.plan import Packable
from alexnet.errors import SourceError
from alexnet.files import write_json
from alexnet.images import read_picture
from alexnet.progress import track
from alexnet.text import counted

__all__ = ["changed_files", "changes", "differences", "with_times_of"]

_LISTED = 3


def changes(source: Packable, pack: Pack) -> str:
    """Say how a source differs from a pack; an empty text where only times of files do.

    Files that came, went or changed size are told by the listing; where those are the same, every
    content is read and compared.
    """
    if source.signature == pack.header.signature:
        return changed_in_words(changed_files(source, pack))
    return differences(source, pack) or "other pictures are left out of it"


def changed_in_words(paths: Sequence[str]) -> str:
    """Say which pictures have another content than was packed; an empty text where none has."""
    return f"{counted(len(paths), 'picture')} of another content ({_few(paths)})" if paths else ""


def with_times_of(source: Packable, pack: Pack) -> Pack:
    """Note in a pack that lies in a folder that it is of files of these times, and where."""
    header = replace(pack.header, stat_signature=source.stat_signature, where=source.where)
    if pack.folder is not None:
        write_json(pack.folder / HEADER, header.to_json())
    return replace(pack, header=header)


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
    """Say how a source differs from what was packed: files that came, went, or changed size.

    Pictures that were left out on purpose, now or then, neither came nor went. An empty text says
    that nothing differs but what was left out.
    """
    before = dict(zip(old.paths, old.sizes.tolist(), strict=True))
    before.update({path: -1 for path, _ in old.skipped})
    now = dict(zip(source.paths, source.sizes.tolist(), strict=True))
    known_then, known_now = {*before, *old.excluded}, {*now, *source.excluded}
    came = [path for path in now if path not in known_then]
    went = [path for path in before if path not in known_now]
    sizes = [path for path in now if before.get(path, -1) not in (-1, now[path])]
    parts = [
        f"{len(paths):,} {what} ({_few(paths)})"
        for paths, what in ((came, "new"), (went, "gone"), (sizes, "of another size"))
        if paths
    ]
    if not parts and {*source.excluded} == {*old.excluded}:
        return "its classes or splits are others"
    return ", ".join(parts)


def _few(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_LISTED]) + ", ..." * (len(paths) > _LISTED)
