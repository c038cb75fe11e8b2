"""What this package does, as repeated work: all rates are images/s."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from alexnet.benchmarking.measurement import Measurement
from alexnet.data import Source, decode_files
from alexnet.devices import convolving, synchronize
from alexnet.images import read_image
from alexnet.models import for_inference
from alexnet.runs.job import Job
from alexnet.training import BatchLike

__all__ = [
    "LOADED_STEP",
    "LOADING",
    "PACKING",
    "PREDICTING_BATCHES",
    "PREDICTING_SINGLY",
    "STEP",
    "make_photographs",
    "packing",
    "workloads",
    "write_folder",
]

STEP = "training step"
LOADED_STEP = "training step with loading"
LOADING = "loading from a pack"
PACKING = "packing photographs"
PREDICTING_BATCHES = "predicting, batches of 32"
PREDICTING_SINGLY = "predicting, one at a time"

_PREDICT_BATCH = 32
_PREFETCHED = 3  # batches that are ready, or nearly, when a round begins


def packing(source: Source, image_px: int) -> Measurement:
    """Read, decode and resize all images of a source, as packing does before it writes."""
    indices = np.arange(len(source.paths))

    def read(data: bytes, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return read_image(data, name=name, image_px=image_px, resize_mode="crop").ravel()

    def step() -> float:
        return sum(len(images) for images, *_ in decode_files(source, indices, read, batch_size=64))

    return Measurement(PACKING, step)


@contextmanager
def workloads(job: Job) -> Generator[list[Measurement]]:
    """Yield the training step with and without its loader, the loader, and predicting.

    All of them share one network; the loaders' threads end with the block.
    """
    training, kind = job.training, job.training.device.kind
    training.optimizer.prepare(0)
    batch = next(iter(training.batches(0, 0)))
    loader, step_loader = _endless_batches(job), _endless_batches(job)

    def train_step(batch: BatchLike) -> float:
        images = training.step(batch)
        synchronize(kind)
        return images

    def load() -> float:
        images = len(next(loader).labels)
        synchronize(kind)
        return images

    def drop_prefetched() -> None:
        for _ in range(_PREFETCHED):
            next(loader)

    def set_training() -> None:
        training.network.train()

    measurements = [
        Measurement(STEP, lambda: train_step(batch), set_training),
        Measurement(LOADED_STEP, lambda: train_step(next(step_loader)), set_training),
        Measurement(LOADING, load, drop_prefetched),
        _predicting(job, PREDICTING_BATCHES, _PREDICT_BATCH),
        _predicting(job, PREDICTING_SINGLY, 1),
    ]
    try:
        yield measurements
    finally:
        loader.close()
        step_loader.close()


def _endless_batches(job: Job) -> Generator[BatchLike]:
    for epoch in itertools.count():
        batches: Iterator[BatchLike] = iter(job.training.batches(epoch, 0))
        yield from batches


def _predicting(job: Job, name: str, count: int) -> Measurement:
    """Predict some images in the default precision of `predict`."""
    network, kind = job.network, job.training.device.kind
    with convolving(job.training.device.convolutions):
        predict = for_inference(network)
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(count, 3, network.crop_px, network.crop_px, generator=generator)
    x = values.to(kind).contiguous(memory_format=torch.channels_last)

    def step() -> float:
        predict(x)
        synchronize(kind)
        return count

    def set_inference() -> None:
        network.eval()

    return Measurement(name, step, set_inference)


_SIZE = (500, 375)  # pixels across and down, as most of ImageNet
_OCTAVES = 7
_QUALITY = 90


def make_photographs(count: int) -> list[bytes]:
    """Return JPEG files of 500 x 375: noise of all scales, each half as strong as the next."""
    rng = np.random.default_rng(0)
    return [_photograph(rng) for _ in range(count)]


def write_folder(folder: Path, files: list[bytes], count: int) -> Path:
    """Write `count` images of two classes, the same ones again where there are fewer."""
    for number in range(count):
        class_folder = folder / f"class {number % 2}"
        class_folder.mkdir(parents=True, exist_ok=True)
        (class_folder / f"{number}.jpg").write_bytes(files[number % len(files)])
    return folder


def _photograph(rng: np.random.Generator) -> bytes:
    pixels = np.full((_SIZE[1], _SIZE[0], 3), 128.0)
    for octave in range(_OCTAVES):
        small = rng.normal(scale=60 / (octave + 1), size=(3 * 2**octave, 4 * 2**octave, 3))
        for channel in range(3):
            layer = Image.fromarray(small[..., channel].astype(np.float32))
            pixels[..., channel] += np.asarray(layer.resize(_SIZE, Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
