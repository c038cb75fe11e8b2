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
from alexnet.exporters.request import ExportRequest, Runnable, facts
from alexnet.images import Preprocessing
from alexnet.models import Head
from alexnet.nn import plain_layers
from alexnet.weights.weights import Weights

__all__ = ["FACTS", "open_torchscript", "write_torchscript"]

jit: Any = torch.jit  # whose own types say little

FACTS = "alexnet.json"
"""The extra file inside that says what a reader needs."""


class _Whole(nn.Module):
    """Preprocessing, network and softmax, as far as they are asked for."""

    mean: Tensor | None
    scale: Tensor | None

    def __init__(self, network: nn.Module, rule: Preprocessing, request: ExportRequest) -> None:
        super().__init__()
        self.network = network
        self.request = request
        self.turned = rule.order == "BGR"
        self.side = rule.crop_px
        self.start = rule.centre if request.takes == "picture" else 0
        mean = rule.central_mean
        self.register_buffer("mean", None if mean is None else torch.tensor(mean))
        self.register_buffer("scale", None if rule.scale is None else torch.tensor(rule.scale))

    def forward(self, taken: Tensor) -> Tensor:
        """Return (N, K) float32."""
        x = taken if self.request.takes == "numbers" else self.prepared(taken)
        if self.request.precision == "fp16":
            x = x.half()
        logits = self.network(x).float()
        return torch.softmax(logits, 1) if self.request.gives == "probabilities" else logits

    def prepared(self, pictures: Tensor) -> Tensor:
        """Return (N, 3, c, c) float32, as `Preprocessing.to_tensor` does."""
        rows = slice(self.start, self.start + self.side)
        x = pictures[:, rows, rows].float()
        x = x if self.mean is None else x - self.mean
        x = x if self.scale is None else x / self.scale
        return (x.flip(3) if self.turned else x).permute(0, 3, 1, 2)


def write_torchscript(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as one TorchScript file.

    Raises:
        WeightsError: int8, which TorchScript has not any more, or a module that torch cannot trace.
    """
    if request.precision == "int8":
        raise WeightsError(
            "torch has no int8 for TorchScript any more. Choose --to onnx or openvino, or fp16."
        )
    if request.plain_operators:
        raise WeightsError(
            "TorchScript has no operator for normalisation: it is elementary anyway. Leave "
            "--plain-operators out."
        )
    rule, network = weights.preprocessing, weights.network()
    crop = rule.crop_px
    plain_layers(network, torch.zeros(1, 3, crop, crop))
    if request.precision == "fp16":
        _halve(network)
    whole = _Whole(network, rule, request).eval()
    side = rule.image_px if request.takes == "picture" else crop
    if request.takes == "numbers":
        example = torch.zeros(2, 3, side, side)
    else:
        example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    said = json.dumps(facts(weights, request), ensure_ascii=False)
    with _quiet():
        try:
            traced = jit.trace(whole, (example,), check_trace=False)
        except Exception as error:
            raise WeightsError(
                f"torch cannot trace {weights.model} ({' '.join(str(error).split())[:300]})."
            ) from error
        jit.save(traced, str(path), _extra_files={FACTS: said.encode()})


def open_torchscript(path: Path) -> Runnable:
    """Open a file with torch, as a program without this package would."""
    with _quiet():
        loaded = jit.load(str(path), map_location="cpu")

    def run(numbers: NDArray[Any]) -> NDArray[np.float32]:
        with _quiet():
            return cast("Tensor", loaded(torch.from_numpy(numbers))).numpy()

    return Runnable(f"torch {torch.__version__}", run=run)


def _halve(network: nn.Module) -> None:
    """Bring weights to half precision; what statistics and heads know stays wide."""
    network.half()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | Head):
            layer.float()


@contextmanager
def _quiet() -> Generator[None]:
    """Keep torch's advice away: that TorchScript is old, and that shapes are constants."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", jit.TracerWarning)
        yield
