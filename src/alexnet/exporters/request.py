"""What is asked of an export, and a written file opened by a program that runs it.

Legend: N images, S side of the stored image, c side of the crop, K classes.
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
from alexnet.weights import Weights, load_weights, save_weights

__all__ = [
    "ExportRequest",
    "ExportedModel",
    "InputType",
    "OutputType",
    "Precision",
    "describe_input",
    "describe_output",
    "file_metadata",
    "open_safetensors",
    "prepare_input",
    "write_safetensors",
]

Precision = Literal["fp32", "fp16", "int8"]
InputType = Literal["image", "crop", "tensor"]
OutputType = Literal["probabilities", "logits"]

Run = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """How a file is to be.

    Args:
        precision: of weights and arithmetic.
        input_type: "image": (N, S, S, 3) uint8, RGB, as stored; the graph cuts the center and
            normalizes it. "crop": (N, c, c, 3) uint8, the central crop. "tensor": (N, 3, c, c)
            float32, after preprocessing.
        output_type: "probabilities" (softmax) or "logits", (N, K) float32.
        plain_operators: no operator for normalization, only elementary ones.
        calibration: for int8: gives stored images, (n, S, S, 3) uint8, to observe ranges on.
    """

    precision: Precision = "fp32"
    input_type: InputType = "image"
    output_type: OutputType = "probabilities"
    plain_operators: bool = False
    calibration: Callable[[], Iterator[NDArray[np.uint8]]] | None = field(
        default=None, compare=False
    )


@dataclass(frozen=True)
class ExportedModel:
    """A written file, opened by a program that runs it."""

    runtime: str  # its name and version
    weights: Weights | None = None  # where the file is a weights file, and we are the program
    run: Run | None = None  # from the file's input to its output, where another program is


def file_metadata(weights: Weights, request: ExportRequest) -> dict[str, str]:
    """Return what a reader of the file needs, as strings: JSON where there is more than a word."""
    rule = weights.preprocessing
    mean = rule.mean.tolist() if rule.mean is not None and rule.mean.ndim == 1 else None
    return {
        "program": f"alexnet {weights.versions.get('alexnet', '')}".strip(),
        "model": weights.model,
        "classes": _json_text(list(weights.classes)),
        "class_words": _json_text(weights.class_words),
        "input": describe_input(rule, request),
        "output": describe_output(weights, request),
        "preprocessing": json.dumps({**rule.to_json(), "mean_values": mean}),
        "precision": request.precision,
        "digest": weights.digest,
    }


def _json_text(value: object) -> str:
    """Return JSON with letters as they are; names that are no Unicode get the escapes of JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def describe_input(rule: Preprocessing, request: ExportRequest) -> str:
    """Return the input's meaning, dtype and shape in words."""
    side, crop = rule.image_px, rule.crop_px
    return {
        "image": f"images, uint8 (N, {side}, {side}, 3), RGB",
        "crop": f"central crops, uint8 (N, {crop}, {crop}, 3), RGB",
        "tensor": f"preprocessed images, float32 (N, 3, {crop}, {crop}), {rule.order}",
    }[request.input_type]


def describe_output(weights: Weights, request: ExportRequest) -> str:
    """Return the output's meaning, dtype and shape in words."""
    return f"{request.output_type}, float32 (N, {len(weights.classes)})"


def prepare_input(
    images: NDArray[np.uint8], rule: Preprocessing, input_type: InputType
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Return stored images, (n, S, S, 3) uint8, as a file takes them."""
    if input_type == "image":
        return images
    start, c = rule.center_offset, rule.crop_px
    crops = np.ascontiguousarray(images[:, start : start + c, start : start + c])
    if input_type == "crop":
        return crops
    starts = np.full(len(crops), start, dtype=np.int64)
    tensor = rule.normalize(crops, starts, starts, np.zeros(len(crops), dtype=np.bool_))
    return np.ascontiguousarray(tensor.numpy())


def write_safetensors(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write a weights file of our own, perhaps in half precision.

    Raises:
        WeightsError: a precision or an input or output that such a file does not have.
        RunError: the disk refuses.
    """
    if request.precision == "int8":
        raise WeightsError(
            "A weights file of alexnet keeps fp32 or fp16. For int8 choose --to onnx or openvino."
        )
    if request != ExportRequest(precision=request.precision):
        raise WeightsError(
            "A weights file of alexnet holds its preprocessing and no graph. Leave --input-type, "
            "--output-type and --plain-operators out, or choose --to onnx."
        )
    dtype = "float16" if request.precision == "fp16" else "float32"
    save_weights(path, weights, dtype=dtype)


def open_safetensors(path: Path) -> ExportedModel:
    """Open a weights file of our own."""
    return ExportedModel("alexnet itself", weights=load_weights(path))
