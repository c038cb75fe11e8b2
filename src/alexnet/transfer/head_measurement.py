"""Fitting a head on all images, and measuring one that did not see what it is measured on."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import SPLITS, Pack, assign_splits, draw_splits
from alexnet.devices import Device
from alexnet.evaluation import (
    InferencePrecision,
    compute_metrics,
    cross_validation_interval,
    evaluate_weights,
    fold_warning,
)
from alexnet.records import MeasuredBy, Results
from alexnet.transfer.head_fitting import SEED, FittedHead, headed_weights, search_rows
from alexnet.transfer.head_rows import HeadRows, extract_rows, join_rows
from alexnet.weights import Weights

if TYPE_CHECKING:
    from alexnet.transfer.head_calibration import ClassWeight
    from alexnet.transfer.head_search import HeadKind, HeadSearch

__all__ = ["FEW_HELD_OUT", "HeadFitting", "MeasuredHead"]

FEW_HELD_OUT = 100
"""Images: of fewer an accuracy says little, and folds of all images say more."""

_VAL_FRACTION = 0.1  # as training has by default
_HELD_OUT = [SPLITS.index(name) for name in ("val", "test")]

_log = logging.getLogger(__name__)

_CROPS_UNUSED = (
    "With so few images the head is measured by cross-validation on one center crop of each; crops "
    "count where images are held out."
)


@dataclass(frozen=True)
class MeasuredHead:
    """A head, and what was measured of one that was fitted without the images measured on."""

    fitted: FittedHead
    images: int  # that it was fitted on in the end
    by: MeasuredBy
    split: str | None
    results: Results | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeadFitting:
    """What is fitted, on what."""

    base: Weights
    pack: Pack
    kind: HeadKind
    class_weight: ClassWeight
    layer: str | None
    device: Device
    batch_size: int
    precision: InferencePrecision

    def measured(self, crops: int) -> MeasuredHead:
        """Fit and measure in the way that suits the number of images.

        Args:
            crops: of images that are held out.
        """
        own = np.isin(self.pack.splits, _HELD_OUT)
        if own.any() or _VAL_FRACTION * len(own) >= FEW_HELD_OUT:
            return self._held_out(crops, give_back=not own.any())
        if crops > 1:
            _log.warning(_CROPS_UNUSED)
        return self._by_folds()

    def _held_out(self, crops: int, *, give_back: bool) -> MeasuredHead:
        """Measure on a split of the source; or on a tenth, which is then learned from, too."""
        from alexnet.transfer.head_folds import fitted_on_all

        fraction = _VAL_FRACTION if give_back else 0.0
        splits = assign_splits(self.pack, val_fraction=fraction, seed=SEED)
        split = next(name for name in ("test", "val") if name in splits)
        started = time.perf_counter()
        rows = self._rows(splits["train"])
        search = search_rows(rows, self.kind, self.class_weight)
        fitted = self._finish(rows, search, started)
        results, _ = evaluate_weights(
            fitted.weights,
            self.pack,
            splits[split],
            self.device,
            crops=crops,
            batch_size=self.batch_size,
        )
        if not give_back:
            return MeasuredHead(fitted, len(rows.labels), "split", split, results)
        started = time.perf_counter() - fitted.seconds
        rows = join_rows(self.pack, rows, self._rows(splits[split]))
        search = fitted_on_all(
            search,
            rows.features,
            rows.labels,
            class_weight=self.class_weight,
            groups=rows.groups,
            seed=SEED,
        )
        fitted = self._finish(rows, search, started)
        return MeasuredHead(fitted, len(rows.labels), "held-out tenth", split, results)

    def _by_folds(self) -> MeasuredHead:
        """Search and measure by folds of all images, and fit on all of them."""
        from alexnet.transfer.head_folds import cross_validated_probabilities

        splits = draw_splits(self.pack, val_fraction=0, seed=SEED)
        for warning in splits.warnings:
            _log.warning("%s", warning)
        started = time.perf_counter()
        rows = self._rows(splits.indices["train"])
        search = search_rows(rows, self.kind, self.class_weight)
        probabilities = cross_validated_probabilities(
            search,
            rows.features,
            rows.labels,
            rows.groups,
            class_weight=self.class_weight,
            seed=SEED,
        )
        results = compute_metrics(probabilities, rows.labels, self.pack.classes)
        right = probabilities.argmax(axis=1) == rows.labels
        interval = cross_validation_interval(right, rows.groups, folds=search.folds)
        warning = fold_warning(rows.features, rows.labels, rows.groups)
        if warning:
            _log.warning("%s", warning)
        return MeasuredHead(
            self._finish(rows, search, started),
            len(rows.labels),
            "cross-validation",
            None,
            replace(results, top1_interval=interval),
            (warning,) if warning else (),
        )

    def _rows(self, indices: NDArray[np.int64]) -> HeadRows:
        return extract_rows(
            self.base,
            self.pack,
            indices,
            layer=self.layer,
            device=self.device,
            batch_size=self.batch_size,
            precision=self.precision,
        )

    def _finish(self, rows: HeadRows, search: HeadSearch, started: float) -> FittedHead:
        weights = headed_weights(self.base, self.pack, rows, search)
        return FittedHead(weights, search, time.perf_counter() - started)
