"""Packing: every image of a source decoded once, in parallel, into shards.

A packing that was stopped or killed at any instant goes on behind the last whole shard: each shard
is written beside, flushed and renamed, then a journal notes it.

Legend: n images of a portion, S side of a stored image.
"""

from __future__ import annotations

import logging
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet.cluster import Executor
from alexnet.data.packs.changes import describe_changes, update_times
from alexnet.data.packs.cluster_packing import written_by_cluster
from alexnet.data.packs.index import write_index
from alexnet.data.packs.journal import JOURNAL, FinishedShard, append_line, read_lines
from alexnet.data.packs.pack import FORMAT, HEADER, INDEX, Pack, open_pack, read_header
from alexnet.data.packs.plan import PackableSource, PackingPlan, StoreChoice, choose_store
from alexnet.data.packs.portions import build_header_and_index, decode_portions
from alexnet.data.packs.shard_writer import ShardWriter, join_portions
from alexnet.data.packs.shards import MemoryPixels
from alexnet.data.packs.unreadable import UnreadableMode, UnreadablePolicy
from alexnet.errors import RunError, SourceError
from alexnet.files import clear_unfinished, disk_errors, is_unfinished, replace_file, write_json
from alexnet.locks import locked
from alexnet.progress import track
from alexnet.recipe import ResizeMode
from alexnet.text import format_bytes, format_count

__all__ = ["fill_folder", "handle_skipped", "pack_in_memory", "write_pack"]

_log = logging.getLogger(__name__)

SHARD_BYTES = 64 << 20
MAX_SHARDS = 200
"""Larger sources have larger shards, not more: all stay open, and systems limit open files (to 256
on macOS)."""

LOCK = ".packing.lock"


def write_pack(
    source: PackableSource | Pack,
    folder: Path,
    *,
    image_px: int = 256,
    resize_mode: ResizeMode = "crop",
    unreadable: UnreadableMode = "skip",
    quarantine: Path | None = None,
    workers: int | None = None,
    store: StoreChoice = "auto",
    cluster: str | Executor | None = None,
) -> Pack:
    """Pack a source into a folder; go on where an earlier call was interrupted.

    Args:
        source: labeled images; a pack is an error, for it has no image files.
        folder: made where missing; empty, or with the beginning of the same pack, or the pack.
        image_px: side of a stored image.
        resize_mode: how an image becomes square.
        unreadable: "skip" leaves unreadable images out and names them in `Pack.skipped`, up to
            5 % of them; "fail" stops at the first; "quarantine" skips any number and copies them.
        quarantine: where the copies go; naming it chooses to quarantine.
        workers: decoding threads; None: one for each core.
        store: "pixels" as they are, "jpeg" a tenth of the size in tar shards that WebDataset reads,
            "auto" pixels unless they would take more than a third of the free disk, or 32 GiB.
        cluster: see `open_cluster`; its machines read the source and write into the folder. None:
            this process packs.

    Raises:
        SourceError: too many unreadable images, none at all, no room on the disk, a folder that
            holds something else or is being packed into by another process.
        RecipeError: a setting is out of range.
    """
    plan = PackingPlan(image_px, resize_mode, UnreadablePolicy(unreadable, quarantine), workers)
    if isinstance(source, Pack):
        raise SourceError(
            f"{source.folder or source.where} is a pack already, of {source.image_px} pixels "
            f"({source.resize_mode}). Train on it as it is, or pack the source that it was made "
            f"of, {source.where}."
        )
    folder = Path(folder)
    _require_pack_folder(folder)
    with locked(folder, name=LOCK, error=SourceError):
        if (folder / HEADER).is_file():
            return _open_packed(source, folder, plan, store)
        chosen = choose_store(source, folder, plan, store)
        return fill_folder(source, folder, chosen, cluster=cluster)


