"""Weights that others have published and that fit a network here: what they are, and where."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import WeightsError, did_you_mean
from alexnet.files import cache_folder
from alexnet.records import PublishedWeights, WeightsDownload
from alexnet.weights.bundled import shipped_file
from alexnet.weights.download import Wanted, download

__all__ = ["PUBLISHED", "get_weights"]

_ALL = (
    PublishedWeights(
        name="torchvision-alexnet",
        task="ImageNet 2012: one of 1,000 classes",
        model="one_column",
        classes=1000,
        top1=0.56522,
        top5=0.79066,
        crops=1,
        size_mb=233.1,
        licence="BSD-3-Clause (torchvision); trained on ImageNet, which has terms of its own",
        source="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be79",
        form="torchvision",
    ),
)

PUBLISHED = {each.name: each for each in _ALL}
"""Each by its name. Figures are the publishers'."""


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
    if shipped_file(name) is not None:
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
    wanted = Wanted(
        url=entry.source, sha256=entry.sha256, most_bytes=int(1.05 * entry.size_mb * 2**20)
    )
    found = download(wanted, folder or cache_folder() / "weights")
    return WeightsDownload(
        name=name,
        file=str(found.path),
        bytes=found.path.stat().st_size,
        sha256=found.sha256,
        source=found.url,
        downloaded=found.bytes,
        form=entry.form,
    )
