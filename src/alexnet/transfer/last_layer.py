"""The last layer of a network fitted by logistic regression, before any of it is trained.

Trained from random values, a new last layer first sends blind gradients into the layers below and
spoils what they know; begun from a logistic regression on their features it does not (Kumar et al.
2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution").

Legend: N images, D inputs of the last layer, K classes.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alexnet.data import Pack
from alexnet.errors import WeightsError
from alexnet.evaluation import BATCH, Member, average_crop_views, stored_images
from alexnet.images import Preprocessing
from alexnet.models import Network
from alexnet.progress import track

__all__ = ["FittedLayer", "fit_last_layer", "is_fittable"]

_log = logging.getLogger(__name__)

_MAX_IMAGES = 10_000  # that a layer is fitted on: more change little in where a training begins
_MAX_NUMBERS = 2**27  # of them, in features
_MAX_SEARCH = 200_000_000  # N * D * K of a search that takes a minute
_UNSEARCHED_C = 0.01  # of scaled features; what a search chooses for some thousand images
_UNSEARCHED_STEPS = 30
_TOLERANCE = 1e-3  # of the largest logit: float32's rounding in another order
_TENSORS = ("weight", "bias", "shift", "scale")
_STABLE = 0.5  # see `FittedLayer.lr_limit`


@dataclass(frozen=True)
class FittedLayer:
    """What fitting a last layer found.

    Args:
        images: that it was fitted on.
        inputs: D.
        mean_square: mean squared length of its inputs.
    """

    images: int
    inputs: int
    mean_square: float

    @property
    def lr_limit(self) -> float:
        """The largest rate at which the layer learns without overshooting.

        The loss of a softmax bends by at most a half of the inputs' largest eigenvalue, which is at
        most their mean squared length. With a momentum of 0.9 steps diverge at 3.8 over the bend;
        a half over that length is far enough below it that small batches do no harm either.
        """
        return _STABLE / max(self.mean_square, 1e-12)


def is_fittable(network: Network) -> bool:
    """Whether the logits are a linear function of the last layer's inputs, averaged over maps.

    Tried on random images: so it holds for whatever follows the layer (a mean over the map, a
    flattening), also in modules that are not of this package. False where scikit-learn is missing.

    Args:
        network: its mode is left as it was.
    """
    layer = _last_layer(network)
    if layer is None or layer.bias is None:
        return False
    if importlib.util.find_spec("sklearn") is None:
        _log.info(
            "The new last layer starts from random values; with scikit-learn it starts from a "
            'logistic regression on the features: pip install "alexnet[learn]"'
        )
        return False
    side = network.crop_px
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, side, side, generator=generator).to(layer.weight.device)
    was_training = network.training
    try:
        with torch.inference_mode():
            inputs, logits = _run(network.eval(), layer, x)
            wanted = inputs @ layer.weight.flatten(1).T + layer.bias
    finally:
        network.train(was_training)
    if wanted.shape != logits.shape:
        return False
    return bool((wanted - logits).abs().max() <= _TOLERANCE * logits.abs().max().clamp(min=1e-6))


def fit_last_layer(
    network: Network,
    preprocessing: Preprocessing,
    pack: Pack,
    train: NDArray[np.int64],
    *,
    balanced: bool,
    seed: int,
) -> FittedLayer:
    """Fit the last layer by logistic regression on center crops; all other layers stay.

    Its regularization is searched by cross-validation (`search_head`), its logits are divided by
    the temperature that was found there. Of more than 10,000 images some are drawn.

    Args:
        network: on its device; see `is_fittable`.
        preprocessing: of the network.
        pack: its images are stored as the preprocessing wants them.
        train: (N,) the images to fit on; each class is there.
        balanced: classes weigh the same however many images they have.
        seed: of the draw and of the folds.

    Raises:
        WeightsError: inputs that are no numbers.
    """
    layer = _last_layer(network)
    assert layer is not None, "is_fittable"
    assert layer.bias is not None, "is_fittable"
    size = layer.weight[0].numel()
    rows = _drawn(pack.labels[train], min(_MAX_IMAGES, max(_MAX_NUMBERS // size, 1)), seed)
    chosen = train[rows]
    features = _inputs(network, layer, preprocessing, pack, chosen)
    weight, bias = _logistic(features, pack.labels[chosen], balanced=balanced, seed=seed)
    weight, bias = weight - weight.mean(axis=0), bias - bias.mean()  # of no effect on a softmax
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight).reshape(layer.weight.shape))  # pyright: ignore[reportUnknownMemberType]
        layer.bias.copy_(torch.from_numpy(bias))  # pyright: ignore[reportUnknownMemberType]
    mean_square = float(np.square(features, dtype=np.float64).sum(axis=1).mean())
    return FittedLayer(len(chosen), size, mean_square)


def _last_layer(network: Network) -> nn.Linear | nn.Conv2d | None:
    """Return the layer that makes the class scores; None: of a kind that cannot be fitted."""
    layer = network.get_submodule(network.head) if network.head else None
    if isinstance(layer, nn.Conv2d) and layer.groups == 1 and layer.padding_mode == "zeros":
        return layer
    return layer if isinstance(layer, nn.Linear) else None


def _run(network: Network, layer: nn.Linear | nn.Conv2d, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (n, D) inputs of a layer, averaged over its positions, and the logits."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        logits = network(x)
    finally:
        hook.remove()
    inputs = seen[-1].float()
    if isinstance(layer, nn.Linear):
        return inputs.flatten(1), logits
    if isinstance(layer.padding, str):  # "same", "valid"
        return inputs.new_zeros((len(x), 0)), logits.new_zeros((len(x), 0))
    windows = functional.unfold(
        inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride
    )
    return windows.mean(dim=2), logits


def _inputs(
    network: Network,
    layer: nn.Linear | nn.Conv2d,
    preprocessing: Preprocessing,
    pack: Pack,
    indices: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return the (N, D) inputs of the layer for the center crops of images."""
    member = Member(network, preprocessing)
    parts: list[NDArray[np.float32]] = []
    with track("features for the new last layer", len(indices)) as advance:
        for stored in stored_images([preprocessing], pack, indices, batch_size=BATCH):
            parts.append(
                average_crop_views(
                    member, stored.images[0], lambda x: _run(network, layer, x)[0], crops=1
                )
            )
            advance(len(parts[-1]))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise WeightsError(
            f'The inputs of the last layer "{network.head}" are no numbers for some images: the '
            "weights are not finite or overflow. Use other weights."
        )
    return features


