"""The shards of a pack written by the machines of a cluster, into a folder that they share."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import alexnet
from alexnet.cluster import Executor, ShardJob, open_cluster, parts_beside, run_shards
from alexnet.data.packs.journal import FinishedShard
from alexnet.data.packs.plan import PackableSource, PackingPlan
from alexnet.data.packs.shard_writer import ShardWriter
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.errors import SourceError

__all__ = ["PackShards", "written_by_cluster"]


@dataclass(frozen=True)
class PackShards:
    """How a shard is written; its bytes are a line of the pack's journal."""

    shards: ShardWriter

    def run(self, number: int) -> bytes:
        """Write a shard; see `ShardTask`."""
        return json.dumps(self.shards.write(number).to_json()).encode()


@contextmanager
def written_by_cluster(
    source: PackableSource,
    folder: Path,
    plan: PackingPlan,
    cluster: str | Executor,
    *,
    shard_images: int,
    first: int,
) -> Generator[Iterator[FinishedShard]]:
    """Give what came of each shard in order, while later ones are written.

    What is unreadable is only named: the caller treats it, in order.

    Args:
        source: picklable; its files at the same path on every machine.
        folder: of the pack, at the same path on every machine.
        plan: of the packing; its workers are the decoding threads of a shard, one where it says
            nothing.
        cluster: see `open_cluster`.
        shard_images: images of a shard.
        first: the shards before it are finished.

    Raises:
        SourceError: a shard is not where this machine looks for it.
        AlexNetError: what `open_cluster` and `run_shards` raise.
    """
    total, threads = len(source.paths), plan.workers or 1
    kept = replace(plan, unreadable=UnreadablePolicy("skip"), workers=threads)
    key = [
        *("pack", alexnet.__version__, source.stat_signature, plan.image_px, plan.resize_mode),
        *(plan.store, shard_images),
    ]
    job = ShardJob(
        title="packing images",
        task=PackShards(ShardWriter(source, folder, kept, shard_images)),
        shards=-(-total // shard_images),
        images=lambda number: min(shard_images, total - number * shard_images),
        total=total,
        key=key,
        folder=parts_beside(folder, key=key),
        cpus=threads,
        first=first,
        holds=lambda data: _missing(folder, _finished(data)) is None,
    )
    with open_cluster(cluster) as executor, run_shards(job, executor) as parts:
        yield (_require_there(folder, _finished(data)) for data in parts)


def _finished(data: bytes) -> FinishedShard:
    return FinishedShard.from_json(json.loads(data))


def _missing(folder: Path, done: FinishedShard) -> Path | None:
    """Return the file of a shard, if it should be there and is not."""
    if done.shard is None or (folder / done.shard.name).is_file():
        return None
    return folder / done.shard.name


def _require_there(folder: Path, done: FinishedShard) -> FinishedShard:
    missing = _missing(folder, done)
    if missing is not None:
        raise SourceError(
            f"A machine of the cluster has written {missing}, and this one does not see it. Name "
            "a folder that all machines share under the same path."
        )
    return done
