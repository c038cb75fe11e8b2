"""What the training pictures are on average: mean image, mean colour, principal colours.

Every sum is one of whole numbers and therefore exact, whatever the order and the number of
pictures. Pictures are streamed in small portions, so memory does not grow with their number. What
was summed up last is remembered for each pack: the trials of a search share pack and pictures.

Legend: N pictures, S side of a picture.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from alexnet.data.packs.pack import Pack
from alexnet.errors import SourceError

__all__ = [
    "PrincipalColours",
    "channel_deviation",
    "channel_mean",
    "mean_image",
    "principal_colours",
]

_PORTION = 256  # 256 times 255 still fits into 16 bits
_PORTION_BYTES = 8 << 20
_STRETCH = 1 << 14  # pixels whose colours fit into a processor's cache as float64


@dataclass(frozen=True)
class PrincipalColours:
    """The axes along which the colours of the training pixels vary, most varied first."""

    vectors: NDArray[np.float64]  # (3, 3), unit columns over R, G, B; R at least 0
    deviations: NDArray[np.float64]  # (3,) standard deviation along each, on 0..255


def mean_image(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of some pictures, pixel by pixel.

    Args:
        pack: where they lie.
        indices: (N,) which; of the training split alone.

    Returns:
        (S, S, 3) float32, R, G, B on 0..255.

    Raises:
        SourceError: no pictures.
    """
    return (_sums(pack, indices) / len(indices)).astype(np.float32)


def channel_mean(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean colour of some pictures: (3,) float32, R, G, B on 0..255.

    Args:
        pack: where they lie.
        indices: (N,) which; of the training split alone.

    Raises:
        SourceError: no pictures.
    """
    total = _sums(pack, indices).sum(axis=(0, 1))
    return (total / (len(indices) * pack.image_px**2)).astype(np.float32)


def channel_deviation(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the standard deviation of each channel over all pixels, about the mean colour.

    Args:
        pack: where the pictures lie.
        indices: (N,) which; of the training split alone.

    Returns:
        (3,) float32 on 0..255, above 0: a channel that never varies has 1.

    Raises:
        SourceError: no pictures.
    """
    deviation = np.sqrt(np.diag(_covariance(pack, indices)))
    return np.where(deviation > 0, deviation, 1).astype(np.float32)


def principal_colours(pack: Pack, indices: NDArray[np.int64]) -> PrincipalColours:
    """Return the principal components of the colours of all pixels (section 4.1 of the paper).

    Args:
        pack: where the pictures lie.
        indices: (N,) which; of the training split alone.

    Raises:
        SourceError: no pictures.
    """
    variances, vectors = np.linalg.eigh(_covariance(pack, indices))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    return PrincipalColours(_signed(vectors), np.sqrt(np.maximum(variances, 0)))


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn each column so that its first part that is not zero is positive.

    Eigenvectors have no sign of their own, and libraries give one or the other.
    """
    first = (np.abs(vectors) > 1e-9).argmax(axis=0)
    return vectors * np.where(vectors[first, range(3)] < 0, -1.0, 1.0)


def _remembered(
    take: Callable[[Pack, NDArray[np.int64]], NDArray[Any]],
) -> Callable[[Pack, NDArray[np.int64]], NDArray[Any]]:
    """Return what takes a sum over the same pictures of the same pack only once."""
    known: WeakKeyDictionary[Pack, tuple[bytes, NDArray[Any]]] = WeakKeyDictionary()

    @functools.wraps(take)
    def taken(pack: Pack, indices: NDArray[np.int64]) -> NDArray[Any]:
        which = hashlib.sha256(np.sort(indices).tobytes()).digest()
        before = known.get(pack)
        if before is None or before[0] != which:
            before = known[pack] = which, take(pack, indices)
        return before[1]

    return taken


@_remembered
def _sums(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the sum of some pictures: (S, S, 3)."""
    total = np.zeros((pack.image_px, pack.image_px, 3), dtype=np.uint64)
    for pictures in _portions(pack, indices):
        total += pictures.sum(axis=0, dtype=np.uint16)
    return total


@_remembered
def _covariance(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the covariance of the colours of all pixels: (3, 3) on 0..255.

    A portion's sums stay far below 2**53, so float64 holds them exactly; Python's own whole numbers
    add the portions up.
    """
    sums, products = [0] * 3, [[0] * 3 for _ in range(3)]
    planes = np.ones((4, _STRETCH))  # R, G, B, and a row of ones that turns products into sums
    for pictures in _portions(pack, indices):
        pixels = pictures.reshape(-1, 3)
        for start in range(0, len(pixels), _STRETCH):
            stretch = pixels[start : start + _STRETCH]
            part = planes[:, : len(stretch)]
            part[:3] = stretch.T
            for i in range(3):
                sums[i] += int(part[i] @ part[3])
                for j in range(i, 3):
                    products[i][j] += int(part[i] @ part[j])
    count = len(indices) * pack.image_px**2
    covariance = np.empty((3, 3))
    for i in range(3):
        for j in range(i, 3):
            exact = count * products[i][j] - sums[i] * sums[j]
            covariance[i, j] = covariance[j, i] = exact / count**2
    return covariance


def _portions(pack: Pack, indices: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """Yield (n, S, S, 3) pictures, in the order in which they lie in the pack."""
    if not len(indices):
        raise SourceError(f"{pack.where} has no training pictures to take a mean of.")
    size = max(1, min(_PORTION, _PORTION_BYTES // (3 * pack.image_px**2)))
    ordered = np.sort(indices)
    for start in range(0, len(ordered), size):
        yield pack.read(ordered[start : start + size])
