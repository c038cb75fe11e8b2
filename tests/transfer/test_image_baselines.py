"""The classic classifiers: features by hand, and what they can and cannot tell apart."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="classic classifiers need scikit-learn")

from alexnet.errors import SourceError
from alexnet.transfer.image_baselines import (
    color_histograms,
    fit_image_baselines,
    hog_features,
)


def stripes(count: int, *, along: int, seed: int, color=(1.0, 1.0, 1.0)) -> np.ndarray:
    """Images of stripes along an axis, of any phase, on noise."""
    rng = np.random.default_rng(seed)
    place = np.mgrid[:64, :64][along]
    phases = rng.uniform(0, 6, (count, 1, 1))
    gray = 128 + 60 * np.sin(place / 2 + phases) + rng.normal(0, 20, (count, 64, 64))
    return np.clip(gray[..., None] * np.array(color), 0, 255).astype(np.uint8)


def test_a_histogram_is_the_share_of_each_bin():
    colors = [(255, 0, 0), (0, 255, 0), (10, 20, 200), (128, 128, 128)]
    image = np.zeros((64, 64, 3), np.uint8)
    for i, color in enumerate(colors):
        image[16 * i : 16 * (i + 1)] = color
    (row,) = color_histograms(image[None])
    wanted = np.zeros((8, 8, 4))
    for color in colors:
        h, s, v = (round(x * 255) for x in colorsys.rgb_to_hsv(*(c / 255 for c in color)))
        wanted[h // 32, s // 32, v // 64] += 0.25
    assert row.shape == (256,)
    assert np.allclose(row.reshape(8, 8, 4), wanted)


def test_gradients_are_where_stripes_are_and_blocks_have_unit_length():
    flat = np.full((1, 64, 64, 3), 99, np.uint8)
    across, down = (hog_features(stripes(1, along=axis, seed=0)) for axis in (0, 1))
    assert across.shape == (1, 7 * 7 * 4 * 9)
    assert not hog_features(flat).any()
    blocks = across.reshape(49, 36)
    assert np.allclose(np.linalg.norm(blocks, axis=1), 1, atol=0.01)
    directions = [each.reshape(-1, 9).sum(axis=0) for each in (across, down)]
    assert directions[0].argmax() in (4, 5)  # a right angle, of nine directions from 0 to pi
    assert directions[1].argmax() in (0, 8)


def test_gradients_agree_with_a_loop():
    image = np.random.default_rng(3).integers(0, 256, (16, 24, 3), np.uint8)
    cells = np.zeros((2, 3, 9))
    values = image.astype(float)
    for y in range(16):
        for x in range(24):
            slopes = []
            for c in range(3):
                above, below = values[max(y - 1, 0), x, c], values[min(y + 1, 15), x, c]
                left, right = values[y, max(x - 1, 0), c], values[y, min(x + 1, 23), c]
                dy = (below - above) / (2 if 0 < y < 15 else 1)
                dx = (right - left) / (2 if 0 < x < 23 else 1)
                slopes.append((np.hypot(dy, dx), dy, dx))
            strength, dy, dx = max(slopes, key=lambda each: each[0])
            place = np.arctan2(dy, dx) % np.pi / np.pi * 9
            low = int(place)
            cells[y // 8, x // 8, low % 9] += strength * (1 - (place - low))
            cells[y // 8, x // 8, (low + 1) % 9] += strength * (place - low)
    blocks = [np.concatenate([cells[i, j + k] for i in (0, 1) for k in (0, 1)]) for j in (0, 1)]
    wanted = [np.minimum(b / (np.linalg.norm(b) + 1e-3), 0.2) for b in blocks]
    wanted = [b / (np.linalg.norm(b) + 1e-3) for b in wanted]
    assert np.allclose(hog_features(image[None])[0], np.concatenate(wanted), atol=1e-4)


def accuracies(classes, test):
    images, labels = np.concatenate(classes), np.repeat([3, 7], [len(each) for each in classes])
    unseen, truth = np.concatenate(test), np.repeat([3, 7], [len(each) for each in test])
    fitted = fit_image_baselines(images, labels)
    for each in fitted:
        found = each.predict_proba(unseen)
        assert found.shape == (len(unseen), 2)
        assert np.allclose(found.sum(axis=1), 1)
        assert each.classes.tolist() == [3, 7]
    assert [each.name for each in fitted] == ["color histogram and forest", "HOG and color, SVM"]
    return [(each.classes[each.predict_proba(unseen).argmax(1)] == truth).mean() for each in fitted]


def test_shapes_are_the_svms_and_colors_both_classifiers():
    shapes = [[stripes(15, along=axis, seed=seed + axis) for axis in (0, 1)] for seed in (1, 5)]
    forest, svm = accuracies(*shapes)
    assert svm == 1
    assert forest < 0.8
    tints = ((1.0, 0.8, 0.6), (0.6, 0.8, 1.0))
    colors = [
        [stripes(15, along=0, seed=seed + i, color=tint) for i, tint in enumerate(tints)]
        for seed in (1, 5)
    ]
    assert accuracies(*colors) == [1, 1]


def test_the_same_seed_gives_the_same_probabilities_and_one_image_of_a_class_is_enough():
    images = np.concatenate([stripes(6, along=0, seed=0), stripes(1, along=1, seed=1)])
    labels = np.array([0] * 6 + [1])
    one, other = (fit_image_baselines(images, labels, seed=4) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.predict_proba(images), b.predict_proba(images))
        assert np.allclose(a.predict_proba(images).sum(axis=1), 1)


def test_what_cannot_be_is_said():
    images = stripes(4, along=0, seed=0)
    with pytest.raises(SourceError, match="tells at least two classes apart; the images are of 1"):
        fit_image_baselines(images, np.zeros(4, np.int64))
    with pytest.raises(
        ValueError, match=r"Images are \(n, 64, 64, 3\) of uint8; got \(4, 32, 64, 3\)"
    ):
        fit_image_baselines(images[:, :32], np.array([0, 0, 1, 1]))
