"""Memory of the process that merges shards, for any number of rows.

    python benchmarks/cluster_memory.py [ROWS ...]

Rows of ten class probabilities are made in shards by the executor of one process, written beside
the output, merged in order and counted into metrics, as `alexnet evaluate --cluster` does. A fresh
process for each number of rows prints its seconds, rows/s and the most memory that it held.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alexnet.cluster import LocalExecutor, ShardJob, pack_fields, run_shards, unpack_fields
from alexnet.devices import peak_memory_mb
from alexnet.evaluation import MetricAccumulator

CLASSES, SHARD = 10, 16_384


class SyntheticRows:
    """Makes the rows of a shard from its number."""

    def run(self, number: int) -> bytes:
        rng = np.random.default_rng(number)
        rows = rng.random((SHARD, CLASSES), dtype=np.float32)
        labels = rng.integers(0, CLASSES, SHARD)
        return pack_fields({"rows": rows / rows.sum(axis=1, keepdims=True), "labels": labels})


def merge(rows: int) -> None:
    start, shards = time.perf_counter(), -(-rows // SHARD)
    metrics = MetricAccumulator([str(i) for i in range(CLASSES)])
    with tempfile.TemporaryDirectory() as name:
        job = ShardJob(
            title="merging",
            task=SyntheticRows(),
            shards=shards,
            images=lambda number: SHARD,
            total=shards * SHARD,
            key=rows,
            folder=Path(name) / "shards",
        )
        with run_shards(job, LocalExecutor()) as parts:
            for data in parts:
                arrays, _ = unpack_fields(data)
                metrics.update(arrays["rows"], arrays["labels"])
    results = metrics.results(crops=1)
    seconds = time.perf_counter() - start
    print(
        f"{results.images:>12,} rows  {seconds:7.1f} s  {results.images / seconds:>9,.0f} rows/s  "
        f"{peak_memory_mb() or 0:6.0f} MiB  top-1 {results.top1:.5f}",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--merge"]:
        merge(int(sys.argv[2]))
    else:
        for each in sys.argv[1:] or ["100000", "1000000", "10000000"]:
            subprocess.run([sys.executable, __file__, "--merge", each], check=True)
