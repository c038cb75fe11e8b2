"""Statistics of the training images: mean image, mean and std of channels, PCA of colors.

Every sum is one of whole numbers and therefore exact, whatever the order and the number of
images. Images are streamed in chunks, so memory does not grow with their number. The last sums
of each pack are cached: the trials of a search share pack and images.

Legend: N images, S side of an image.
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
    "ColorPCA",
    "channel_mean",
    "channel_std",
    "color_pca",
    "mean_image",
]

_CHUNK_IMAGES = 256  # 256 times 255 still fits into 16 bits
_CHUNK_BYTES = 8 << 20
_CACHED_PIXELS = 1 << 14  # whose colors fit into a processor's cache as float64


@dataclass(frozen=True)
class ColorPCA:
    """Principal components of the colors of the training pixels, most varied first."""

    components: NDArray[np.float64]  # (3, 3), unit columns over R, G, B; R at least 0
    stds: NDArray[np.float64]  # (3,) standard deviation along each, on 0..255


def mean_image(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of some images, pixel by pixel.

    Args:
        pack: where they lie.
        indices: (N,) which; of the training split alone.

    Returns:
        (S, S, 3) float32, R, G, B on 0..255.

    Raises:
        SourceError: no images.
    """
    return (_sums(pack, indices) / len(indices)).astype(np.float32)


def channel_mean(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean color of some images: (3,) float32, R, G, B on 0..255.

    Args:
        pack: where they lie.
        indices: (N,) which; of the training split alone.

    Raises:
        SourceError: no images.
    """
    total = _sums(pack, indices).sum(axis=(0, 1))
    return (total / (len(indices) * pack.image_px**2)).astype(np.float32)


def channel_std(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the standard deviation of each channel over all pixels, about the mean color.

    Args:
        pack: where the images lie.
        indices: (N,) which; of the training split alone.

    Returns:
        (3,) float32 on 0..255, above 0: a channel that never varies has 1.

    Raises:
        SourceError: no images.
    """
    std = np.sqrt(np.diag(_covariance(pack, indices)))
    return np.where(std > 0, std, 1).astype(np.float32)


def color_pca(pack: Pack, indices: NDArray[np.int64]) -> ColorPCA:
    """Return the principal components of the colors of all pixels (section 4.1 of the paper).

    Args:
        pack: where the images lie.
        indices: (N,) which; of the training split alone.

    Raises:
        SourceError: no images.
    """
    variances, vectors = np.linalg.eigh(_covariance(pack, indices))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    return ColorPCA(_fix_signs(vectors), np.sqrt(np.maximum(variances, 0)))


def _fix_signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn each column so that its first part that is not zero is positive.

    Eigenvectors have no sign of their own, and libraries give one or the other.
    """
    first = (np.abs(vectors) > 1e-9).argmax(axis=0)
    return vectors * np.where(vectors[first, range(3)] < 0, -1.0, 1.0)


def _cached(
    compute: Callable[[Pack, NDArray[np.int64]], NDArray[Any]],
) -> Callable[[Pack, NDArray[np.int64]], NDArray[Any]]:
    """Compute once for the same images of the same pack; forget a pack that nobody uses."""
    cache: WeakKeyDictionary[Pack, tuple[bytes, NDArray[Any]]] = WeakKeyDictionary()

    @functools.wraps(compute)
    def cached(pack: Pack, indices: NDArray[np.int64]) -> NDArray[Any]:
        key = hashlib.sha256(np.sort(indices).tobytes()).digest()
        entry = cache.get(pack)
        if entry is None or entry[0] != key:
            entry = cache[pack] = key, compute(pack, indices)
        return entry[1]

    return cached


@_cached
def _sums(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the sum of some images: (S, S, 3)."""
    total = np.zeros((pack.image_px, pack.image_px, 3), dtype=np.uint64)
    for images in _chunks(pack, indices):
        total += images.sum(axis=0, dtype=np.uint16)
    return total


@_cached
def _covariance(pack: Pack, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the covariance of the colors of all pixels: (3, 3) on 0..255.

    A chunk's sums stay far below 2**53, so float64 holds them exactly; Python's own whole numbers
    add the chunks up.
    """
    sums, products = [0] * 3, [[0] * 3 for _ in range(3)]
    planes = np.ones(
        (4, _CACHED_PIXELS)
    )  # R, G, B, and a row of ones that turns products into sums
    for images in _chunks(pack, indices):
        pixels = images.reshape(-1, 3)
        for start in range(0, len(pixels), _CACHED_PIXELS):
            chunk = pixels[start : start + _CACHED_PIXELS]
            part = planes[:, : len(chunk)]
            part[:3] = chunk.T
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


def _chunks(pack: Pack, indices: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """Yield (n, S, S, 3) images, in the order in which they lie in the pack."""
    if not len(indices):
        raise SourceError(f"{pack.where} has no training images to take a mean of.")
    size = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // (3 * pack.image_px**2)))
    ordered = np.sort(indices)
    for start in range(0, len(ordered), size):
        yield pack.read(ordered[start : start + size])
