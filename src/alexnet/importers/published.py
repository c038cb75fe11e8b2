"""Weights of the catalogue as weights of ours: the right importer, with classes and mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from alexnet.errors import RecipeError, WeightsError
from alexnet.importers.caffe import import_caffe
from alexnet.importers.request import ImportedModel, ImportRequest
from alexnet.importers.torchvision import import_torchvision
from alexnet.records import WeightsDownload
from alexnet.weights import COMPANIONS
from alexnet.weights.hub import hub_config_file, read_hub_config
from alexnet.weights.weights import Weights

__all__ = ["import_published"]

_IMAGENET = Path(__file__).parent.parent / "weights" / "data" / "imagenet-classes.txt"
_IMAGENET_CLASSES = 1000
_PLACE = re.compile(r"/[a-z]/(\S+) \d+")
_RESIZED_TO = "Images are resized to {}, of which {} are seen, without timm's own {} interpolation."


def import_published(got: WeightsDownload) -> ImportedModel | None:
    """Make weights of files that were downloaded.

    Args:
        got: the files.

    Returns:
        The weights; None: files of this format are brought in by hand.

    Raises:
        WeightsError: the files are not what their name says.
    """
    file = Path(got.file)
    if got.format == "torchvision":
        return _named(import_torchvision(ImportRequest(files=(file,))))
    if got.format == "timm":
        return _of_timm(got, _named(import_torchvision(ImportRequest(files=(file,)))))
    if got.format == "caffe" and got.name in COMPANIONS:
        return _of_caffe(got, file)
    return None


def _of_caffe(got: WeightsDownload, file: Path) -> ImportedModel:
    companion = COMPANIONS[got.name]
    beside = [Path(each) for each in got.files]
    classes: Path | None = None
    if companion.classes == "places":
        (listed,) = (path for path in beside if path.suffix == ".txt")
        beside.remove(listed)
        classes = _place_list(listed)
    request = ImportRequest(files=(file, *beside), mean=companion.mean or None, classes=classes)
    imported = import_caffe(request)
    return _named(imported) if companion.classes == "imagenet" else imported


def _named(imported: ImportedModel) -> ImportedModel:
    """Give the 1,000 classes of ImageNet their names, where there are 1,000 without one."""
    weights = imported.weights
    count = len(weights.classes)
    if count != _IMAGENET_CLASSES or weights.classes != tuple(map(str, range(count))):
        return imported
    lines = [line.partition(" ") for line in _IMAGENET.read_text("utf-8").splitlines()]
    weights = replace(
        weights,
        classes=tuple(code for code, _, _ in lines),
        class_words={code: words for code, _, words in lines},
    )
    kept = tuple(each for each in imported.remarks if "--classes" not in each)
    return replace(imported, weights=weights, remarks=kept)


def _place_list(listed: Path) -> Path:
    """Write the list of Places ("/a/airfield 0") as names alone, beside it."""
    names = [_PLACE.fullmatch(line.strip()) for line in listed.read_text("utf-8").splitlines()]
    plain = listed.with_name(f"{listed.stem}-names.txt")
    plain.write_text("".join(f"{name[1]}\n" for name in names if name), encoding="utf-8")
    return plain


def _of_timm(got: WeightsDownload, imported: ImportedModel) -> ImportedModel:
    """Take sides, mean and deviation from the model's own description."""
    file = Path(got.file)
    config = read_hub_config(hub_config_file(got.name, file.parent))
    cfg = cast("Mapping[str, Any]", config["pretrained_cfg"])
    try:
        sides, share = cfg.get("input_size", [3, 224, 224]), float(cfg.get("crop_pct", 0.875))
        crop_px = int(sides[1])
        image_px = int(crop_px / share)
        mean, std = (
            np.array([255 * float(each) for each in cfg[key]], np.float32)
            for key in ("mean", "std")
        )
        weights = imported.weights.resized(image_px=image_px, crop_px=crop_px)
        rule = replace(weights.preprocessing, mean=mean, std=std)
    except (LookupError, TypeError, ValueError, ArithmeticError, RecipeError) as error:
        raise WeightsError(
            f"The description of {got.name} does not say how images are prepared ({error}). "
            "Use another model."
        ) from error
    said = _RESIZED_TO.format(image_px, crop_px, cfg.get("interpolation", "bilinear"))
    weights = _with_labels(replace(weights, preprocessing=rule), config)
    return replace(imported, weights=weights, format="timm", remarks=(*imported.remarks, said))


def _with_labels(weights: Weights, config: Mapping[str, Any]) -> Weights:
    """Take the names of the classes from the description, where it has one for each."""
    names: object = config.get("label_names")
    if not isinstance(names, list):
        return weights
    listed = tuple(str(each) for each in cast("list[object]", names))
    fits = len(listed) == len(weights.classes) == len(set(listed))
    return replace(weights, classes=listed, class_words={}) if fits else weights
