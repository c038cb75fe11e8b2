"""Whether the intervals of cross-validation hold, over 20 draws of a training and a test part.

    python benchmarks/reliability.py ../shared/data
    python benchmarks/reliability.py ../shared/data --sets signs hymenoptera --head logistic

The images of a set, whatever its own splits, are divided again in each draw, so that both parts are
of one kind. A head on pooled features of the bundled weights is measured on the training part by
folds, then fitted on all of it and measured on the test part. The table says by how much the
two differ, and in how many draws the accuracy on the test part lay in the interval that comes of
the training part alone: the package's, and Wilson's with fewer and fewer images.

Legend: N images of a set, n of a training part, m of a test part, D features, K classes.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alexnet.data import (
    Pack,
    burst_groups,
    load_pack,
    open_source,
    stratified_group_folds,
)
from alexnet.devices import choose_device
from alexnet.evaluation import cross_validation_interval, effective_images, wilson_interval
from alexnet.models import PooledFeatures, default_blocks
from alexnet.transfer.pooled_rows import pooled_rows
from alexnet.weights import load_weights

FOLDS = 3  # as `train` has it
DIVISORS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
PENALTY = 0.03
MANY, PROJECTED = 5000, 1024  # images from which features are projected to so many numbers

Predict = Callable[[NDArray[np.float32]], NDArray[np.int64]]
Fit = Callable[[NDArray[np.float32], NDArray[np.int64]], Predict]


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """Where a set lies, and how many images of each class each part has."""

    file: str
    image_px: int
    train: float  # images of each class; under 1: a share
    pool: int = 1_000_000  # images of each class that are drawn from
    split: int | None = None  # of the source, that is drawn from


SETS = {
    "signs": ImageSet("signs.tar", 128, 30),
    "hymenoptera": ImageSet("hymenoptera.tar", 128, 245 / 398),
    "cifar10": ImageSet("cifar10.zip", 64, 30, pool=130),
    "200 classes": ImageSet("tiny-imagenet-1.zip", 64, 30, split=2),
}


@dataclasses.dataclass(frozen=True)
class Draw:
    """What one draw says."""

    correct: NDArray[np.bool_]  # (n,) by folds
    groups: NDArray[np.int64]  # (n,)
    test_accuracy: float
    test_images: int


def features_of(images: ImageSet, shared: Path) -> tuple[Pack, NDArray[np.float32]]:
    """Return a set's pack and (N, D) features."""
    source = open_source(shared / images.file)
    assert not isinstance(source, Pack)
    left = np.zeros(len(source), dtype=np.bool_)
    if images.split is not None:
        left |= source.splits != images.split
    for label in range(len(source.classes)):
        left[np.flatnonzero((source.labels == label) & ~left)[images.pool :]] = True
    pack = load_pack(source.without(left), image_px=images.image_px, cache="none")
    weights = load_weights("small-200")
    weights = weights.resized(image_px=images.image_px, crop_px=images.image_px)
    network, device = weights.network(), choose_device("fp32")
    device.place(network)
    pooling = PooledFeatures(default_blocks(network))
    everything = np.arange(len(pack), dtype=np.int64)
    rule = weights.preprocessing
    rows = pooled_rows(network, rule, pack, everything, pooling, mirror=False, device=device)
    if len(pack) <= MANY:
        return pack, rows.features
    projection = np.random.default_rng(0).normal(size=(rows.features.shape[1], PROJECTED))
    return pack, rows.features @ (projection / PROJECTED**0.5).astype(np.float32)


