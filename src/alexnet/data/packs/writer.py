"""Packing: every picture of a source decoded once, in parallel, into shards.

A packing that was stopped or killed at any instant goes on behind the last whole shard: each shard
is written beside, flushed and renamed, then a journal notes it.

Legend: n pictures of a portion, S side of a stored picture.
"""

from __future__ import annotations

import logging
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from alexnet.data.packs.changes import changes, with_times_of
from alexnet.data.packs.index import write_index
from alexnet.data.packs.journal import JOURNAL, FinishedShard, append_line, read_lines
from alexnet.data.packs.jpeg_shards import END, two_members
from alexnet.data.packs.pack import FORMAT, HEADER, INDEX, Pack, open_pack, read_header
from alexnet.data.packs.plan import (
    Packable,
    PackingPlan,
    Portion,
    StoreChoice,
    headed,
    portions,
    settled,
)
from alexnet.data.packs.shards import MemoryPixels, Shard
from alexnet.data.packs.unreadable import Unreadable, UnreadablePolicy
from alexnet.errors import RunError, SourceError
from alexnet.files import clear_unfinished, disk_errors, is_unfinished, replace_file, write_json
from alexnet.locks import locked
from alexnet.progress import Advance, track
from alexnet.recipe import Fit
from alexnet.text import bytes_in_words, counted

__all__ = ["fill_folder", "pack_in_memory", "take_skipped", "write_pack"]

_log = logging.getLogger(__name__)

SHARD_BYTES = 64 << 20
MOST_SHARDS = 200
"""Shards grow rather than become more: a process may not hold many files open."""

LOCK = ".packing.lock"


def write_pack(
    source: Packable | Pack,
    folder: Path,
    *,
    image_px: int = 256,
    fit: Fit = "crop",
    unreadable: Unreadable = "skip",
    quarantine: Path | None = None,
    workers: int | None = None,
    store: StoreChoice = "auto",
) -> Pack:
    """Pack a source into a folder; go on where an earlier call was interrupted.

    Args:
        source: labelled pictures; a pack is refused, for it has no picture files.
        folder: made where missing; empty, or with the beginning of the same pack, or the pack.
        image_px: side of a stored picture.
        fit: how a picture becomes square.
        unreadable: "skip" leaves unreadable pictures out and names them in `Pack.skipped`, up to
            5 % of them; "fail" stops at the first; "quarantine" skips any number and copies them.
        quarantine: where the copies go; naming it chooses to quarantine.
        workers: decoding threads; None: one for each core.
        store: "pixels" as they are, "jpeg" a tenth of the size in tar shards that WebDataset reads,
            "auto" pixels unless they would take more than a third of the free disk, or 32 GiB.

    Raises:
        SourceError: too many unreadable pictures, none at all, no room on the disk, a folder that
            holds something else or is being packed into by another process.
        RecipeError: a setting is out of range.
    """
    plan = PackingPlan(image_px, fit, UnreadablePolicy(unreadable, quarantine), workers)
    if isinstance(source, Pack):
        raise SourceError(
            f"{source.folder or source.where} is a pack already, of {source.image_px} pixels "
            f"({source.fit}). Train on it as it is, or pack the source that it was made of, "
            f"{source.where}."
        )
    folder = Path(folder)
    _refuse_strange(folder)
    with locked(folder, name=LOCK, error=SourceError):
        if (folder / HEADER).is_file():
            return _already_packed(source, folder, plan, store)
        return fill_folder(source, folder, settled(source, folder, plan, store))


def fill_folder(source: Packable, folder: Path, plan: PackingPlan) -> Pack:
    """Do what `write_pack` does, in a folder that the caller has locked."""
    return _Packing(source, folder, plan).run()


