"""Inference in shards: some whole batches of images each, the same batches as in one process.

The last bits of a batch's outputs depend on the images that are computed with it, on the form of
the convolutions and on the number of threads. So all three are those of one process, whatever
machine computes a shard.

Legend: N images, n of a batch, D numbers of each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

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
from alexnet.data import ImageFiles, Pack, Source
from alexnet.devices import ConvolutionForm
from alexnet.errors import RunError
from alexnet.evaluation.ensemble import load_ensemble
from alexnet.evaluation.predict import InferencePrecision, Member, predict_batches
from alexnet.evaluation.stored_images import ComputedBatch
from alexnet.evaluation.together import predict_together
from alexnet.models import FullyConnected
from alexnet.progress import track
from alexnet.weights import weights_file

__all__ = [
    "InferenceShards",
    "PredictionShards",
    "batches_of_shards",
    "images_signature",
    "predicting",
]

_SHARD_IMAGES = 1024
_SHARD_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class InferenceShards:
    """How a shard of images is computed; a subclass says what of each batch.

    Args:
        weights: files or run folders, at the same path on every machine.
        images: picklable.
        indices: (N,) which images.
        crops, batch_size, precision: as in one process.
        forms: of each network's convolutions, as this machine chose them.
        threads: of arithmetic, as in one process.
        width: D, for the size of a shard.
        digests: of the weights, as this machine has them.
    """

    weights: tuple[Path, ...]
    images: ImageFiles | Pack
    indices: NDArray[np.int64]
    crops: int
    batch_size: int
    precision: InferencePrecision
    forms: tuple[ConvolutionForm | None, ...]
    threads: int
    width: int
    digests: tuple[str, ...] = field(default=())

    def compute(self, indices: NDArray[np.int64]) -> Iterator[ComputedBatch]:
        """Compute some images, which are whole batches of all."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """Return what else the numbers depend on, as plain values."""
        return {}

    def run(self, number: int) -> bytes:
        """Compute a shard; see `ShardTask`."""
        start = number * self.shard_images
        return _pack_batches(self.compute(self.indices[start : start + self.shard_images]))

    @property
    def shard_images(self) -> int:
        """Images of a shard: whole batches, and not too many bytes of results."""
        most = min(_SHARD_IMAGES, _SHARD_BYTES // (4 * self.width))
        return self.batch_size * max(1, most // self.batch_size)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The networks, loaded once in each process."""
        os.environ["OMP_NUM_THREADS"] = str(self.threads)
        for path, digest in zip(self.weights, self.digests, strict=True):
            if _file_digest(path) != digest:
                raise RunError(
                    f"The weights {path} are others on a machine of the cluster than here. Name a "
                    "file in a folder that all machines share."
                )
        # What is fastest was measured where the command runs.
        members = load_ensemble(
            self.weights, precision=self.precision, exact_convolutions=True
        ).members
        return tuple(
            replace(member, convolutions=form) if _on_processor(member) else member
            for member, form in zip(members, self.forms, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class PredictionShards(InferenceShards):
    """Class probabilities; the options are those of `predict_batches`."""

    compiled: bool = True
    fully_connected: FullyConnected | None = None

    def compute(self, indices: NDArray[np.int64]) -> Iterator[ComputedBatch]:
        """Predict some images."""
        return predict_batches(
            self.members,
            self.images,
            indices,
            crops=self.crops,
            batch_size=self.batch_size,
            precision=self.precision,
            compiled=self.compiled,
            fully_connected=self.fully_connected,
        )

    def options(self) -> dict[str, Any]:
        """Return what else the probabilities depend on."""
        return {"compiled": self.compiled, "fully_connected": self.fully_connected}


@contextmanager
def batches_of_shards(
    shards: InferenceShards,
    cluster: str | Executor,
    *,
    title: str,
    signature: str,
    output: Path | None,
) -> Generator[Iterator[ComputedBatch]]:
    """Give the batches of all shards in order, computed by a cluster.

    Args:
        shards: of the job; its digests are filled in.
        cluster: see `open_cluster`.
        title: for the progress.
        signature: stands for the images and their order.
        output: the file that is written, beside which shards that are done wait; None: none is.

    Raises:
        AlexNetError: what `open_cluster` and `run_shards` raise.
    """
    shards = replace(shards, digests=tuple(map(_file_digest, shards.weights)))
    total, size = len(shards.indices), shards.shard_images
    with open_cluster(cluster) as executor:
        key = [
            *(type(shards).__name__, alexnet.__version__, shards.digests, signature),
            hashlib.blake2b(np.ascontiguousarray(shards.indices).data).hexdigest(),
            *(shards.crops, shards.batch_size, shards.precision, shards.forms, shards.threads),
            *(shards.options(), size, executor.accelerated),
        ]
        job = ShardJob(
            title=title,
            task=shards,
            shards=-(-total // size),
            images=lambda number: min(size, total - number * size),
            total=total,
            key=key,
            folder=parts_beside(output, key=key),
            cpus=shards.threads,
            gpus=int(executor.accelerated),
        )
        with run_shards(job, executor) as parts:
            yield (batch for part in parts for batch in _unpack_batches(part))


def _pack_batches(batches: Iterable[ComputedBatch]) -> bytes:
    whole = list(batches)
    values = [[len(batch.indices), batch.failures] for batch in whole]
    arrays = {
        "indices": np.concatenate([batch.indices for batch in whole]),
        "numbers": np.concatenate([batch.numbers for batch in whole]),
    }
    return pack_fields(arrays, values)


def _unpack_batches(data: bytes) -> Iterator[ComputedBatch]:
    arrays, values = unpack_fields(data)
    start = 0
    for count, failures in values:
        rows = slice(start, start + count)
        pairs = [(int(index), str(reason)) for index, reason in failures]
        yield ComputedBatch(arrays["indices"][rows], arrays["numbers"][rows], pairs)
        start += count


def _on_processor(member: Member) -> bool:
    return next(member.network.parameters(), torch.empty(0)).device.type == "cpu"


def _file_digest(path: Path) -> str:
    with weights_file(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def predicting(
    members: Sequence[Member],
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    title: str,
    weights: Sequence[Path],
    signature: Callable[[], str],
    cluster: str | Executor | None,
    output: Path | None,
    crops: int,
    batch_size: int,
    precision: InferencePrecision,
    compiled: bool = True,
    fully_connected: FullyConnected | None = None,
) -> Generator[Iterator[ComputedBatch]]:
    """Give the class probabilities of images, batch by batch, with progress.

    Args:
        members: the networks, as this machine computes them.
        images: gives the bytes and the name of each image; or a pack.
        indices: (N,) which images.
        title: for the progress.
        weights: the files of the members.
        signature: stands for the images; called where a cluster computes.
        cluster: see `open_cluster`; None: this process computes.
        output: see `batches_of_shards`.
        crops: see `predict_batches`.
        batch_size: images of a batch.
        precision: see `predict_batches`.
        compiled: see `predict_batches`.
        fully_connected: see `predict_batches`.
    """
    if cluster is not None and len(indices):
        shards = PredictionShards(
            weights=tuple(path.absolute() if path.exists() else path for path in weights),
            images=images,
            indices=indices,
            crops=crops,
            batch_size=batch_size,
            precision=precision,
            forms=tuple(member.convolutions for member in members),
            threads=torch.get_num_threads(),
            width=members[0].network.classes,
            compiled=compiled,
            fully_connected=fully_connected,
        )
        with batches_of_shards(
            shards, cluster, title=title, signature=signature(), output=output
        ) as batches:
            yield batches
        return
    with track(title, len(indices)) as advance:

        def computed() -> Iterator[ComputedBatch]:
            for batch in predict_together(
                members,
                images,
                indices,
                crops=crops,
                batch_size=batch_size,
                precision=precision,
                compiled=compiled,
                fully_connected=fully_connected,
            ):
                yield batch
                advance(len(batch.indices) + len(batch.failures))

        yield computed()


def images_signature(images: Source | Pack) -> str:
    """Return what stands for the images of a source or pack, their order and their content."""
    return images.fingerprint if isinstance(images, Pack) else images.stat_signature
