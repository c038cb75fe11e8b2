"""Trained networks in scikit-learn's clothes: features as a transformer, heads as a classifier.

Legend: N pictures or rows, D features, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.devices import choose_device
from alexnet.errors import AlexNetError, SourceError
from alexnet.evaluation import (
    BATCH,
    Ask,
    Crops,
    Exactness,
    Member,
    mean_over_views,
    stored_pictures,
)
from alexnet.images import Preprocessing, UnreadablePicture, fitted
from alexnet.models import bare
from alexnet.progress import track
from alexnet.transfer.extract import layer_numbers
from alexnet.weights import load_weights, weights_file
from alexnet.weights.prefetch import DEFAULT

__all__ = ["given_squares", "is_pictures"]


def is_pictures(given: Any) -> bool:
    """Whether what a program hands over are pictures and not a table of numbers.

    Names of files: a list, an array or a column of texts or paths. Arrays: (N, H, W),
    (N, H, W, 1) or (N, H, W, 3), or a list of such without N.
    """
    if _is_plain_array(given):
        return given.ndim >= 3 or given.dtype.kind in "US"
    if isinstance(given, np.ndarray) or hasattr(given, "to_numpy"):  # objects; a table or column
        given = np.asarray(cast("Any", given)).ravel().tolist()
    if not isinstance(given, list | tuple) or not given:
        return False
    first = cast("Any", given[0])
    return isinstance(first, str | os.PathLike) or np.ndim(first) >= 2


def given_squares(given: Any, rule: Preprocessing, *, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures as a preprocessing stores them, in order.

    Args:
        given: see `is_pictures`; arrays are uint8, grey or RGB, upright.
        rule: of the network.
        batch: pictures at once.

    Yields:
        (n, S, S, 3) uint8.

    Raises:
        SourceError: a file cannot be read; it is named.
        ValueError: arrays that are no pictures.
    """
    rows: Any = given
    if not isinstance(given, list | tuple) and not (_is_plain_array(given) and given.ndim >= 3):
        rows = np.asarray(given).ravel().tolist()
    if isinstance(rows[0], str | os.PathLike):
        yield from _of_files(_Files(rows), rule, batch)
        return
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        yield np.stack([fitted(_as_rgb(each), rule.image_px, rule.fit) for each in part])


def _is_plain_array(given: Any) -> bool:
    """Whether it is an array of numbers or texts."""
    return isinstance(given, np.ndarray) and cast("NDArray[Any]", given).dtype.kind != "O"


class _Files:
    """Picture files by number."""

    def __init__(self, places: Sequence[Any]) -> None:
        self.paths: list[str] = [os.fspath(each) for each in places]

    def read(self, index: int) -> bytes:
        path = self.paths[index]
        try:
            return Path(path).read_bytes()
        except (OSError, ValueError) as cause:
            reason = getattr(cause, "strerror", None) or cause
            raise UnreadablePicture(path, str(reason).lower()) from cause


def _of_files(files: _Files, rule: Preprocessing, batch: int) -> Iterator[NDArray[np.uint8]]:
    """Read every file: a row for each is what the caller counts on, so that none is left out."""
    for part in stored_pictures([rule], files, np.arange(len(files.paths)), batch=batch):
        if part.failures:
            index, reason = part.failures[0]
            raise SourceError(
                f"{files.paths[index]} cannot be read: {reason}. Leave it out; alexnet check names "
                "all such files of a folder."
            )
        yield part.pictures[0]


def _as_rgb(picture: Any) -> NDArray[np.uint8]:
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(
            "A picture is an array of uint8 in 0..255 of shape (H, W), (H, W, 1) or (H, W, 3); got "
            f"{array.dtype} of {np.shape(picture)}."
        )
    if not array.size:
        raise ValueError(f"A picture has at least one pixel; got the shape {np.shape(picture)}.")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


try:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.utils import multiclass, validation
except ImportError:
    raise AlexNetError(
        'AlexNetFeatures and AlexNetClassifier need scikit-learn: pip install "alexnet[learn]"'
    ) from None

if TYPE_CHECKING:
    from alexnet.transfer.head_search import HeadKind

