"""Weights that are known by name: those in the package, and those that others have published."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

from safetensors import safe_open

from alexnet.errors import WeightsError, did_you_mean
from alexnet.files import cache_folder
from alexnet.records import PublishedWeights, WeightsDownload
from alexnet.weights import location
from alexnet.weights.download import RemoteFile, download
from alexnet.weights.header import read_header

__all__ = ["PUBLISHED", "bundled_list", "get_weights"]

_PUBLISHED = (
    PublishedWeights(
        name="torchvision-alexnet",
        task="ImageNet 2012: one of 1,000 classes",
        model="one_column",
        classes=1000,
        top1=0.56522,
        top5=0.79066,
        crops=1,
        size_mb=233.1,
        license="BSD-3-Clause (torchvision); trained on ImageNet, which has terms of its own",
        source="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        format="torchvision",
    ),
)

PUBLISHED = {weights.name: weights for weights in _PUBLISHED}
"""Each by its name. Figures are the publishers'."""

_SIZE_MARGIN = 1.05  # published sizes are rounded


def bundled_list() -> list[PublishedWeights]:
    """Return what the weights in this copy of the package are."""
    files = {name: location.FOLDER / f"{name}.safetensors" for name in location.BUNDLED}
    return [_bundled(name, file) for name, file in files.items() if file.is_file()]


def _bundled(name: str, file: Path) -> PublishedWeights:
    data = file.read_bytes()
    with cast("Any", safe_open)(file, framework="numpy") as tensors:
        header = read_header(tensors.metadata(), file)
    results: dict[str, Any] = header["results"] or {}
    return PublishedWeights(
        name=name,
        task=location.BUNDLED[name],
        model=header["model"],
        classes=len(header["classes"]),
        top1=results.get("top1", float("nan")),
        top5=results.get("top5", float("nan")),
        crops=results.get("crops", 1),
        size_mb=len(data) / 2**20,
        license="Apache-2.0 (alexnet); trained on ImageNet, which has terms of its own",
        source="in the package",
        sha256=hashlib.sha256(data).hexdigest(),
        format="alexnet",
    )


def get_weights(name: str, folder: Path | None = None) -> WeightsDownload:
    """Return published weights as a file here, downloaded unless they are there already.

    Args:
        name: one of `PUBLISHED`.
        folder: where to; None: "weights" in the cache folder.

    Raises:
        WeightsError: no such weights, no connection, or another file than the one that was
            published.
        RunError: the disk refuses.
    """
    if location.bundled_file(name) is not None:
        raise WeightsError(
            f'The weights "{name}" come with the package: there is nothing to get. Name them where '
            f"weights are asked for, as in: alexnet predict {name} photo.jpg"
        )
    if name not in PUBLISHED:
        raise WeightsError(
            f'There are no published weights "{name}".{did_you_mean(name, PUBLISHED)} '
            f"Known: {', '.join(PUBLISHED)}."
        )
    entry = PUBLISHED[name]
    remote = RemoteFile(
        url=entry.source,
        sha256=entry.sha256,
        max_bytes=int(_SIZE_MARGIN * entry.size_mb * 2**20),
    )
    local = download(remote, folder or cache_folder() / "weights")
    return WeightsDownload(
        name=name,
        file=str(local.path),
        bytes=local.path.stat().st_size,
        sha256=local.sha256,
        source=local.url,
        downloaded=local.bytes,
        format=entry.format,
    )
