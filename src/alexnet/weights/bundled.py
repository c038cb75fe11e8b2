"""Weights that come with the package: there at once, without a network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

from safetensors import safe_open

from alexnet.errors import WeightsError
from alexnet.records import PublishedWeights
from alexnet.weights.header import read_header
from alexnet.weights.prefetch import DEFAULT

__all__ = ["FOLDER", "shipped_file", "shipped_list"]

FOLDER = Path(__file__).with_name("shipped")
"""Where they lie."""

_TASKS = {DEFAULT: "200 classes of ImageNet at 64 pixels, from animals to food and tools"}


def shipped_file(name: str = DEFAULT) -> Path | None:
    """Return the file of weights that come with the package; None where no such are known.

    Raises:
        WeightsError: this copy of the package lacks them.
    """
    if name not in _TASKS:
        return None
    file = FOLDER / f"{name}.safetensors"
    if not file.is_file():
        raise WeightsError(
            f'The weights "{name}" come with the package, and this copy of it lacks them ({file} '
            "is not there). Name a weights file or the folder of a run, or install alexnet again."
        )
    return file


def shipped_list() -> list[PublishedWeights]:
    """Return what the weights in this copy of the package are, in the form of the catalogue."""
    return [_entry(name) for name in _TASKS if (FOLDER / f"{name}.safetensors").is_file()]


def _entry(name: str) -> PublishedWeights:
    file = FOLDER / f"{name}.safetensors"
    data = file.read_bytes()
    with cast("Any", safe_open)(file, framework="numpy") as tensors:
        card = read_header(tensors.metadata(), file)
    results: dict[str, Any] = card["results"] or {}
    return PublishedWeights(
        name=name,
        task=_TASKS[name],
        model=card["model"],
        classes=len(card["classes"]),
        top1=results.get("top1", float("nan")),
        top5=results.get("top5", float("nan")),
        crops=results.get("crops", 1),
        size_mb=len(data) / 2**20,
        licence="Apache-2.0 (alexnet); trained on ImageNet, which has terms of its own",
        source="in the package",
        sha256=hashlib.sha256(data).hexdigest(),
        form="alexnet",
    )
