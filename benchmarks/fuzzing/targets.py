"""Who reads the damaged files, and what a correct result is.

A reader returns nothing, raises one of the four errors, or raises `Wrong`: it answered, and the
answer cannot be right. Whatever else is raised is a finding as well.
"""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from alexnet.data import SPLITS, Pack, Source, check_source, open_source
from alexnet.data.checks.duplicates import near_duplicate_groups
from alexnet.data.checks.exclusions import exclude_listed
from alexnet.errors import SourceError
from alexnet.images import decode, read_image
from alexnet.images.pillow import PILLOW_ERRORS
from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe
from alexnet.importers.torchvision import import_torchvision
from alexnet.runs import open_run
from alexnet.weights import load_weights
from fuzzing.originals import ASKED, IMAGE_KINDS, Original

__all__ = ["KINDS", "Wrong", "read"]


class Wrong(Exception):
    """An answer that cannot be right."""


def read(kind: str, folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Read the files of a case, which lie in a folder, as the package does.

    Raises:
        AlexNetError: they cannot be used, as they may.
        Wrong: what was read is not what is there.
    """
    KINDS[kind](folder, files, originals)


def require(condition: object, what: str) -> None:
    if not condition:
        raise Wrong(what)


def image(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Decode in full, at a part of the size, and as a check does; hold against plain Pillow."""
    data = files["image"]
    small = [_small(data, fit) for fit in ("crop", "squash", "pad")]
    pixels = decode(data, "image")
    require(pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3, "no RGB")
    require(pixels.flags.c_contiguous and min(pixels.shape[:2]) >= 2, "odd pixels")
    require(all(isinstance(each, np.ndarray) for each in small), "readable in full alone")
    reference = _by_pillow(data)
    if reference is not None:
        require(np.array_equal(pixels, reference), "other pixels than Pillow's")


def _small(data: bytes, resize_mode: str) -> np.ndarray | SourceError:
    try:
        found = read_image(data, name="image", image_px=7, resize_mode=resize_mode)
    except SourceError as error:
        return error
    require(
        found.shape == (7, 7, 3) and found.dtype == np.uint8, f"{resize_mode} gives {found.shape}"
    )
    return found


def _by_pillow(data: bytes) -> np.ndarray | None:
    """Return what Pillow alone makes of a plain image; None: it is no plain one."""
    with Image.open(io.BytesIO(data)) as opened:
        if opened.mode not in ("RGB", "L", "1") or "transparency" in opened.info:
            return None
        opened.load()
        try:
            turned = ImageOps.exif_transpose(opened)
        except PILLOW_ERRORS:
            return None
        return np.asarray(turned.convert("RGB"))


def archive(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """List and read every member; none has a name that leads out."""
    source = open_source(folder / "source", fewest_classes=1)
    _whole(source)
    if source.files.where.read_bytes().startswith(b"PK"):
        known = _contents(*(each.files["source"] for each in originals))
        for index in range(len(source)):
            try:
                data = source.read(index)
            except SourceError:
                continue
            require(data in known, f"{source.paths[index]!r} holds what nobody put there")
    _checked(source)


def table(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Read a table and the images that it names."""
    (name,) = originals[0].targets
    source = open_source(folder / name, fewest_classes=1)
    _whole(source)
    _checked(source)


def exclusion(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Leave images out by a list."""
    source = open_source(folder / "train", fewest_classes=1)
    left = exclude_listed(source, folder / "list.csv")
    require(set(left.paths) <= set(source.paths) and len(left) > 0, "images that were not there")


def _whole(source: Source | Pack) -> None:
    paths = list(source.paths)
    require(len(paths) == len(source.labels) == len(source.splits) == len(source), "lengths differ")
    require(isinstance(source, Pack) or len(set(paths)) == len(paths), "a path twice")
    require(not len(paths) or source.labels.min() >= 0, "a label below 0")
    require(not len(paths) or source.labels.max() < len(source.classes), "a label of no class")
    require(not len(paths) or source.splits.max() < len(SPLITS), "a split that is none")
    if isinstance(source, Source) and source.where.name == "source":
        out = [p for p in paths if p.startswith("/") or ".." in p.split("/")]
        require(not out, f"a path that leads out: {out[:1]}")


def _checked(source: Source | Pack) -> None:
    """Look at every image as `alexnet check` does."""
    if isinstance(source, Source) and len(source):
        report = check_source(source, workers=1)
        broken = len(report.issues.get("unreadable", []))
        require(report.readable + broken == report.images == len(source), "images are missing")


@functools.cache
def _contents(*archives: bytes) -> set[bytes]:
    """Every member of some archives, read by zipfile; and nothing, which may always come."""
    found = {b""}
    for data in archives:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            found |= {opened.read(each) for each in opened.infolist()}
    return found


def pack(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Open a pack, read all its images, look for copies among them."""
    found = open_source(folder)
    require(isinstance(found, Pack), "no pack")
    _whole(found)
    every = found.read(np.arange(len(found)))
    require(every.shape == (len(found), found.image_px, found.image_px, 3), "images of no size")
    if files["index.npz"] == originals[0].files["index.npz"]:
        pixels = originals[0].files["shard-00000.u8"]
        require(pixels.startswith(every.tobytes()), "other pixels than were packed")
    near_duplicate_groups(np.ones((len(found), 64), np.float16)[:1], min_similarity=0.9)
    repr((found.header.to_json(), found.skipped, found.excluded, found.class_words))


def weights(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Load weights, build their network and let it answer once."""
    found = load_weights(folder / "weights.safetensors")
    network = found.network()
    rule = found.preprocessing
    image = np.full((1, rule.image_px, rule.image_px, 3), 99, np.uint8)
    corner, still = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    numbers = rule.normalize(rule.crop(image, corner, corner, still), corner, corner, still)
    with torch.no_grad():
        answer = network(numbers)
    require(answer.shape == (1, len(found.classes)), f"answers of shape {tuple(answer.shape)}")
    for text in (*found.classes, *found.class_words, *found.class_words.values()):
        text.encode("utf-8", "surrogateescape")


def checkpoint(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Go on with a run: from one of its two checkpoints, or with a sentence."""
    with open_run(folder, ASKED) as run:
        found = run.checkpoint()
        require(found is not None, "no checkpoint, and no word")
        require(found.state["step"] in (10, 20), f"a step that never was: {found.state}")
        require("velocity.fc.weight" in found.tensors, "other tensors")
        run.write("epoch", {"epoch": 3})
        load_weights(folder)


def caffe(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Import a model of Caffe's, with its mean."""
    import_caffe(ImportRequest(files=tuple(folder / name for name in files)))


def pth(folder: Path, files: dict[str, bytes], originals: list[Original]) -> None:
    """Import torchvision's weights; these are none, so that an error is the only right answer."""
    import_torchvision(ImportRequest(files=(folder / "model.pth",)))
    raise Wrong("two tensors for an AlexNet")


KINDS: dict[str, Callable[[Path, dict[str, bytes], list[Original]], None]] = {
    **dict.fromkeys(IMAGE_KINDS, image),
    "tar": archive,
    "zip": archive,
    "csv": table,
    "parquet": table,
    "list": exclusion,
    "pack": pack,
    "weights": weights,
    "checkpoint": checkpoint,
    "caffe": caffe,
    "pth": pth,
}
"""Every kind and its reader."""
