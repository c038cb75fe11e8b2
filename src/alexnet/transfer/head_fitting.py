"""A head on a layer's features: searched, fitted, and made into weights that predict with it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Pack
from alexnet.devices import Device
from alexnet.evaluation import BATCH, InferencePrecision
from alexnet.models import HeadedNetwork, backbone_of
from alexnet.transfer.head_rows import HeadRows, extract_rows
from alexnet.weights import Weights, current_versions

if TYPE_CHECKING:
    from alexnet.transfer.head_calibration import ClassWeight
    from alexnet.transfer.head_search import HeadKind, HeadSearch

__all__ = ["SEED", "FittedHead", "fit_head", "headed_weights", "search_rows"]

SEED = 0
"""Of the search and of the folds."""


@dataclass(frozen=True)
class FittedHead:
    """A fitted head, and the weights that predict with it."""

    weights: Weights
    search: HeadSearch
    seconds: float


def fit_head(
    base: Weights,
    pack: Pack,
    train: NDArray[np.int64],
    *,
    kind: HeadKind,
    layer: str | None,
    class_weight: ClassWeight = "balanced",
    device: Device,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
    seed: int = SEED,
) -> FittedHead:
    """Fit a head on some images of a pack.

    Args:
        base: weights whose network makes the features; a head that they have is left out.
        pack: its images are stored as the weights want them.
        train: (n,) which images to fit on.
        kind: logistic, svm, knn, mlp or tree.
        layer: name of a layer; None: the network's own choice.
        class_weight: see `search_head`.
        device: where the network runs.
        batch_size: images at once.
        precision: of the network's arithmetic.
        seed: of the search.

    Returns:
        The head, and weights for the pack's classes that predict with it.
    """
    started = time.perf_counter()
    rows = extract_rows(
        base,
        pack,
        train,
        layer=layer,
        device=device,
        batch_size=batch_size,
        precision=precision,
    )
    search = search_rows(rows, kind, class_weight, seed)
    return FittedHead(
        headed_weights(base, pack, rows, search), search, time.perf_counter() - started
    )


def search_rows(
    rows: HeadRows, kind: HeadKind, class_weight: ClassWeight, seed: int = SEED
) -> HeadSearch:
    """Search a head on some rows; see `search_head`."""
    from alexnet.transfer.head_search import search_head

    return search_head(
        kind, rows.features, rows.labels, class_weight=class_weight, groups=rows.groups, seed=seed
    )


def headed_weights(base: Weights, pack: Pack, rows: HeadRows, search: HeadSearch) -> Weights:
    """Return weights for the pack's classes that predict with the head."""
    from alexnet.transfer.head_conversion import head_from_sklearn

    head = head_from_sklearn(search, layer=rows.layer, classes=len(pack.classes))
    headed = HeadedNetwork(backbone_of(base.network()), head)
    return Weights(
        model=headed.model,
        arguments=headed.arguments,
        state=headed.state_dict(),
        classes=tuple(pack.classes),
        class_words=dict(pack.class_words),
        preprocessing=base.preprocessing,
        recipe=base.recipe,
        versions=current_versions(),
    )
