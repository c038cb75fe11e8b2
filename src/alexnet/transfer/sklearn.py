"""Trained networks as scikit-learn estimators: features as a transformer, heads as a classifier.

Legend: N images or rows, D features, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.devices import choose_device
from alexnet.errors import AlexNetError, SourceError
from alexnet.evaluation import (
    BATCH,
    Crops,
    InferencePrecision,
    Member,
    PredictFunction,
    average_crop_views,
)
from alexnet.models import backbone_of, default_features
from alexnet.progress import track
from alexnet.transfer.extract import make_layer_extractor
from alexnet.transfer.image_arrays import is_images, stored_batches
from alexnet.weights import DEFAULT_WEIGHTS, load_weights, weights_file

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.utils import multiclass, validation
except ImportError:
    raise AlexNetError(
        'AlexNetFeatures and AlexNetClassifier need scikit-learn: pip install "alexnet[learn]"'
    ) from None

if TYPE_CHECKING:
    from alexnet.transfer.head_calibration import ClassWeight
    from alexnet.transfer.head_search import HeadKind

__all__ = ["AlexNetClassifier", "AlexNetFeatures"]

_multiclass, _validation = cast("Any", multiclass), cast("Any", validation)  # they have no types


class AlexNetFeatures(TransformerMixin, BaseEstimator):
    """Images to the features that a layer of a trained network computes.

    Nothing is fitted: `fit` only reads the weights. They are read where they are used and are no
    part of a pickle.

    Args:
        weights: weights file, run folder, or name of bundled weights.
        layer: name of the layer, such as "relu7"; None: the network's last hidden one.
        crops: 1, 5 or 10 crops of each image, whose features are averaged.
        batch_size: images of a batch.
        precision: of the arithmetic: "fp32" or "bf16".
        exact_convolutions: convolve as torch does, also where Winograd's form is faster here.

    Attributes:
        layer_: name of the layer.

    Images are a list, an array or a column of names of files, or uint8 arrays of shape (N, H, W)
    or (N, H, W, 3), or a list of such of different sizes.
    """

    exact_convolutions = False  # of pickles from before it was a parameter

    def __init__(
        self,
        weights: str | Path = DEFAULT_WEIGHTS,
        *,
        layer: str | None = None,
        crops: Crops = 1,
        batch_size: int = BATCH,
        precision: InferencePrecision = "fp32",
        exact_convolutions: bool = False,
    ) -> None:
        self.weights = weights
        self.layer = layer
        self.crops: Crops = crops
        self.batch_size = batch_size
        self.precision: InferencePrecision = precision
        self.exact_convolutions = exact_convolutions

    def fit(self, X: Any, y: Any = None) -> AlexNetFeatures:  # noqa: N803 - scikit-learn's name
        """Read the weights.

        Raises:
            WeightsError: they cannot be used.
            RecipeError: the network has no such layer.
            ValueError: X are no images.
        """
        _require_images(X)
        member = _member(self)
        layer = self.layer or default_features(member.network)
        side = member.preprocessing.crop_px
        device = next(member.network.parameters()).device
        extractor = _extractor(self, layer)
        output = extractor(torch.zeros(1, 3, side, side, device=device))
        self.layer_, self._n_features_out = layer, output[0].numel()
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """Return (N, D) features.

        Raises:
            SourceError: a file cannot be read.
            ValueError: X are no images.
        """
        _validation.check_is_fitted(self)
        _require_images(X)
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
    """A classic classifier on a layer's features, its parameters searched by cross-validation.

    As `alexnet features --head`. It also takes rows of features that were computed before, by
    `AlexNetFeatures` or `alexnet features`; the network is left out then.

    Args:
        weights: weights file, run folder, or name of bundled weights.
        head: "logistic", "svm" (linear), "knn", "mlp" or "tree".
        class_weight: "balanced": classes weigh the same however many images they have; a mapping
            from labels to weights; None: every image weighs the same. "knn" has no weights in its
            votes; its parameters are chosen by them.
        layer: name of the layer; None: the network's last hidden one.
        crops: 1, 5 or 10 crops of each image whose predictions are averaged; the head is fitted on
            the center.
        batch_size: images of a batch.
        precision: of the network's arithmetic: "fp32" or "bf16".
        exact_convolutions: convolve as torch does, also where Winograd's form is faster here.
        random_state: seed of the search.

    Attributes:
        classes_: (K,) labels, sorted.
        head_: the head.
        best_params_: its parameters.
        candidates_: all that were tried, with their accuracy.
    """

    exact_convolutions = False  # of pickles from before it was a parameter

    def __init__(
        self,
        weights: str | Path = DEFAULT_WEIGHTS,
        *,
        head: HeadKind = "logistic",
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = "balanced",
        layer: str | None = None,
        crops: Crops = 1,
        batch_size: int = BATCH,
        precision: InferencePrecision = "fp32",
        exact_convolutions: bool = False,
        random_state: int = 0,
    ) -> None:
        self.weights = weights
        self.head: HeadKind = head
        self.class_weight: Literal["balanced"] | Mapping[Any, float] | None = class_weight
        self.layer = layer
        self.crops: Crops = crops
        self.batch_size = batch_size
        self.precision: InferencePrecision = precision
        self.exact_convolutions = exact_convolutions
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> AlexNetClassifier:  # noqa: N803
        """Search the parameters of the head and fit it.

        Args:
            X: N images (see `AlexNetFeatures`), or (N, D) features.
            y: N labels, at least two of each of two classes.

        Raises:
            ValueError: what scikit-learn does not accept, or too few of a class.
            RecipeError: no such head or layer.
            WeightsError: the weights cannot be used.
            SourceError: a file cannot be read.
        """
        from alexnet.transfer.head_conversion import head_from_sklearn
        from alexnet.transfer.head_search import search_head

        layer = self.layer or ""
        if is_images(X):
            y = _validation.column_or_1d(y, warn=True)
            member = _member(self)
            layer = self.layer or default_features(member.network)
            features = _features(self, X, layer, 1)
            if len(features) != len(y):
                raise ValueError(f"There are {len(features)} images and {len(y)} labels.")
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
            search = search_head(
                self.head,
                features,
                labels.astype(np.int64),
                class_weight=_class_weight(self.class_weight, classes),
                seed=self.random_state,
            )
        except SourceError as error:
            raise ValueError(str(error)) from error
        self.head_ = head_from_sklearn(search, layer=layer, classes=len(self.classes_))
        self.best_params_, self.candidates_ = search.best_parameters, search.candidates
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return (N, K) probabilities, each row summing to 1."""
        _validation.check_is_fitted(self)
        if not is_images(X):
            rows = _validation.validate_data(self, X, reset=False)
            with torch.inference_mode():
                logits = self.head_(torch.from_numpy(np.array(rows, dtype=np.float32)))
            return logits.double().softmax(dim=1).numpy()
        head, layer = self.head_, self.head_.features_from
        if not layer:
            raise ValueError("This classifier was fitted on features, not on images.")
        head.to(next(_member(self).network.parameters()).device)
        extractor = _extractor(self, layer)

        def predictor(x: torch.Tensor) -> torch.Tensor:
            return head(extractor(x)).softmax(dim=1)

        try:
            return _averaged(self, X, predictor, self.crops).astype(np.float64)
        finally:
            head.to("cpu")

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each image: (N,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super()).__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.string = True
        return tags