def ridge(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    """Fit a ridge classifier in the smaller of its two forms; return what predicts."""
    shift = features.mean(axis=0)
    x = features - shift
    y = 2 * np.eye(int(labels.max()) + 1, dtype=np.float32)[labels] - 1
    is_dual = len(x) <= x.shape[1]
    gram = x @ x.T if is_dual else x.T @ x
    gram[np.diag_indices(len(gram))] += PENALTY * float(np.trace(gram)) / len(x)
    centered = y - y.mean(axis=0)
    right = centered if is_dual else x.T @ centered
    weight: NDArray[np.float32] = np.linalg.solve(gram, right)
    weight = x.T @ weight if is_dual else weight
    return lambda rows: ((rows - shift) @ weight + y.mean(axis=0)).argmax(axis=1)


def logistic(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    """Fit the logistic head that `features --head logistic` searches; return what predicts."""
    from alexnet.transfer.head_search import search_head

    search = search_head("logistic", features, labels)
    return lambda rows: search.predict_proba(rows).argmax(axis=1)


HEADS: dict[str, Fit] = {"ridge": ridge, "logistic": logistic}


def draw(pack: Pack, features: NDArray[np.float32], images: ImageSet, fit: Fit, seed: int) -> Draw:
    """Divide a set, measure by folds, then on the test part."""
    rng = np.random.default_rng(seed)
    labels = pack.labels
    train = np.sort(
        np.concatenate([_part(rng, labels, k, images.train) for k in np.unique(labels)])
    )
    test = np.setdiff1d(np.arange(len(labels)), train)
    own, x = labels[train], features[train]
    groups = burst_groups(pack, train, x)
    folds = stratified_group_folds(own, groups, FOLDS, seed)
    correct = np.zeros(len(train), dtype=np.bool_)
    for fold in range(FOLDS):
        rest, held_out = folds != fold, folds == fold
        correct[held_out] = fit(x[rest], own[rest])(x[held_out]) == own[held_out]
    right = fit(x, own)(features[test]) == labels[test]
    return Draw(correct, groups, float(np.mean(right)), len(test))


def _part(
    rng: np.random.Generator, labels: NDArray[np.int64], label: int, count: float
) -> NDArray[np.int64]:
    own = rng.permutation(np.flatnonzero(labels == label))
    return own[: round(count * len(own)) if count < 1 else int(count)]


def report(name: str, draws: list[Draw], seconds: float) -> None:
    """Print one set's lines."""
    measured = np.array([each.correct.mean() for each in draws])
    truth = np.array([each.test_accuracy for each in draws])
    groups = np.mean([len(np.unique(each.groups)) for each in draws])
    n, m = len(draws[0].correct), draws[0].test_images
    chance = 100 * np.sqrt(truth.mean() * (1 - truth.mean()) * (1 / n + 1 / m))
    print(
        f"{name}: n {n}, m {m}, groups {groups:.0f}, by folds {100 * measured.mean():.1f}, on the "
        f"test part {100 * truth.mean():.1f}, difference {100 * (truth - measured).mean():+.1f} "
        f"+- {100 * (truth - measured).std(ddof=1):.1f} (by chance alone "
        f"{chance:.1f}), {seconds:.0f} s"
    )
    cells: list[str] = []
    for divisor in DIVISORS:
        held = [
            (interval := wilson_interval(p, round(effective_images(d.correct, d.groups) / divisor)))
            and interval.low <= t <= interval.high
            for d, p, t in zip(draws, measured, truth, strict=True)
        ]
        cells.append(f"n/{divisor:g}: {sum(held)}")
    own = [cross_validation_interval(d.correct, d.groups, folds=FOLDS) for d in draws]
    held = [each.low <= t <= each.high for each, t in zip(own, truth, strict=True)]
    width = 100 * np.mean([each.high - each.low for each in own])
    print(f"    {', '.join(cells)}; the package's: {sum(held)} of {len(draws)}, {width:.1f} wide")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shared", type=Path, help="folder of the archives")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--head", choices=HEADS, default="ridge")
    parser.add_argument("--draws", type=int, default=20)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in arguments.sets:
        started = time.perf_counter()
        pack, features = features_of(SETS[name], arguments.shared)
        draws = [
            draw(pack, features, SETS[name], HEADS[arguments.head], seed)
            for seed in range(arguments.draws)
        ]
        report(name, draws, time.perf_counter() - started)


if __name__ == "__main__":
    main()