def fill_folder(
    source: PackableSource,
    folder: Path,
    plan: PackingPlan,
    *,
    cluster: str | Executor | None = None,
) -> Pack:
    """Do what `write_pack` does, in a folder that the caller has locked."""
    return _FolderPacking(source, folder, plan).run(cluster)


def pack_in_memory(source: PackableSource, plan: PackingPlan) -> Pack:
    """Decode a source into memory: the same pack without a folder.

    Raises:
        SourceError: too many unreadable images, or none that can be read.
    """
    total = len(source.paths)
    pixels = np.empty((total, plan.image_px, plan.image_px, 3), dtype=np.uint8)
    finished: list[FinishedShard] = []
    filled = 0
    with track("decoding images", total) as advance:
        for portion in decode_portions(source, np.arange(total), plan):
            pixels[filled : filled + len(portion.indices)] = portion.images
            filled += len(portion.indices)
            finished.append(join_portions([portion], "memory", 0))
            advance(portion.count)
    header, index = build_header_and_index(source, plan, finished)
    return Pack(header, index, MemoryPixels(pixels[:filled]), None)


def handle_skipped(source: PackableSource, pack: Pack, policy: UnreadablePolicy) -> None:
    """Treat the images that an earlier packing could not read as if they were met now.

    Raises:
        SourceError: there are some, and the choice is to fail; or too many, and it is to skip.
    """
    if not pack.skipped:
        return
    reasons = dict(pack.skipped)
    failures = [(i, reasons[path]) for i, path in enumerate(source.paths) if path in reasons]
    policy.handle(source, failures)
    policy.check_share(source, failures)


