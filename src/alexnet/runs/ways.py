"""The ways from trained weights to a classifier for other classes, tried on images held out.

Legend: n images, K classes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.errors import Diverged
from alexnet.evaluation import best_temperature
from alexnet.models import Block, PooledFeatures, default_blocks
from alexnet.progress import track
from alexnet.records import WayScore
from alexnet.training import StopRequest
from alexnet.transfer import RidgeChoice, RidgeTrials, Views, pooled_rows
from alexnet.weights import Weights

__all__ = [
    "AVERAGE",
    "FEATURES",
    "FINETUNE",
    "Division",
    "Fold",
    "Outcome",
    "Ways",
    "choose_outcome",
]

FEATURES = "features"
FINETUNE = "finetune"
TUNED_FEATURES = "finetune + features"
HALFWAY_FEATURES = "halfway + features"
AVERAGE = "average"

_SAME_ERRORS = 0.5  # standard errors
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fold:
    """Which images a classifier is made of, and which it is tried on: positions among n."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """How n images are divided into folds.

    Args:
        fold_of: (n,) the fold that holds an image out; -1: none does.
        groups: (n,) images of one number are in one fold.
    """

    fold_of: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def folds(self) -> list[Fold]:
        """Those that hold images out."""
        numbers = np.unique(self.fold_of[self.fold_of >= 0])
        return [
            Fold(np.flatnonzero(self.fold_of != number), np.flatnonzero(self.fold_of == number))
            for number in numbers
        ]

    @property
    def measured(self) -> NDArray[np.int64]:
        """Positions of the images that some fold holds out."""
        return np.flatnonzero(self.fold_of >= 0)


@dataclass(frozen=True)
class Outcome:
    """What one way came to on the images that were held out of it."""

    score: WayScore
    logits: NDArray[np.float64]  # (n, K), at the best temperature; zeros where never held out
    temperature: float  # of the network's own logits, where they take part
    ridge: RidgeChoice | None = None  # of the head, where there is one

    @property
    def name(self) -> str:
        """Of the way."""
        return self.score.name

    @property
    def trains(self) -> bool:
        """Whether layers of the network are trained on."""
        return self.name != FEATURES


class Ways:
    """Tries each way on folds of n images of a pack.

    Args:
        base: the weights that all begin with.
        pack: the images, stored as the weights want them.
        indices: (n,) which of them.
        device: where networks run.

    Attributes:
        labels: (n,) their classes.
        device: where networks run; a run that goes on sets the one that it began with.
    """

    def __init__(
        self, base: Weights, pack: Pack, indices: NDArray[np.int64], device: Device
    ) -> None:
        self._base, self._pack, self.device = base, pack, device
        self.indices = indices
        self.labels = pack.labels[indices]
        self._classes = len(pack.classes)

    @cached_property
    def base_views(self) -> Views:
        """Features of the n images under the weights that all begin with."""
        return self.views(self._base)[0]

    def measure(
        self, folds: Sequence[Fold], tune: Callable[[Fold], Weights], stop: StopRequest
    ) -> list[Outcome]:
        """Try every way on every fold, the simplest first.

        A fine-tuning whose loss is not finite leaves "features" alone, and that is logged.

        Args:
            folds: an image is held out of at most one.
            tune: returns the weights, fine-tuned on the images that a fold trains on.
            stop: ends the computation of features in its middle.

        Raises:
            Interrupted: somebody asked to stop.
        """
        outcomes = [self._measure_features(folds, stop)]
        try:
            outcomes += self._measure_tuned(folds, tune, stop)
        except Diverged as error:
            _log.warning("The ways that train layers are left out: %s", error)
        return outcomes

    def _measure_features(self, folds: Sequence[Fold], stop: StopRequest) -> Outcome:
        started = time.perf_counter()
        trials = RidgeTrials(len(self.indices), self._classes)
        with stop.at_once():
            for fold in folds:
                trials.fit(self.base_views, self.labels, fold.train, fold.held_out)
            choice, logits = trials.choose(self.labels, _held_out(folds))
        return self._outcome(
            FEATURES, logits, folds, started, ridge=choice, temperature=choice.temperature
        )

    def _measure_tuned(
        self, folds: Sequence[Fold], tune: Callable[[Fold], Weights], stop: StopRequest
    ) -> list[Outcome]:
        """Try the ways that share a fine-tuned network."""
        started, labels, held_out = time.perf_counter(), self.labels, _held_out(folds)
        halfway, tuned = (RidgeTrials(len(self.indices), self._classes) for _ in range(2))
        scores = np.zeros((len(self.indices), self._classes))
        for fold in folds:
            weights = tune(fold)
            with stop.at_once():
                views, _ = self.views(self.halfway(weights))
                halfway.fit(views, labels, fold.train, fold.held_out)
                views, _ = self.views(weights)
                tuned.fit(views, labels, fold.train, fold.held_out)
                scores[fold.held_out] = views.plain.scores[fold.held_out]
        temperature, _ = best_temperature(scores[held_out], labels[held_out])
        own = scores / temperature
        before, halfway_logits = halfway.choose(labels, held_out)
        after, tuned_logits = tuned.choose(labels, held_out)
        ways: list[tuple[str, NDArray[np.float64], RidgeChoice | None]] = [
            (HALFWAY_FEATURES, halfway_logits, before),
            (TUNED_FEATURES, tuned_logits, after),
            (FINETUNE, own, None),
            (AVERAGE, (own + tuned_logits) / 2, after),
        ]
        return [
            self._outcome(name, logits, folds, started, ridge=ridge, temperature=temperature)
            for name, logits, ridge in ways
        ]

    def _outcome(
        self,
        name: str,
        logits: NDArray[np.float64],
        folds: Sequence[Fold],
        started: float,
        *,
        ridge: RidgeChoice | None,
        temperature: float,
    ) -> Outcome:
        held_out, seconds = _held_out(folds), time.perf_counter() - started
        right = logits[held_out].argmax(axis=1) == self.labels[held_out]
        _, loss = best_temperature(logits[held_out], self.labels[held_out])
        score = WayScore(name=name, top1=float(right.mean()), loss=loss, seconds=seconds)
        return Outcome(score, logits, temperature, ridge)

    def halfway(self, tuned: Weights) -> Weights:
        """Return the mean of each tensor before and after the fine-tuning; the new layers as tuned.

        Halfway a network has learned the images and not yet forgotten what it knew (Wortsman et al.
        2022, "Robust fine-tuning of zero-shot models", with 0.5 as recommended there).
        """
        before = self._base.state
        state = {
            name: (tensor + before[name].to(tensor.dtype)) / 2
            if tensor.is_floating_point() and name in before and before[name].shape == tensor.shape
            else tensor
            for name, tensor in tuned.state.items()
        }
        return replace(tuned, state=state)

    def views(
        self, weights: Weights, rows: NDArray[np.int64] | None = None
    ) -> tuple[Views, tuple[Block, ...]]:
        """Return the features of images under some weights, and what they are made of.

        Args:
            weights: of a network for images of the pack.
            rows: positions of the images among n; None: all.
        """
        indices = self.indices if rows is None else self.indices[rows]
        network = weights.network(copy=False)
        self.device.place(network)
        pooling = PooledFeatures(default_blocks(network))
        with track("extracting features", 2 * len(indices)) as advance:
            plain, mirrored = (
                pooled_rows(
                    network,
                    weights.preprocessing,
                    self._pack,
                    indices,
                    pooling,
                    mirror=mirror,
                    device=self.device,
                    advance=advance,
                )
                for mirror in (False, True)
            )
        return Views(plain, mirrored), pooling.blocks


def _held_out(folds: Sequence[Fold]) -> NDArray[np.int64]:
    """Return the images that any fold holds out, rising."""
    return np.sort(np.concatenate([fold.held_out for fold in folds]))


def choose_outcome(outcomes: Sequence[Outcome], images: int) -> Outcome:
    """Return the most accurate way; of those that are as accurate the one of the lowest log loss.

    As accurate is what differs by less than half a standard error of the best: less than that is
    chance, where the loss, which every image changes, still tells them apart. Losses that are equal
    to a hundredth leave the first.

    Args:
        outcomes: at least one, the simplest first.
        images: that they were measured on.
    """
    best = max(outcome.score.top1 for outcome in outcomes)
    margin = _SAME_ERRORS * (best * (1 - best) / images) ** 0.5
    same = [outcome for outcome in outcomes if outcome.score.top1 >= best - margin]
    return min(same, key=lambda outcome: round(outcome.score.loss, 2))
