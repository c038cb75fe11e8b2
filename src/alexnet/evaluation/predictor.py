"""Weights that are loaded once and predict image after image, for programs that go on running.

Legend: n images of a batch, S side of the stored image, K classes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.devices import cores
from alexnet.errors import RecipeError, WeightsError
from alexnet.evaluation.ensemble import Ensemble, load_ensemble
from alexnet.evaluation.image_values import as_one_image, image_name, load_image, store
from alexnet.evaluation.predict import (
    InferencePrecision,
    PredictFunction,
    average_members,
    make_predictor,
)
from alexnet.evaluation.prediction_rows import (
    NO_NUMBER,
    check_prediction_options,
    named_prediction,
)
from alexnet.files import as_path, require_usable_path
from alexnet.images import Preprocessing, UnreadableImage
from alexnet.models import FullyConnected
from alexnet.records import Prediction
from alexnet.text import format_count, shorten
from alexnet.weights import DEFAULT_WEIGHTS

__all__ = ["OneImage", "Predictor"]

OneImage = str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image
"""One image by its type; arrays, tensors and open files are told by what they can do."""

_Stored = tuple[NDArray[np.uint8], ...] | str  # of each member (S, S, 3), or why there is none


class Predictor:
    """Weights, loaded once, that predict as many images as they are called with.

    Several threads may call it at once: they read and resize side by side and take turns at the
    network, which uses all cores itself. It can be pickled, and loads the weights again where it
    is unpickled.

    Args:
        weights: weights file, run folder, or a name that comes with the package; of several the
            predictions are averaged.
        top: classes of each prediction, the most probable first.
        reject_below: under this probability of the best class a prediction is `rejected`.
        crops: crops of each image whose predictions are averaged: 1, 5 or 10.
        precision: of convolutions and products: "fp32", or "bf16", faster and coarser.
        exact_convolutions: convolve as torch does, also where Winograd's form is faster here.
        fully_connected: how weights of large fully connected layers are kept on a CPU: None: as
            they were saved; "fp16" or "int8": rounded, which predicts single images in less time;
            "fp32". What it costs on own images, `alexnet evaluate` measures.
        batch_size: images of a list that go through the network at once; memory grows with it.

    Raises:
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
    """

    def __init__(
        self,
        weights: Path | str | Sequence[Path | str] = DEFAULT_WEIGHTS,
        *,
        top: int = 5,
        reject_below: float | None = None,
        crops: Literal[1, 5, 10] = 1,
        precision: InferencePrecision = "fp32",
        exact_convolutions: bool = False,
        fully_connected: FullyConnected | None = None,
        batch_size: int = 128,
    ) -> None:
        check_prediction_options(top, reject_below, batch_size)
        if type(crops) is not int or crops not in (1, 5, 10):
            raise RecipeError(f"crops must be 1, 5 or 10; got {shorten(crops)}.")
        self.top, self.reject_below, self.crops = top, reject_below, crops
        self.precision, self.batch_size = precision, batch_size
        self.exact_convolutions, self.fully_connected = exact_convolutions, fully_connected
        self._weights = _weights_paths(weights)
        self._ensemble: Ensemble = load_ensemble(
            self._weights, precision=precision, exact_convolutions=exact_convolutions
        )
        self._functions: list[PredictFunction] = []
        for member in self._ensemble.members:
            member.network.eval()
            self._functions.append(
                make_predictor(member, precision, fully_connected=fully_connected)
            )
        self._lock, self._process = threading.Lock(), os.getpid()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes, in the order of the first weights."""
        return self._ensemble.classes

    @property
    def class_words(self) -> dict[str, str]:
        """What class names mean, of those that need it."""
        return dict(self._ensemble.class_words)

    @overload
    def __call__(self, images: OneImage) -> Prediction: ...
    @overload
    def __call__(self, images: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...
    @overload
    def __call__(self, images: Any) -> Any: ...
    def __call__(self, images: Any) -> Prediction | list[Prediction]:
        """Predict one image, or several.

        Args:
            images: a path; the bytes of a file, or a file open for reading; an array of uint8,
                (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), upright; a torch tensor of uint8,
                (H, W), (1, H, W) or (3, H, W); a Pillow image. Or several: a list, a generator or
                an array of four axes.

        Returns:
            For one image a prediction; for several a list, one for each. In a list an image that
            cannot be read is a prediction with an `error`, and the others go on.

        Raises:
            SourceError: the one image cannot be read, or a value is no image at all.
            WeightsError: the network's output for the one image is no number.
        """
        if not as_one_image(images):
            return [row for rows in self._batches(images) for row in rows]
        name = image_name(images, 1)
        row = self._predict([name], [self._store(images, name)])[0]
        if row.error == NO_NUMBER:
            raise WeightsError(f"{shorten(self._weights[0])}: {row.error}.")
        if row.error is not None:
            raise UnreadableImage(shorten(name), row.error)
        return row

    def __repr__(self) -> str:
        named = ", ".join(repr(shorten(path)) for path in self._weights)
        crops = format_count(self.crops, "crop")
        return f"Predictor({named}: {len(self.classes):,} classes, {crops})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make it again: its weights are loaded from their files."""
        settings = {
            "top": self.top,
            "reject_below": self.reject_below,
            "crops": self.crops,
            "precision": self.precision,
            "exact_convolutions": self.exact_convolutions,
            "fully_connected": self.fully_connected,
            "batch_size": self.batch_size,
        }
        return partial(Predictor, self._weights, **settings), ()

    def _batches(self, images: Iterable[Any]) -> Iterator[list[Prediction]]:
        """Yield predictions batch by batch; the next is read while the network computes one."""
        numbers = count(1)
        with ThreadPoolExecutor(cores(), thread_name_prefix="decode") as pool:
            waiting: tuple[list[str], list[Future[_Stored]]] | None = None
            remaining = iter(images)
            while batch := list(islice(remaining, self.batch_size)):
                names = [image_name(image, next(numbers)) for image in batch]
                stored = [
                    pool.submit(self._store, *each) for each in zip(batch, names, strict=True)
                ]
                if waiting is not None:
                    yield self._predict(waiting[0], [each.result() for each in waiting[1]])
                waiting = names, stored
            if waiting is not None:
                yield self._predict(waiting[0], [each.result() for each in waiting[1]])

    def _store(self, image: Any, name: str) -> _Stored:
        """Read an image as each network wants it, once for all that want the same."""
        try:
            loaded = load_image(image, name)
            made: dict[tuple[object, ...], NDArray[np.uint8]] = {}
            rules = [member.preprocessing for member in self._ensemble.members]
            for rule in rules:
                if _reading(rule) not in made:
                    made[_reading(rule)] = store(loaded, rule, name)
        except UnreadableImage as error:
            return error.reason
        return tuple(made[_reading(rule)] for rule in rules)

    def _predict(self, names: list[str], stored: list[_Stored]) -> list[Prediction]:
        readable = [each for each in stored if not isinstance(each, str)]
        rows = iter(self._probabilities(readable))
        return [
            Prediction(path=name, error=each)
            if isinstance(each, str)
            else named_prediction(name, next(rows), self.classes, self.top, self.reject_below)
            for name, each in zip(names, stored, strict=True)
        ]

    def _probabilities(self, stored: list[tuple[NDArray[np.uint8], ...]]) -> NDArray[np.float32]:
        """Return (n, K) of images as each network wants them stored."""
        if not stored:
            return np.empty((0, len(self.classes)), dtype=np.float32)
        images = [np.stack(of_member) for of_member in zip(*stored, strict=True)]
        if self._process != os.getpid():  # forked: another thread of the parent may have held it
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:  # the packed weights of a network are one thread's at a time
            return average_members(
                self._ensemble.members, images, crops=self.crops, predictors=self._functions
            )


def _weights_paths(weights: Any) -> list[Path]:
    """Return absolute paths of files, so that a pickle finds them from another folder."""
    single = isinstance(weights, str | bytes | os.PathLike)
    several: Any = [cast("Any", weights)] if single else weights
    if not isinstance(several, list | tuple) or not several:
        raise WeightsError(
            "Predictor takes a weights file, a run folder, a name of published weights, or a list "
            f"of such; got {type(cast(object, several)).__name__}."
        )
    return [_weights_path(each) for each in cast("Sequence[Any]", several)]


def _weights_path(weights: Any) -> Path:
    path = as_path(weights, WeightsError, "A weights file")
    require_usable_path(path, WeightsError)
    return path.absolute() if path.exists() else path  # a name of published weights is no path


def _reading(rule: Preprocessing) -> tuple[object, ...]:
    """Return what decides how an image is read."""
    return rule.image_px, rule.resize_mode, rule.gray