class _FolderPacking:
    """One packing of a source into a folder that nobody else uses."""

    def __init__(self, source: PackableSource, folder: Path, plan: PackingPlan) -> None:
        self.source, self.folder, self.plan = source, folder, plan
        self.total = len(source.paths)
        self.shard_images = max(1, SHARD_BYTES // plan.image_bytes, -(-self.total // MAX_SHARDS))
        self.shards = -(-self.total // self.shard_images)
        self.finished: list[FinishedShard] = []

    def run(self, cluster: str | Executor | None = None) -> Pack:
        """Write the missing shards, then the index, then the header."""
        with disk_errors(self.folder, SourceError):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._resume_or_begin()
        try:
            if cluster is None:
                self._write_shards()
            else:
                self._write_by_cluster(cluster)
            return self._finish()
        except (SourceError, RunError) as error:
            kept = sum(done.shard is not None for done in self.finished)
            if not kept:
                raise
            shards = format_count(self.shards, "shard")
            raise type(error)(
                f"{error} {kept} of {shards} {'is' if kept == 1 else 'are'} finished and kept in "
                f"{self.folder}: call again to go on behind them."
            ) from error

    def _resume_or_begin(self) -> None:
        """Read the journal of an earlier call, or begin one; remove its unfinished files."""
        clear_unfinished(self.folder)
        journal = self.folder / JOURNAL
        opening = {
            "format": FORMAT,
            "source": str(self.source.where),
            "stat_signature": self.source.stat_signature,
            "image_px": self.plan.image_px,
            "resize_mode": self.plan.resize_mode,
            "store": self.plan.store,
            "shard_images": self.shard_images,
        }
        with disk_errors(journal, SourceError):
            lines = read_lines(journal, mend=True)
            if not lines:
                append_line(journal, opening)
                lines = [opening]
        if {**lines[0], "source": ""} != {**opening, "source": ""}:
            begun = lines[0]
            raise SourceError(
                f"{self.folder} holds the beginning of another pack: of {begun['source']}, "
                f"{begun['image_px']} pixels, {begun.get('resize_mode')}, stored as "
                f"{begun.get('store')}. Remove it, or choose another folder."
            )
        self.finished = [FinishedShard.from_json(line) for line in lines[1:]]
        for done in self.finished:
            self.plan.unreadable.handle(self.source, done.skipped)
        if self.finished:
            _log.info(
                "Going on with the pack in %s: %d of %d shards are finished.",
                self.folder,
                len(self.finished),
                self.shards,
            )
        self._require_room()

    def _require_room(self) -> None:
        rest = self.total - len(self.finished) * self.shard_images
        needed = max(rest, 0) * self.plan.stored_bytes
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise SourceError(
                f"Packing {rest:,} images of {self.plan.image_px} pixels takes "
                f"{format_bytes(needed)}, and {format_bytes(free)} are free in {self.folder}. "
                "Free some space, choose another folder (the cache lies where ALEXNET_CACHE "
                "says), or use smaller images."
            )

    def _write_shards(self) -> None:
        shards = ShardWriter(self.source, self.folder, self.plan, self.shard_images)
        with track("packing images", self.total) as advance:
            advance(sum(len(done.indices) + len(done.skipped) for done in self.finished))
            for number in range(len(self.finished), self.shards):
                self._take(shards.write(number, advance))

    def _write_by_cluster(self, cluster: str | Executor) -> None:
        """Have the shards written by other processes; what they could not read is treated here."""
        with written_by_cluster(
            self.source,
            self.folder,
            self.plan,
            cluster,
            shard_images=self.shard_images,
            first=len(self.finished),
        ) as written:
            for done in written:
                self.plan.unreadable.handle(self.source, done.skipped)
                self._take(done)

    def _take(self, done: FinishedShard) -> None:
        """Note a shard: it first, then its line, which never speaks of what is not on the disk."""
        with disk_errors(self.folder / JOURNAL, SourceError):
            append_line(self.folder / JOURNAL, done.to_json())
        self.finished.append(done)
        self._check_share()

    def _check_share(self) -> None:
        skipped = [failure for done in self.finished for failure in done.skipped]
        self.plan.unreadable.check_share(self.source, skipped)

    def _finish(self) -> Pack:
        header, index = build_header_and_index(self.source, self.plan, self.finished)
        data = write_index(index)
        header = replace(header, index_checksum=zlib.crc32(data))
        replace_file(self.folder / INDEX, lambda file: file.write(data))
        write_json(self.folder / HEADER, header.to_json())
        (self.folder / JOURNAL).unlink(missing_ok=True)
        return open_pack(self.folder, verify=False)


def _require_pack_folder(folder: Path) -> None:
    """Raise SourceError for a folder that holds other files."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SourceError(f"{folder} is a file; a pack is a folder. Choose another name.")
    names = {path.name for path in folder.iterdir() if not is_unfinished(path)}
    if names and not names & {HEADER, JOURNAL, LOCK}:
        raise SourceError(
            f"{folder} holds other files ({', '.join(sorted(names)[:3])}) and is not a pack. "
            "Choose a new or an empty folder."
        )


def _open_packed(
    source: PackableSource, folder: Path, plan: PackingPlan, store: StoreChoice
) -> Pack:
    """Open the pack that lies here, where it is that of the source.

    Where the times of files are others and their contents are not, the new times are noted.
    """
    header = read_header(folder)
    holds = (
        f"{folder} holds another pack already: of {header.where}, {header.image_px} pixels, "
        f"{header.resize_mode}, stored as {header.store}"
    )
    same = (header.image_px, header.resize_mode) == (plan.image_px, plan.resize_mode)
    if not same or store not in ("auto", header.store):
        raise SourceError(f"{holds}. Remove it, or choose another folder.")
    clear_unfinished(folder)
    (folder / JOURNAL).unlink(missing_ok=True)  # where a call died between its last two steps
    pack = open_pack(folder)
    if header.stat_signature != source.stat_signature:
        changes = describe_changes(source, pack)
        if changes:
            raise SourceError(
                f"{holds}; since then {source.where} has changed: {changes}. Remove it to "
                "pack again, or choose another folder."
            )
        pack = update_times(source, pack)
    _log.info("%s is packed in %s already.", source.where, folder)
    handle_skipped(source, pack, plan.unreadable)
    return pack