def pack_in_memory(source: Packable, plan: PackingPlan) -> Pack:
    """Decode a source into memory: the same pack without a folder.

    Raises:
        SourceError: too many unreadable pictures, or none that can be read.
    """
    total = len(source.paths)
    pixels = np.empty((total, plan.image_px, plan.image_px, 3), dtype=np.uint8)
    finished: list[FinishedShard] = []
    filled = 0
    with track("decoding pictures", total) as advance:
        for portion in portions(source, np.arange(total), plan):
            pixels[filled : filled + len(portion.indices)] = portion.pictures
            filled += len(portion.indices)
            finished.append(_finished([portion], "memory", 0))
            advance(portion.count)
    header, index = headed(source, plan, finished)
    return Pack(header, index, MemoryPixels(pixels[:filled]), None)


def take_skipped(source: Packable, pack: Pack, policy: UnreadablePolicy) -> None:
    """Treat the pictures that an earlier packing left out as if they were met now.

    Raises:
        SourceError: there are some, and the choice is to fail; or too many, and it is to skip.
    """
    if not pack.skipped:
        return
    reasons = dict(pack.skipped)
    failures = [(i, reasons[path]) for i, path in enumerate(source.paths) if path in reasons]
    policy.take(source, failures)
    policy.check_share(source, failures)


