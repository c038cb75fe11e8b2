"""What this package does, as things that can be done again and again: all rates are images/s."""

from __future__ import annotations

import io
import itertools
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from alexnet.benchmarking.timing import Turns
from alexnet.data import Source, decoded
from alexnet.devices import finish
from alexnet.images import read_picture
from alexnet.models import for_inference
from alexnet.runs.job import Job
from alexnet.training import BatchLike, train_step

__all__ = [
    "FED",
    "LOADING",
    "ONE",
    "PACKING",
    "PREDICTING",
    "STEP",
    "packing",
    "photographs",
    "working",
    "write_folder",
]

STEP = "training step"
FED = "training step, fed"
LOADING = "loading from a pack"
PACKING = "packing photographs"
PREDICTING = "predicting, batches of 32"
ONE = "predicting, one at a time"

_AT_ONCE = 32
_AHEAD = 3  # batches that lie ready, or nearly, when a turn begins


def packing(source: Source, image_px: int) -> Turns:
    """Read, decode and resize all pictures of a source, as packing does before it writes."""
    indices = np.arange(len(source.paths))

    def read(data: bytes, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return read_picture(data, name=name, image_px=image_px, how="crop").ravel()

    def step() -> float:
        return sum(len(found) for found, *_ in decoded(source, indices, read, batch=64))

    return Turns(PACKING, step)


@contextmanager
def working(job: Job) -> Generator[list[Turns]]:
    """Give a training's step with and without its loader, the loader, and its network's answers.

    All of them have one network in turns; what loads ahead ends with the block.
    """
    training, kind = job.training, job.training.device.kind
    training.optimiser.prepare(0)
    ready = next(iter(training.batches(0, 0)))
    alone, fed = _endless(job), _endless(job)

    def learn(batch: BatchLike) -> float:
        pictures = train_step(training, batch)[2]
        finish(kind)
        return pictures

    def load() -> float:
        pictures = len(next(alone).labels)
        finish(kind)
        return pictures

    def use_up() -> None:
        for _ in range(_AHEAD):
            next(alone)

    def train() -> None:
        training.network.train()

    turns = [
        Turns(STEP, lambda: learn(ready), train),
        Turns(FED, lambda: learn(next(fed)), train),
        Turns(LOADING, load, use_up),
        _answering(job, PREDICTING, _AT_ONCE),
        _answering(job, ONE, 1),
    ]
    try:
        yield turns
    finally:
        alone.close()
        fed.close()


def _endless(job: Job) -> Generator[BatchLike]:
    for epoch in itertools.count():
        batches: Iterator[BatchLike] = iter(job.training.batches(epoch, 0))
        yield from batches


def _answering(job: Job, name: str, count: int) -> Turns:
    """Answer for some pictures in the precision in which `predict` does unless it is asked."""
    network, kind = job.network, job.training.device.kind
    answer = for_inference(network)
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(count, 3, network.crop_px, network.crop_px, generator=generator)
    x = numbers.to(kind).contiguous(memory_format=torch.channels_last)

    def step() -> float:
        answer(x)
        finish(kind)
        return count

    def prepare() -> None:
        network.eval()

    return Turns(name, step, prepare)


_SIZE = (500, 375)  # pixels across and down, as most of ImageNet
_OCTAVES = 7
_QUALITY = 90


def photographs(count: int) -> list[bytes]:
    """Return JPEG files of 500 x 375: noise of all scales, each half as strong as the next."""
    rng = np.random.default_rng(0)
    return [_photograph(rng) for _ in range(count)]


def write_folder(folder: Path, files: list[bytes], count: int) -> Path:
    """Write `count` pictures of two classes, the same ones again where there are fewer."""
    for number in range(count):
        place = folder / f"class {number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(files[number % len(files)])
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
