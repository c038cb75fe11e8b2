"""What is asked of an export, and what a written file must let one do: answer for pictures.

Legend: N pictures, S side of the stored picture, c side of the crop, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import WeightsError
from alexnet.images import Preprocessing
from alexnet.weights.file import load_weights, save_weights
from alexnet.weights.weights import Weights

__all__ = ["ExportRequest", "Gives", "Precision", "Runnable", "Takes", "facts"]
__all__ += ["handed_over", "open_safetensors"]
__all__ += ["takes_in_words", "write_safetensors"]

Precision = Literal["fp32", "fp16", "int8"]
Takes = Literal["picture", "crop", "numbers"]
Gives = Literal["probabilities", "logits"]

Run = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """How a file is to be.

    Args:
        precision: of weights and arithmetic.
        takes: "picture": (N, S, S, 3) uint8, RGB, as stored; the graph cuts the centre and prepares
            it. "crop": (N, c, c, 3) uint8, the central crop. "numbers": (N, 3, c, c) float32, after
            preprocessing.
        gives: "probabilities" (softmax) or "logits", (N, K) float32.
        plain_operators: no operator for normalisation, only elementary ones.
        calibration: for int8: gives stored pictures, (n, S, S, 3) uint8, to see ranges on.
    """

    precision: Precision = "fp32"
    takes: Takes = "picture"
    gives: Gives = "probabilities"
    plain_operators: bool = False
    calibration: Callable[[], Iterator[NDArray[np.uint8]]] | None = field(
        default=None, compare=False
    )


@dataclass(frozen=True)
class Runnable:
    """A written file, opened by a program that runs it."""

    runtime: str  # its name and version
    weights: Weights | None = None  # where the file holds these, and we are the program
    run: Run | None = None  # from what the file takes to what it gives, where another program is


def facts(weights: Weights, request: ExportRequest) -> dict[str, str]:
    """Return what a reader of the file needs, as texts: JSON where there is more than a word."""
    rule = weights.preprocessing
    mean = rule.mean.tolist() if rule.mean is not None and rule.mean.ndim == 1 else None
    about = {**rule.to_json(), "mean_numbers": mean}
    return {
        "program": f"alexnet {weights.versions.get('alexnet', '')}".strip(),
        "model": weights.model,
        "classes": json.dumps(list(weights.classes), ensure_ascii=False),
        "class_words": json.dumps(weights.class_words, ensure_ascii=False),
        "takes": takes_in_words(rule, request),
        "gives": f"{request.gives}, float32 (N, {len(weights.classes)})",
        "preprocessing": json.dumps(about),
        "precision": request.precision,
        "digest": weights.digest,
    }


def takes_in_words(rule: Preprocessing, request: ExportRequest) -> str:
    """Say what the file takes."""
    side, crop = rule.image_px, rule.crop_px
    return {
        "picture": f"pictures, uint8 (N, {side}, {side}, 3), RGB",
        "crop": f"central crops, uint8 (N, {crop}, {crop}, 3), RGB",
        "numbers": f"prepared numbers, float32 (N, 3, {crop}, {crop}), {rule.order}",
    }[request.takes]


def handed_over(
    pictures: NDArray[np.uint8], rule: Preprocessing, takes: Takes
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return stored pictures, (n, S, S, 3) uint8, as a file takes them."""
    if takes == "picture":
        return pictures
    start, c = rule.centre, rule.crop_px
    crops = np.ascontiguousarray(pictures[:, start : start + c, start : start + c])
    if takes == "crop":
        return crops
    place = np.full(len(crops), start, dtype=np.int64)
    numbers = rule.to_tensor(crops, place, place, np.zeros(len(crops), dtype=np.bool_))
    return np.ascontiguousarray(numbers.numpy())


def write_safetensors(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write a weights file of our own, perhaps in half precision.

    Raises:
        WeightsError: a precision or a form that such a file does not have.
        RunError: the disk refuses.
    """
    if request.precision == "int8":
        raise WeightsError(
            "A weights file of alexnet keeps fp32 or fp16. For int8 choose --to onnx or openvino."
        )
    if request != ExportRequest(precision=request.precision):
        raise WeightsError(
            "A weights file of alexnet holds its preprocessing and no graph. Leave --takes, "
            "--gives and --plain-operators out, or choose --to onnx."
        )
    dtype = "float16" if request.precision == "fp16" else "float32"
    save_weights(path, weights, dtype=dtype)


def open_safetensors(path: Path) -> Runnable:
    """Open a weights file of our own."""
    return Runnable("alexnet itself", weights=load_weights(path))
