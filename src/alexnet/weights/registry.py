"""Weights that are known by name: those in the package, and those that others have published."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any, cast

from safetensors import safe_open

from alexnet.errors import WeightsError, did_you_mean
from alexnet.files import cache_folder
from alexnet.records import PublishedWeights, WeightsDownload
from alexnet.weights import location
from alexnet.weights.catalogue import CATALOGUE, SUGGESTED
from alexnet.weights.companions import COMPANIONS
from alexnet.weights.download import RemoteFile, download
from alexnet.weights.header import read_header
from alexnet.weights.hub import find_hub_model, hub_file_name, is_hub_name

__all__ = ["PUBLISHED", "bundled_list", "find_published", "get_weights", "suggested_weights"]

_log = logging.getLogger(__name__)

PUBLISHED = dict(CATALOGUE)
"""Each by its name. Figures are the publishers'."""

_SIZE_MARGIN = 1.05  # published sizes are rounded
_COUNTED_MARGIN = 1.25  # where the size is only counted from the network's weights
_COMPANION_BYTES = 16 << 20


def suggested_weights(images: int) -> str:
    """Return what to try with an internet connection: a command, and why in a few words.

    Args:
        images: in the set. Small sets are read through features alone, where the smallest network
            is enough; larger ones pay for a larger network.
    """
    name, why = list(SUGGESTED.items())[0 if images < _FEW_IMAGES else 1]
    return f"with an internet connection: alexnet weights get {name} ({why})"


_FEW_IMAGES = 1000


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
        top1=results.get("top1"),
        top5=results.get("top5"),
        crops=results.get("crops", 1),
        size_mb=len(data) / 2**20,
        license="Apache-2.0 (alexnet); trained on ImageNet, which has terms of its own",
        source="in the package",
        sha256=hashlib.sha256(data).hexdigest(),
        format="alexnet",
        input_px=header["arguments"].get("crop_px"),
    )


def find_published(name: str) -> PublishedWeights:
    """Return the entry of published weights.

    Raises:
        WeightsError: no such weights; those in the package; or a model of timm's, which the hub
            has to be asked for.
    """
    if location.bundled_file(name) is not None:
        raise WeightsError(
            f'The weights "{name}" come with the package: there is nothing to get. Name them where '
            f"weights are asked for, as in: alexnet predict {name} photo.jpg"
        )
    if name not in PUBLISHED:
        raise WeightsError(
            f'There are no published weights "{name}".{did_you_mean(name, PUBLISHED)} '
            f"Known: {', '.join(PUBLISHED)}; and timm/NAME from the model hub."
        )
    return PUBLISHED[name]


def get_weights(
    name: str, folder: Path | None = None, *, unverified: bool = False
) -> WeightsDownload:
    """Return published weights as files here, downloaded unless they are there already.

    Args:
        name: one of `PUBLISHED`, or timm/NAME.
        folder: where to; None: "weights" in the cache folder.
        unverified: whether a file is taken that its publisher gives no hash of.

    Raises:
        WeightsError: no such weights, no connection, another file than the one that was
            published, or one that no published hash tells from others.
        RunError: the disk refuses.
    """
    folder = folder or cache_folder() / "weights"
    entry = find_hub_model(name, folder) if is_hub_name(name) else find_published(name)
    if not entry.sha256 and not unverified:
        raise WeightsError(
            f"The publisher of {name} gives no hash, so nothing tells {entry.source} from another "
            f"file. If you take it all the same: alexnet weights get {name} --unverified"
        )
    _log.info("%s: %s; license: %s.", entry.name, entry.source, entry.license)
    margin = _SIZE_MARGIN if entry.size_known else _COUNTED_MARGIN
    remote = RemoteFile(
        url=entry.source,
        sha256=entry.sha256,
        max_bytes=max(int(margin * entry.size_mb * 2**20), 1 << 12),
        name=hub_file_name(name) if is_hub_name(name) else "",
        unverified=unverified,
    )
    beside = [
        download(_companion(name, *each), folder)
        for each in (COMPANIONS[name].files if name in COMPANIONS else ())
    ]
    local = download(remote, folder)
    return WeightsDownload(
        name=name,
        file=str(local.path),
        bytes=local.path.stat().st_size,
        sha256=local.sha256,
        source=local.url,
        downloaded=local.bytes,
        format=entry.format,
        license=entry.license,
        files=[str(each.path) for each in beside],
    )


def _companion(name: str, url: str, sha256: str) -> RemoteFile:
    """Return a small file beside a model; several models have one of the same name."""
    file = f"{name}-{url.rpartition('/')[2]}"
    return RemoteFile(url=url, sha256=sha256, max_bytes=_COMPANION_BYTES, name=file)
