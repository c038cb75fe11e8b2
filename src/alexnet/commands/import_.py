"""`alexnet import`: models that other programs trained, as weights of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from alexnet.commands.arguments import local_path, optional_path
from alexnet.errors import WeightsError
from alexnet.files import as_path, require_usable_path
from alexnet.recipe import ResizeMode
from alexnet.records import ImportReport

if TYPE_CHECKING:
    from alexnet.images import ChannelOrder
    from alexnet.importers import FileKind, ImportedModel, ImportRequest

__all__ = ["IMPORTERS", "Importer", "import_"]


@dataclass(frozen=True)
class Importer:
    """One program whose models can be read."""

    program: str
    kinds: frozenset[FileKind]  # a file that is one of these is its own
    files: str  # for people
    function: str  # "module:function" that turns an `ImportRequest` into `ImportedModel`


IMPORTERS = (
    Importer(
        "Caffe",
        frozenset(("prototxt", "caffemodel", "binaryproto", "hdf5", "compressed")),
        ".prototxt, .caffemodel, .caffemodel.h5, or .net of Deep Compression",
        "alexnet.importers.caffe:import_caffe",
    ),
    Importer(
        "torchvision's alexnet, ResNet, VGG and SqueezeNet",
        frozenset(("pickle", "safetensors")),
        "what torch.save wrote (.pth, .pt, .pth.tar, .bin, .ckpt), .safetensors",
        "alexnet.importers.torchvision:import_torchvision",
    ),
)
"""Who reads what; the first that knows one of the files reads them all."""

_log = logging.getLogger(__name__)


def import_(
    *files: Path | str,
    out: Path | str,
    classes: Path | str | None = None,
    mean: str | None = None,
    order: Literal["rgb", "bgr"] | None = None,
    image_px: int | None = None,
    scale: float | None = None,
    resize_mode: ResizeMode | None = None,
) -> ImportReport:
    """Make weights of a model that another program trained.

    A .prototxt with its .caffemodel is Caffe's; a mean (.binaryproto, .npy) and a list of classes
    (labels.txt) may stand beside them. What torch.save wrote (.pth, .pth.tar, .bin), or
    .safetensors, is a state dict of torchvision's alexnet, ResNet, VGG or SqueezeNet. Files are
    known by what is in them. The weights work with every verb, as those that were trained here do.

    Args:
        files: all files of the model, in any order.
        out: weights file to write, such as model.safetensors; replaced as a whole.
        classes: text file with a class name a line, in the order of the model's outputs, or
            labeled images whose classes are these; none: the classes are called 0, 1, 2.
        mean: what is taken from an image first: a file, or numbers such as 104,117,123 in the
            model's order of channels; none: what the files say, else nothing.
        order: of the channels that the model takes; none: the program's own, bgr for Caffe.
        image_px: side that images get before the crop is cut; none: the mean's, else 256 for
            crops of 200 to 256 pixels, else the crop's.
        scale: what is left after the mean is multiplied by this; none: what the files say, else 1.
        resize_mode: how an image becomes square; none: the program's own, squash for Caffe.

    Returns:
        What was written, and what was assumed.

    Raises:
        WeightsError: the files are no model that can be read, or do not belong together.
        SourceError: the images that should name the classes cannot be used.
        RunError: the file cannot be written.
        AlexNetError: a package is missing.
    """
    from alexnet.importers import ImportRequest
    from alexnet.weights import save_weights

    paths = tuple(as_path(file, WeightsError, "A model file") for file in files)
    for path in paths:
        require_usable_path(path, WeightsError)
    kinds = _file_kinds(paths)
    read = _reader(kinds)
    listed, named = _class_list(kinds, optional_path(classes))
    imported = read(
        ImportRequest(
            files=tuple(path for path in kinds if path != listed),
            classes=named,
            mean=mean,
            order=None if order is None else cast("ChannelOrder", order.upper()),
            image_px=image_px,
            scale=scale,
            resize_mode=resize_mode,
        )
    )
    save_weights(local_path(out), imported.weights)
    weights, rule = imported.weights, imported.weights.preprocessing
    return ImportReport(
        out=str(out),
        format=imported.format,
        name=imported.name,
        model=weights.model,
        parameters=sum(tensor.numel() for tensor in weights.state.values()),
        classes=list(weights.classes),
        image_px=rule.image_px,
        crop_px=rule.crop_px,
        resize_mode=rule.resize_mode,
        channel_order=rule.order,
        mean=None if rule.mean is None else "image" if rule.mean.ndim == 3 else "channel",
        scale=None if rule.std is None else float(1 / rule.std[0]),
        remarks=list(imported.remarks),
    )


def _file_kinds(paths: Sequence[Path]) -> dict[Path, FileKind]:
    """Return what each file is.

    Raises:
        WeightsError: a file that is not there.
    """
    from alexnet.importers import file_kind, require_importable

    for path in paths:
        if not path.exists():
            raise WeightsError(f"There is no file {path}. Name all files of the model.")
        require_importable(path)
    return {path: file_kind(path) for path in paths}


def _class_list(
    kinds: Mapping[Path, FileKind], classes: Path | None
) -> tuple[Path | None, Path | None]:
    """Return the text among the files that names the classes, and where their names come from."""
    texts = [path for path, kind in kinds.items() if kind == "text"]
    if not texts:
        return None, classes
    if len(texts) > 1 or classes is not None:
        named = ", ".join(map(str, [*texts, *([classes] if classes else [])]))
        raise WeightsError(
            f"A model has one list of its classes, and {named} are given. Name one, as --classes."
        )
    _log.info("%s is taken as the list of the classes, as by --classes.", texts[0])
    return texts[0], texts[0]


def _reader(kinds: Mapping[Path, FileKind]) -> Callable[[ImportRequest], ImportedModel]:
    """Return the function that reads these files.

    Raises:
        WeightsError: files that nobody knows.
    """
    for importer in IMPORTERS:
        if not importer.kinds.isdisjoint(kinds.values()):
            module, _, name = importer.function.partition(":")
            return getattr(import_module(module), name)
    known = "; ".join(f"{each.program}: {each.files}" for each in IMPORTERS)
    named = ", ".join(map(str, kinds)) or "Nothing"
    raise WeightsError(f"{named} cannot be imported: no file of a known format. Known: {known}.")