class _Packing:
    """One packing of a source into a folder that nobody else uses."""

    def __init__(self, source: Packable, folder: Path, plan: PackingPlan) -> None:
        self.source, self.folder, self.plan = source, folder, plan
        self.total = len(source.paths)
        self.stretch = max(1, SHARD_BYTES // plan.picture_bytes, -(-self.total // MOST_SHARDS))
        self.shards = -(-self.total // self.stretch)
        self.finished: list[FinishedShard] = []

    def run(self) -> Pack:
        """Write the missing shards, then the index, then the header."""
        with disk_errors(self.folder, SourceError):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._begin()
        try:
            with track("packing pictures", self.total) as advance:
                advance(sum(len(each.indices) + len(each.skipped) for each in self.finished))
                for number in range(len(self.finished), self.shards):
                    self._write_shard(number, advance)
                    self._check_share()
            return self._end()
        except (SourceError, RunError) as error:
            kept = sum(each.shard is not None for each in self.finished)
            if not kept:
                raise
            raise type(error)(
                f"{error} {kept} of {counted(self.shards, 'shard')} {'is' if kept == 1 else 'are'} "
                f"finished and kept in {self.folder}: call again to go on behind them."
            ) from error

    def _begin(self) -> None:
        """Read the journal of an earlier call, or begin one; clear away what it left half."""
        clear_unfinished(self.folder)
        journal = self.folder / JOURNAL
        opening = {
            "format": FORMAT,
            "source": str(self.source.where),
            "stat_signature": self.source.stat_signature,
            "image_px": self.plan.image_px,
            "fit": self.plan.fit,
            "store": self.plan.store,
            "stretch": self.stretch,
        }
        with disk_errors(journal, SourceError):
            lines = read_lines(journal, mend=True)
            if not lines:
                append_line(journal, opening)
                lines = [opening]
        if {**lines[0], "source": ""} != {**opening, "source": ""}:
            raise SourceError(
                f"{self.folder} holds the beginning of another pack: of {lines[0]['source']}, "
                f"{lines[0]['image_px']} pixels, {lines[0]['fit']}, stored as "
                f"{lines[0].get('store')}. Remove it, or choose another folder."
            )
        self.finished = [FinishedShard.from_json(line) for line in lines[1:]]
        for each in self.finished:
            self.plan.unreadable.take(self.source, each.skipped)
        if self.finished:
            _log.info(
                "Going on with the pack in %s: %d of %d shards are finished.",
                self.folder,
                len(self.finished),
                self.shards,
            )
        self._need_room()

    def _need_room(self) -> None:
        rest = self.total - len(self.finished) * self.stretch
        needed = max(rest, 0) * self.plan.stored_bytes
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise SourceError(
                f"Packing {rest:,} pictures of {self.plan.image_px} pixels takes "
                f"{bytes_in_words(needed)}, and {bytes_in_words(free)} are free in {self.folder}. "
                "Free some space, choose another folder (the cache lies where ALEXNET_CACHE "
                "says), or use smaller pictures."
            )

    def _write_shard(self, number: int, advance: Advance) -> None:
        jpeg = self.plan.store == "jpeg"
        name = f"shard-{number:05}.{'tar' if jpeg else 'u8'}"
        first = number * self.stretch
        stretch = np.arange(first, min(first + self.stretch, self.total))
        parts: list[Portion] = []

        def write(file: BinaryIO) -> None:
            for portion in portions(self.source, stretch, self.plan):
                for picture in portion.pictures:
                    file.write(picture.data)
                self._write_files(file, portion)
                parts.append(portion.without_pictures())
                advance(portion.count)
            file.write(END if jpeg else b"")

        with disk_errors(self.folder / name, SourceError):
            replace_file(self.folder / name, write)
            done = _finished(parts, name, first)
            if done.shard is None:
                (self.folder / name).unlink()
            append_line(self.folder / JOURNAL, done.to_json())
        self.finished.append(done)

    def _write_files(self, file: BinaryIO, portion: Portion) -> None:
        if portion.files is None:
            return
        for index, data in zip(portion.indices.tolist(), portion.files, strict=True):
            split, label = int(self.source.splits[index]), int(self.source.labels[index])
            file.write(two_members(index, split, label, data))

    def _check_share(self) -> None:
        skipped = [each for shard in self.finished for each in shard.skipped]
        self.plan.unreadable.check_share(self.source, skipped)

    def _end(self) -> Pack:
        header, index = headed(self.source, self.plan, self.finished)
        data = write_index(index)
        header = replace(header, index_checksum=zlib.crc32(data))
        replace_file(self.folder / INDEX, lambda file: file.write(data))
        write_json(self.folder / HEADER, header.to_json())
        (self.folder / JOURNAL).unlink(missing_ok=True)
        return open_pack(self.folder, verify=False)


def _finished(parts: Iterable[Portion], name: str, first: int) -> FinishedShard:
    """Join the portions of one shard."""
    listed = list(parts)
    indices = np.concatenate([part.indices for part in listed])
    lengths = [part.lengths for part in listed if part.lengths is not None]
    return FinishedShard(
        Shard(name, len(indices)) if len(indices) else None,
        first,
        indices,
        np.concatenate([part.digests for part in listed]),
        np.concatenate([part.checksums for part in listed]),
        [failure for part in listed for failure in part.failures],
        np.concatenate(lengths) if lengths else None,
    )


def _refuse_strange(folder: Path) -> None:
    """Refuse to mix a pack with other files."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SourceError(f"{folder} is a file; a pack is a folder. Choose another name.")
    ours = {HEADER, JOURNAL, LOCK}
    names = {path.name for path in folder.iterdir() if not is_unfinished(path)}
    if names and not names & ours:
        raise SourceError(
            f"{folder} holds other files ({', '.join(sorted(names)[:3])}) and is not a pack. "
            "Choose a new or an empty folder."
        )


def _already_packed(source: Packable, folder: Path, plan: PackingPlan, store: StoreChoice) -> Pack:
    """Open the pack that lies here, where it is the one that is asked for.

    Where the times of files are others and their contents are not, the new times are noted.
    """
    header = read_header(folder)
    holds = (
        f"{folder} holds another pack already: of {header.where}, {header.image_px} pixels, "
        f"{header.fit}, stored as {header.store}"
    )
    same = (header.image_px, header.fit) == (plan.image_px, plan.fit)
    if not same or store not in ("auto", header.store):
        raise SourceError(f"{holds}. Remove it, or choose another folder.")
    clear_unfinished(folder)
    (folder / JOURNAL).unlink(missing_ok=True)  # where a call died between its last two steps
    pack = open_pack(folder)
    if header.stat_signature != source.stat_signature:
        what = changes(source, pack)
        if what:
            raise SourceError(
                f"{holds}; since then {source.where} has changed: {what}. Remove it to "
                "pack again, or choose another folder."
            )
        pack = with_times_of(source, pack)
    _log.info("%s is packed in %s already.", source.where, folder)
    take_skipped(source, pack, plan.unreadable)
    return pack
