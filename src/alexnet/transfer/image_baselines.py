"""Two classic classifiers of small images, for comparison: no network, no trained weights.

A color histogram with a random forest knows colors and no shapes; histograms of oriented gradients
with a support vector machine know shapes (Dalal and Triggs 2005). What a network gets beyond the
better of the two is what it brings.

Legend: n images of 64 x 64 pixels, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.errors import AlexNetError, SourceError

try:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import LinearSVC
except ImportError:
    raise AlexNetError(
        'The comparison with classic classifiers needs scikit-learn: pip install "alexnet[learn]"'
    ) from None

__all__ = ["IMAGE_PX", "ImageBaseline", "color_histograms", "fit_image_baselines", "hog_features"]

IMAGE_PX = 64
"""Side of the images: the center square, resized."""

_HSV_BINS = (8, 8, 4)
_TREES = 500
_CELL_PX = 8
_DIRECTIONS = 9  # of a gradient, of which opposite ones are the same
_LARGEST = 0.2  # component of a block, before it gets unit length again: Dalal's and Lowe's
_COLOR_GRID = 8  # cells in a row whose mean color stands beside the gradients
_C = 0.1
_FOLDS = 5


@dataclass(frozen=True)
class ImageBaseline:
    """A fitted classifier of images.

    Args:
        name: for a table.
        features: from (n, 64, 64, 3) uint8 to (n, D).
        classifier: scikit-learn's, fitted on those.
        classes: (K,) the labels, rising: the columns of its probabilities.
    """

    name: str
    features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    classifier: Any
    classes: NDArray[np.int64]

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (n, K) probabilities for (n, 64, 64, 3) uint8 images, RGB.

        Raises:
            ValueError: images of another shape or type.
        """
        _require_images(images)
        features = self.features(images)
        if hasattr(self.classifier, "predict_proba"):
            probabilities: NDArray[np.float64] = self.classifier.predict_proba(features)
            return probabilities
        margins: NDArray[np.float64] = self.classifier.decision_function(features)
        if margins.ndim == 1:
            margins = np.stack([-margins, margins], axis=1)
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def fit_image_baselines(
    train_images: NDArray[np.uint8], labels: NDArray[np.int64], *, seed: int = 0
) -> tuple[ImageBaseline, ImageBaseline]:
    """Fit both classifiers: "color histogram and forest", and "HOG and color, SVM".

    Args:
        train_images: (n, 64, 64, 3) uint8, RGB: center squares.
        labels: (n,) a class for each.
        seed: of the forest, and of the folds that calibrate the SVM's probabilities.

    Raises:
        SourceError: fewer than two classes.
        ValueError: images of another shape or type.
    """
    _require_images(train_images)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise SourceError(
            f"A classifier tells at least two classes apart; the images are of {len(classes)}."
        )
    forest: Any = RandomForestClassifier(_TREES, random_state=seed, n_jobs=1)
    baselines = (
        ("color histogram and forest", color_histograms, forest),
        ("HOG and color, SVM", _gradients_and_colors, _svm(labels, seed)),
    )
    return tuple(  # type: ignore[return-value]
        ImageBaseline(name, features, classifier.fit(features(train_images), labels), classes)
        for name, features, classifier in baselines
    )


def color_histograms(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, 256): the shares of 8 x 8 x 4 bins of hue, saturation and value.

    Args:
        images: (n, H, W, 3) uint8, RGB.
    """
    rows: list[NDArray[np.float32]] = []
    for image in images:
        hsv = np.asarray(Image.fromarray(image).convert("HSV")).reshape(-1, 3).astype(np.int64)
        bins = [hsv[:, i] * count // 256 for i, count in enumerate(_HSV_BINS)]
        places = np.ravel_multi_index((bins[0], bins[1], bins[2]), _HSV_BINS)
        counts = np.bincount(places, minlength=int(np.prod(_HSV_BINS)))
        rows.append((counts / len(hsv)).astype(np.float32))
    return np.stack(rows)


def hog_features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return histograms of oriented gradients (n, D): cells of 8 pixels, blocks of 2 x 2 cells.

    Nine directions without sign, votes shared between the two nearest; a pixel's gradient is that
    of its steepest channel. Blocks have unit length, are clipped at 0.2, and get unit length again.

    Args:
        images: (n, H, W, 3) uint8, RGB; H and W multiples of 8, at least 16.
    """
    strength, place = _gradients(images)
    lower = np.floor(place).astype(np.int64) % _DIRECTIONS
    share = place - np.floor(place)
    count, height, width = strength.shape
    cells = np.zeros((count, height // _CELL_PX, width // _CELL_PX, _DIRECTIONS), dtype=np.float32)
    for direction in range(_DIRECTIONS):
        votes = np.where(lower == direction, strength * (1 - share), 0)
        votes += np.where((lower + 1) % _DIRECTIONS == direction, strength * share, 0)
        tiles = votes.reshape(count, height // _CELL_PX, _CELL_PX, width // _CELL_PX, _CELL_PX)
        cells[..., direction] = tiles.sum(axis=(2, 4))
    corners = (cells[:, i : i - 1 or None, j : j - 1 or None] for i in (0, 1) for j in (0, 1))
    blocks = np.concatenate(list(corners), axis=3)
    blocks = np.minimum(_unit(blocks), _LARGEST)
    return _unit(blocks).reshape(count, -1)


def _gradients(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, H, W): how steep each pixel is, and its direction in 0 .. 9, without sign."""
    values = images.astype(np.float32)
    down, right = np.gradient(values, axis=1), np.gradient(values, axis=2)
    steepness = np.hypot(down, right)
    steepest = steepness.argmax(axis=3)[..., None]
    down, right = (np.take_along_axis(each, steepest, 3)[..., 0] for each in (down, right))
    angle = np.arctan2(down, right) % np.pi
    place = (angle / np.pi * _DIRECTIONS).astype(np.float32)
    return np.take_along_axis(steepness, steepest, 3)[..., 0], place


def _unit(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    return blocks / (np.linalg.norm(blocks, axis=-1, keepdims=True) + 1e-3)


def _gradients_and_colors(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, D): gradients, and the mean color of 8 x 8 cells, in 0..1."""
    count, side = len(images), images.shape[1] // _COLOR_GRID
    tiles = images.reshape(count, _COLOR_GRID, side, _COLOR_GRID, side, 3)
    colors = tiles.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1) / 255
    return np.concatenate([hog_features(images), colors], axis=1)


def _svm(labels: NDArray[np.int64], seed: int) -> Any:
    """Make a linear SVM, with Platt's probabilities where each class fills a fold."""
    machine: Any = LinearSVC(C=_C, random_state=seed)
    folds = min(_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if folds < 2:
        return machine
    splitter: Any = StratifiedKFold(folds, shuffle=True, random_state=seed)
    calibrated: Any = CalibratedClassifierCV
    return calibrated(machine, ensemble=False, cv=splitter)


def _require_images(images: NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_PX, IMAGE_PX, 3):
        raise ValueError(
            f"Images are (n, {IMAGE_PX}, {IMAGE_PX}, 3) of uint8; got {images.shape} of "
            f"{images.dtype}. Take center squares, resized."
        )