def _drawn(labels: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Return which rows are fitted on: all, or of each class in proportion, at least two."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = [order[labels[order] == k] for k in range(int(labels.max()) + 1)]
    counts = [max(2, round(most / len(labels) * len(part))) for part in parts]
    return np.sort(np.concatenate([part[:n] for part, n in zip(parts, counts, strict=True)]))


def _logistic(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, balanced: bool, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (K, D) weights and (K,) biases for features as they are."""
    from alexnet.transfer.head_conversion import head_from_sklearn
    from alexnet.transfer.head_search import search_head

    classes = int(labels.max()) + 1
    smallest = int(np.bincount(labels).min())
    if smallest < 2 or features.size * classes > _MAX_SEARCH:
        return _unsearched(features, labels, balanced=balanced)
    search = search_head(
        "logistic", features, labels, class_weight="balanced" if balanced else None, seed=seed
    )
    head = head_from_sklearn(search, layer="", classes=classes)
    return _unscaled(*(dict(head.named_buffers())[name] for name in _TENSORS))


def _unscaled(
    weight: Tensor, bias: Tensor, shift: Tensor, scale: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold the scaling of features into the weights that follow it."""
    folded = weight.double() / scale.double()
    moved = bias.double() - folded @ shift.double()
    return folded.float().numpy(), moved.float().numpy()


def _unsearched(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, balanced: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit with one regularization: no fold can hold out a class's only image, or it takes long."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    from alexnet.locks import own_warning_filters
    from alexnet.transfer.head_search import Scaling

    scaling = Scaling.fit(features)
    model: Any = LogisticRegression(
        C=_UNSEARCHED_C,
        max_iter=_UNSEARCHED_STEPS,
        class_weight="balanced" if balanced else None,
    )
    with own_warning_filters():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaling(features), labels)
    weight, bias = cast("NDArray[Any]", model.coef_), cast("NDArray[Any]", model.intercept_)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
        weight, bias = weight / 2, bias / 2
    arrays = (weight, bias, scaling.shift, scaling.scale)
    return _unscaled(*(torch.from_numpy(np.asarray(each)) for each in arrays))  # pyright: ignore[reportUnknownMemberType]
