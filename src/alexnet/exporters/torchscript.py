"""Weights as TorchScript: one file that torch alone runs, in Python or C++, without alexnet."""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alexnet.errors import WeightsError
from alexnet.exporters.request import ExportedModel, ExportRequest, file_metadata
from alexnet.images import Preprocessing
from alexnet.locks import own_warning_filters
from alexnet.models import Head
from alexnet.nn import replace_with_portable
from alexnet.weights import Weights

__all__ = ["METADATA", "open_torchscript", "write_torchscript"]

jit: Any = torch.jit  # whose own types say little

METADATA = "alexnet.json"
"""The extra file inside that holds the metadata."""


class _Pipeline(nn.Module):
    """Preprocessing, network and softmax, as far as the request has them."""

    mean: Tensor | None
    scale: Tensor | None

    def __init__(self, network: nn.Module, rule: Preprocessing, request: ExportRequest) -> None:
        super().__init__()
        self.network = network
        self.request = request
        self.bgr = rule.order == "BGR"
        self.side = rule.crop_px
        self.start = rule.center_offset if request.input_type == "image" else 0
        mean = rule.center_mean
        self.register_buffer("mean", None if mean is None else torch.tensor(mean))
        self.register_buffer("scale", None if rule.std is None else torch.tensor(rule.std))

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, K) float32."""
        x = images if self.request.input_type == "tensor" else self.preprocessed(images)
        if self.request.precision == "fp16":
            x = x.half()
        logits = self.network(x).float()
        return torch.softmax(logits, 1) if self.request.output_type == "probabilities" else logits

    def preprocessed(self, images: Tensor) -> Tensor:
        """Return (N, 3, c, c) float32, as `Preprocessing.normalize` does."""
        rows = slice(self.start, self.start + self.side)
        x = images[:, rows, rows].float()
        x = x if self.mean is None else x - self.mean
        x = x if self.scale is None else x / self.scale
        return (x.flip(3) if self.bgr else x).permute(0, 3, 1, 2)


def write_torchscript(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as one TorchScript file.

    Raises:
        WeightsError: int8, which TorchScript no longer has, or a module that torch cannot trace.
    """
    if request.precision == "int8":
        raise WeightsError(
            "torch no longer has int8 for TorchScript. Choose --to onnx or openvino, or fp16."
        )
    if request.plain_operators:
        raise WeightsError(
            "TorchScript has elementary operators for normalization anyway. Leave "
            "--plain-operators out."
        )
    rule, network = weights.preprocessing, weights.network()
    crop = rule.crop_px
    replace_with_portable(network, torch.zeros(1, 3, crop, crop))
    if request.precision == "fp16":
        _halve(network)
    pipeline = _Pipeline(network, rule, request).eval()
    side = rule.image_px if request.input_type == "image" else crop
    if request.input_type == "tensor":
        example = torch.zeros(2, 3, side, side)
    else:
        example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    metadata = json.dumps(file_metadata(weights, request), ensure_ascii=False)
    with _quiet():
        try:
            traced = jit.trace(pipeline, (example,), check_trace=False)
        except Exception as error:
            raise WeightsError(
                f"torch cannot trace {weights.model} ({' '.join(str(error).split())[:300]})."
            ) from error
        jit.save(traced, str(path), _extra_files={METADATA: metadata.encode()})


def open_torchscript(path: Path) -> ExportedModel:
    """Open a file with torch, as a program without this package would."""
    with _quiet():
        loaded = jit.load(str(path), map_location="cpu")

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        with _quiet():
            return cast("Tensor", loaded(torch.from_numpy(images))).numpy()

    return ExportedModel(f"torch {torch.__version__}", run=run)


def _halve(network: nn.Module) -> None:
    """Convert weights to half precision; batch statistics and heads stay in float32."""
    network.half()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | Head):
            layer.float()


@contextmanager
def _quiet() -> Generator[None]:
    """Silence torch's advice: TorchScript is deprecated, and shapes are traced as constants."""
    with own_warning_filters(), torch.no_grad():
        # torch 2.13 warns with a DeprecationWarning, 2.14 with a FutureWarning, 2.8 not at all.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", r"`torch\.jit\.", FutureWarning)
        warnings.simplefilter("ignore", jit.TracerWarning)
        yield
