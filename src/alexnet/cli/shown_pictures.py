"""The pictures that an export is shown: some of a source, or of any pictures, evenly spread."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.cli.held_out import held_out_pictures
from alexnet.cli.named_pictures import NamedPictures
from alexnet.data import SPLITS, Pack, nothing_readable, open_source
from alexnet.errors import SourceError
from alexnet.evaluation import stored_pictures
from alexnet.progress import track

if TYPE_CHECKING:
    from alexnet.data import Source
    from alexnet.images import Preprocessing

__all__ = ["ShownPictures", "choose_pictures"]

_log = logging.getLogger(__name__)

_BATCH = 32
_FILES = 8  # that are wanted as files


@dataclass(frozen=True)
class ShownPictures:
    """Pictures by number, and which of them are shown."""

    place: Path
    pictures: Source | Pack | NamedPictures
    indices: NDArray[np.int64]
    positions: NDArray[np.int64] | None  # of the source's classes among the weights'; None: others
    doing: str = "checking"  # what they are for, as a verb

    def batches(self, rule: Preprocessing) -> Iterator[tuple[NDArray[np.uint8], Labels]]:
        """Yield stored pictures, (n, S, S, 3) uint8, and (n,) their classes where they have some.

        What cannot be read is passed over.

        Raises:
            SourceError: nothing can be read.
        """
        failures: list[tuple[str, str]] = []
        with track(self.doing, len(self.indices)) as advance:
            for stored in stored_pictures([rule], self.pictures, self.indices, batch=_BATCH):
                failures += [(self.pictures.paths[index], why) for index, why in stored.failures]
                if len(stored.indices):
                    yield stored.pictures[0], self._labels(stored.indices)
                advance(len(stored.indices) + len(stored.failures))
        if failures and len(failures) == len(self.indices):
            raise nothing_readable(self.place, failures)

    def pixels(self, rule: Preprocessing) -> Iterator[NDArray[np.uint8]]:
        """Yield stored pictures alone."""
        return (pictures for pictures, _ in self.batches(rule))

    def files(self) -> list[tuple[str, bytes]]:
        """Return name and bytes of the first pictures that can be read."""
        found: list[tuple[str, bytes]] = []
        indices: list[int] = self.indices[: 4 * _FILES].tolist()
        for index in indices:
            try:
                found.append((self.pictures.paths[index], self._read(index)))
            except SourceError:
                continue
        return found

    def _read(self, index: int) -> bytes:
        if not isinstance(self.pictures, Pack):
            return self.pictures.read(index)
        buffer = io.BytesIO()
        (pixels,) = self.pictures.read(np.array([index], dtype=np.int64))
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    def _labels(self, indices: NDArray[np.int64]) -> Labels:
        if self.positions is None or isinstance(self.pictures, NamedPictures):
            return None
        return self.positions[self.pictures.labels[indices]]


Labels = NDArray[np.int64] | None


def choose_pictures(
    place: Path,
    classes: tuple[str, ...],
    *,
    most: int,
    split: str | None = None,
    weights: Path | None = None,
) -> ShownPictures:
    """Choose pictures of a source, or of pictures without classes.

    Args:
        place: a source; or a picture, a folder or an archive of pictures.
        classes: of the weights.
        most: pictures, evenly spread over all.
        split: which; None: train where `weights` is None, else what says how good they are.
        weights: whose held-out pictures are wanted; None: those to learn from.

    Raises:
        SourceError: nothing is there, or it lacks the split.
    """
    try:
        source = open_source(place, fewest_classes=1)
    except SourceError:
        named = NamedPictures([place])
        if not place.exists() or split is not None or not len(named.indices):
            raise
        return ShownPictures(place, named, _spread(named.indices, most), None)
    if weights is None:
        train = np.flatnonzero(source.splits == SPLITS.index("train"))
        indices = train if len(train) else np.arange(len(source.labels))
    else:
        _, indices = held_out_pictures(source, split, [weights], where=place)
    position = {name: i for i, name in enumerate(classes)}
    unknown = [name for name in source.classes if name not in position]
    if unknown:
        _log.warning(
            'The weights do not know the class "%s" of %s, so nothing is said of right answers.',
            unknown[0],
            place,
        )
        return ShownPictures(place, source, _spread(indices, most), None)
    positions = np.array([position[name] for name in source.classes], dtype=np.int64)
    return ShownPictures(place, source, _spread(indices, most), positions)


def _spread(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]