__all__ = ["AlexNetClassifier", "AlexNetFeatures"]

_multiclass, _validation = cast("Any", multiclass), cast("Any", validation)  # they have no types


class AlexNetFeatures(TransformerMixin, BaseEstimator):
    """Pictures to the numbers that a layer of a trained network makes of them.

    Nothing is learnt: `fit` looks only at the weights. They are read where they are used and are
    no part of a pickle.

    Args:
        weights: weights file, run folder, or name of weights that come with the package.
        layer: name of the layer, such as "relu7"; None: the network's last hidden one.
        crops: 1, 5 or 10 views of each picture, whose features are averaged.
        batch: pictures at once.
        precision: of the arithmetic: "fp32" or "bf16".

    Attributes:
        layer_: name of the layer.

    Pictures are a list, an array or a column of names of files, or uint8 arrays of shape (N, H, W)
    or (N, H, W, 3), or a list of such of different sizes.
    """

    def __init__(
        self,
        weights: str | Path = DEFAULT,
        *,
        layer: str | None = None,
        crops: Crops = 1,
        batch: int = BATCH,
        precision: Exactness = "fp32",
    ) -> None:
        self.weights = weights
        self.layer = layer
        self.crops: Crops = crops
        self.batch = batch
        self.precision: Exactness = precision

    def fit(self, X: Any, y: Any = None) -> AlexNetFeatures:  # noqa: N803 - scikit-learn's name
        """Look at the weights.

        Raises:
            WeightsError: they cannot be used.
            RecipeError: the network has no such layer.
            ValueError: X are no pictures.
        """
        _refuse_tables(X)
        member = _member(self.weights, self.precision)
        layer = self.layer or member.network.features_layer
        side = member.preprocessing.crop_px
        device = next(member.network.parameters()).device
        with torch.inference_mode():
            made = member.network.stage(torch.zeros(1, 3, side, side, device=device), layer)
        self.layer_, self._n_features_out = layer, made[0].numel()
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """Return (N, D) features.

        Raises:
            SourceError: a file cannot be read.
            ValueError: X are no pictures.
        """
        _validation.check_is_fitted(self)
        _refuse_tables(X)
        return _features(self, X, self.layer_, self.crops)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return D names: the layer's with a number."""
        _validation.check_is_fitted(self)
        return np.array([f"{self.layer_}_{i}" for i in range(self._n_features_out)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super()).__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []  # features are float32
        tags.input_tags.three_d_array = tags.input_tags.string = True
        return tags


class AlexNetClassifier(ClassifierMixin, BaseEstimator):
    """A classic classifier on a layer's numbers, its parameters searched by cross-validation.

    As `alexnet features --head`. Rows of numbers, too, are taken: as features that were made
    before, by `AlexNetFeatures` or `alexnet features`; the network is left out then.

    Args:
        weights: weights file, run folder, or name of weights that come with the package.
        head: "logistic", "svm" (linear), "knn", "mlp" or "tree".
        layer: name of the layer; None: the network's last hidden one.
        crops: 1, 5 or 10 views of each picture whose answers are averaged; the head learns from the
            centre.
        batch: pictures at once.
        precision: of the network's arithmetic: "fp32" or "bf16".
        random_state: seed of the search.

    Attributes:
        classes_: (K,) labels, sorted.
        head_: the head.
        chosen_: its parameters.
        candidates_: what was tried, with the share of right answers.
    """

    def __init__(
        self,
        weights: str | Path = DEFAULT,
        *,
        head: HeadKind = "logistic",
        layer: str | None = None,
        crops: Crops = 1,
        batch: int = BATCH,
        precision: Exactness = "fp32",
        random_state: int = 0,
    ) -> None:
        self.weights = weights
        self.head: HeadKind = head
        self.layer = layer
        self.crops: Crops = crops
        self.batch = batch
        self.precision: Exactness = precision
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> AlexNetClassifier:  # noqa: N803
        """Search and teach the head.

        Args:
            X: N pictures (see `AlexNetFeatures`), or (N, D) features.
            y: N labels, at least two of each of two classes.

        Raises:
            ValueError: what scikit-learn refuses, or too few of a class.
            RecipeError: no such head or layer.
            WeightsError: the weights cannot be used.
            SourceError: a file cannot be read.
        """
        from alexnet.transfer.head_search import as_head, search_head

        layer = self.layer or ""
        if is_pictures(X):
            y = _validation.column_or_1d(y, warn=True)
            layer = self.layer or _member(self.weights, self.precision).network.features_layer
            features = _features(self, X, layer, 1)
            if len(features) != len(y):
                raise ValueError(f"There are {len(features)} pictures and {len(y)} labels.")
        else:
            rows, y = _validation.validate_data(self, X, y)
            features = np.asarray(rows, dtype=np.float32)
        _multiclass.check_classification_targets(y)
        classes, labels = np.unique(np.asarray(y), return_inverse=True)
        self.classes_: NDArray[Any] = classes
        if len(self.classes_) < 2:
            raise ValueError(
                f"A classifier needs at least two classes; y holds one class, {self.classes_[0]!r}."
            )
        try:
            found = search_head(
                self.head, features, labels.astype(np.int64), seed=self.random_state
            )
        except SourceError as error:
            raise ValueError(str(error)) from error
        self.head_ = as_head(found, layer=layer, classes=len(self.classes_))
        self.chosen_, self.candidates_ = found.chosen, found.candidates
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return (N, K) probabilities, each row summing to 1."""
        _validation.check_is_fitted(self)
        if not is_pictures(X):
            rows = _validation.validate_data(self, X, reset=False)
            with torch.inference_mode():
                found = self.head_(torch.from_numpy(np.array(rows, dtype=np.float32)))
            return found.double().softmax(dim=1).numpy()
        head, layer = self.head_, self.head_.layer
        if not layer:
            raise ValueError("This classifier was fitted on features, not on pictures.")
        network = _member(self.weights, self.precision).network
        head.to(next(network.parameters()).device)
        numbers = layer_numbers(network, layer, self.precision)

        def ask(x: torch.Tensor) -> torch.Tensor:
            return head(numbers(x)).softmax(dim=1)

        try:
            return _asked(self, X, ask, self.crops).astype(np.float64)
        finally:
            head.to("cpu")

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return (N,) labels: of each the most probable."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super()).__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.string = True
        return tags


def _features(
    estimator: AlexNetFeatures | AlexNetClassifier, given: Any, layer: str, crops: int
) -> NDArray[np.float32]:
    network = _member(estimator.weights, estimator.precision).network
    return _asked(estimator, given, layer_numbers(network, layer, estimator.precision), crops)


def _asked(
    estimator: AlexNetFeatures | AlexNetClassifier,
    given: Any,
    ask: Ask,
    crops: int,
) -> NDArray[np.float32]:
    """Ask for numbers about each view of each picture, and average them."""
    if estimator.batch < 1:
        raise ValueError(f"batch must be at least 1 picture; got {estimator.batch}.")
    member = _member(estimator.weights, estimator.precision)
    parts: list[NDArray[np.float32]] = []
    with track("looking at pictures", len(given)) as advance:
        for squares in given_squares(given, member.preprocessing, batch=estimator.batch):
            parts.append(mean_over_views(member, squares, ask, crops=crops))
            advance(len(squares))
    return np.concatenate(parts)


def _member(weights: str | Path, precision: Exactness) -> Member:
    """Return the network below any head, read again when the file changes."""
    file = weights_file(Path(weights))
    found = file.stat()
    return _loaded(os.fspath(file), found.st_mtime_ns, found.st_size, precision)


@lru_cache(maxsize=2)
def _loaded(file: str, changed: int, size: int, precision: Exactness) -> Member:
    weights = load_weights(Path(file))
    network = bare(weights.network())
    choose_device(precision).place(network)
    return Member(network, weights.preprocessing)


def _refuse_tables(given: Any) -> None:
    if not is_pictures(given):
        shape = np.shape(given)
        raise ValueError(
            "AlexNetFeatures takes pictures: names of files, or uint8 arrays of shape (N, H, W) or "
            f"(N, H, W, 3); got {type(given).__name__} of the shape {shape}."
        )
