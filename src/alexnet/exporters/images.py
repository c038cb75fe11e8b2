"""Images for an export: those that it is checked on, and those that it is calibrated with."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data import SPLITS, Pack, Source, open_source, unreadable_source
from alexnet.errors import SourceError
from alexnet.evaluation import stored_images
from alexnet.evaluation.held_out import held_out_images
from alexnet.evaluation.inputs import NamedImages
from alexnet.images import Preprocessing
from alexnet.progress import track

__all__ = ["ChosenImages", "choose_images"]

_log = logging.getLogger(__name__)

_BATCH = 32
_FILES = 8  # most images that are given as files

Labels = NDArray[np.int64] | None


@dataclass(frozen=True)
class ChosenImages:
    """Images of a source, and which of them were chosen."""

    path: Path
    images: Source | Pack | NamedImages
    indices: NDArray[np.int64]
    positions: NDArray[np.int64] | None  # of the source's classes among the weights'; None: others
    doing: str = "checking"  # what they are for, as a verb

    def batches(self, rule: Preprocessing) -> Iterator[tuple[NDArray[np.uint8], Labels]]:
        """Yield stored images, (n, S, S, 3) uint8, and (n,) their classes where they have some.

        What cannot be read is passed over.

        Raises:
            SourceError: nothing can be read.
        """
        failures: list[tuple[str, str]] = []
        with track(self.doing, len(self.indices)) as advance:
            for stored in stored_images([rule], self.images, self.indices, batch_size=_BATCH):
                failures += [(self.images.paths[index], why) for index, why in stored.failures]
                if len(stored.indices):
                    yield stored.images[0], self._labels(stored.indices)
                advance(len(stored.indices) + len(stored.failures))
        if failures and len(failures) == len(self.indices):
            raise unreadable_source(self.path, failures)

    def pixels(self, rule: Preprocessing) -> Iterator[NDArray[np.uint8]]:
        """Yield stored images alone."""
        return (images for images, _ in self.batches(rule))

    def files(self) -> list[tuple[str, bytes]]:
        """Return name and bytes of the first images that can be read."""
        files: list[tuple[str, bytes]] = []
        indices: list[int] = self.indices[: 4 * _FILES].tolist()
        for index in indices:
            try:
                files.append((self.images.paths[index], self._read(index)))
            except SourceError:
                continue
        return files

    def _read(self, index: int) -> bytes:
        if not isinstance(self.images, Pack):
            return self.images.read(index)
        buffer = io.BytesIO()
        (pixels,) = self.images.read(np.array([index], dtype=np.int64))
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    def _labels(self, indices: NDArray[np.int64]) -> Labels:
        if self.positions is None or isinstance(self.images, NamedImages):
            return None
        return self.positions[self.images.labels[indices]]


def choose_images(
    path: Path,
    classes: tuple[str, ...],
    *,
    most: int,
    split: str | None = None,
    weights: Path | None = None,
) -> ChosenImages:
    """Choose images of a source, or of images without classes.

    Args:
        path: a source; or an image, a folder or an archive of images.
        classes: of the weights.
        most: images, evenly spread over all.
        split: which; None: train where `weights` is None, else what says how good they are.
        weights: whose held-out images are taken; None: training images.

    Raises:
        SourceError: nothing is there, or it lacks the split.
    """
    try:
        source = open_source(path, fewest_classes=1)
    except SourceError:
        named = NamedImages([path])
        if not path.exists() or split is not None or not len(named.indices):
            raise
        return ChosenImages(path, named, _spread(named.indices, most), None)
    if weights is None:
        train = np.flatnonzero(source.splits == SPLITS.index("train"))
        indices = train if len(train) else np.arange(len(source.labels))
    else:
        _, indices = held_out_images(source, split, [weights], where=path)
    position = {name: i for i, name in enumerate(classes)}
    unknown = [name for name in source.classes if name not in position]
    if unknown:
        _log.warning(
            'The weights do not know the class "%s" of %s, so accuracy is not measured.',
            unknown[0],
            path,
        )
        return ChosenImages(path, source, _spread(indices, most), None)
    positions = np.array([position[name] for name in source.classes], dtype=np.int64)
    return ChosenImages(path, source, _spread(indices, most), positions)


def _spread(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]