def _class_weight(
    class_weight: Literal["balanced"] | Mapping[Any, float] | None, classes: NDArray[Any]
) -> ClassWeight:
    """Return weights by positions in place of weights by labels; a label left out weighs 1."""
    if class_weight is None or class_weight == "balanced":
        return class_weight
    if not isinstance(class_weight, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(
            f'class_weight must be "balanced", a mapping or None; got {class_weight!r}.'
        )
    position = {label: i for i, label in enumerate(classes.tolist())}
    unknown = [label for label in class_weight if label not in position]
    if unknown:
        raise ValueError(
            f"class_weight has a weight for {unknown[0]!r}, which is no label of y. Labels: "
            f"{', '.join(map(repr, classes.tolist()))}."
        )
    return {position[label]: weight for label, weight in class_weight.items()}


def _features(
    estimator: AlexNetFeatures | AlexNetClassifier,
    X: Any,  # noqa: N803
    layer: str,
    crops: int,
) -> NDArray[np.float32]:
    return _averaged(estimator, X, _extractor(estimator, layer), crops)


def _extractor(estimator: AlexNetFeatures | AlexNetClassifier, layer: str) -> PredictFunction:
    member = _member(estimator)
    return make_layer_extractor(
        member.network, layer, estimator.precision, convolutions=member.convolutions
    )


def _averaged(
    estimator: AlexNetFeatures | AlexNetClassifier,
    X: Any,  # noqa: N803
    predictor: PredictFunction,
    crops: int,
) -> NDArray[np.float32]:
    """Apply a predictor to the crops of each image, and average: (N, D)."""
    if estimator.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1 image; got {estimator.batch_size}.")
    member = _member(estimator)
    parts: list[NDArray[np.float32]] = []
    with track("extracting features", len(X)) as advance:
        for batch in stored_batches(X, member.preprocessing, batch_size=estimator.batch_size):
            parts.append(average_crop_views(member, batch, predictor, crops=crops))
            advance(len(batch))
    return np.concatenate(parts)


def _member(estimator: AlexNetFeatures | AlexNetClassifier) -> Member:
    """Return the network below any head, read again when the file changes."""
    file = weights_file(Path(estimator.weights))
    state, exact = file.stat(), estimator.exact_convolutions
    return _loaded(os.fspath(file), state.st_mtime_ns, state.st_size, estimator.precision, exact)


@lru_cache(maxsize=2)
def _loaded(
    file: str, modified: int, size: int, precision: InferencePrecision, exact: bool
) -> Member:
    weights = load_weights(Path(file))
    network = backbone_of(weights.network())
    device = choose_device(precision, exact_convolutions=exact)
    device.place(network)
    return Member(network, weights.preprocessing, convolutions=device.convolutions)


def _require_images(X: Any) -> None:  # noqa: N803
    if not is_images(X):
        raise ValueError(
            "AlexNetFeatures takes images: names of files, or uint8 arrays of shape (N, H, W) or "
            f"(N, H, W, 3); got {type(X).__name__} of the shape {np.shape(X)}."
        )
