"""The scan of a source in shards, computed by a cluster.

Legend: N files of the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import alexnet
from alexnet.cluster import (
    Executor,
    ShardJob,
    open_cluster,
    pack_fields,
    parts_beside,
    run_shards,
    unpack_fields,
)
from alexnet.data.checks.scan import Scan, join_scans, scan_some
from alexnet.data.sources.source import Source

__all__ = ["ScanShards", "scan_by_cluster"]

_SHARD_IMAGES = 1024


@dataclass(frozen=True)
class ScanShards:
    """How a shard of images is scanned."""

    source: Source
    workers: int  # decoding threads

    def run(self, number: int) -> bytes:
        """Scan a shard; see `ShardTask`."""
        first = number * _SHARD_IMAGES
        indices = np.arange(first, min(first + _SHARD_IMAGES, len(self.source)))
        parts = scan_some(self.source, indices, workers=self.workers)
        scan = join_scans(parts, len(indices))
        arrays = {
            "indices": scan.indices,
            "facts": scan.facts,
            "coefficients": scan.coefficients,
        }
        return pack_fields(arrays, scan.unreadable)


def scan_by_cluster(
    source: Source, cluster: str | Executor, *, output: Path | None, workers: int | None = None
) -> Scan:
    """Read and decode every image of a source; the same as `scan_images`.

    Args:
        source: picklable; its files at the same path on every machine.
        cluster: see `open_cluster`.
        output: the folder of the report, beside which shards that are done wait; None: none is
            written, and they wait in the cache.
        workers: decoding threads of a shard; None: one.

    Raises:
        AlexNetError: what `open_cluster` and `run_shards` raise.
    """
    count, threads = len(source), workers or 1
    key = ["scan", alexnet.__version__, source.stat_signature]
    job = ShardJob(
        title="scanning images",
        task=ScanShards(source, threads),
        shards=-(-count // _SHARD_IMAGES),
        images=lambda number: min(_SHARD_IMAGES, count - number * _SHARD_IMAGES),
        total=count,
        key=key,
        folder=parts_beside(output, key=key),
        cpus=threads,
    )
    with open_cluster(cluster) as executor, run_shards(job, executor) as parts:
        return join_scans(map(_scan_of, parts), count)


def _scan_of(data: bytes) -> Scan:
    arrays, unreadable = unpack_fields(data)
    pairs = [(int(index), str(reason)) for index, reason in unreadable]
    return Scan(arrays["indices"], arrays["facts"], arrays["coefficients"], pairs)
