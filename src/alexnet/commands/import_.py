"""`alexnet import`: models that other programs trained, as weights of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from alexnet.commands.signature import Place, optional_path
from alexnet.errors import WeightsError
from alexnet.recipe import Fit
from alexnet.records import ImportReport

if TYPE_CHECKING:
    from alexnet.images import Order
    from alexnet.importers import Imported, ImportRequest

__all__ = ["IMPORTERS", "Importer", "import_"]


@dataclass(frozen=True)
class Importer:
    """One program whose models can be read."""

    program: str
    suffixes: tuple[str, ...]  # a file that ends so is its own
    place: str  # "module:function" that turns an `ImportRequest` into `Imported`


IMPORTERS = (
    Importer("Caffe", (".prototxt", ".caffemodel"), "alexnet.importers.caffe:import_caffe"),
    Importer(
        "torchvision's alexnet",
        (".pth", ".pt", ".safetensors"),
        "alexnet.importers.torchvision:import_torchvision",
    ),
)
"""Who reads what; the first that knows one of the files reads them all."""


def import_(
    *files: Place,
    out: Place,
    classes: Place | None = None,
    mean: str | None = None,
    order: Literal["rgb", "bgr"] | None = None,
    image_px: int | None = None,
    scale: float | None = None,
    fit: Fit | None = None,
) -> ImportReport:
    """Make weights of a model that another program trained.

    A .prototxt with its .caffemodel is Caffe's; a mean (.binaryproto, .npy) may stand beside them.
    A .pth or .safetensors file is a state dict of torchvision's alexnet.
    The weights work with every verb, as those that were trained here do.

    Args:
        files: all files of the model, in any order.
        out: weights file to write, such as model.safetensors; replaced as a whole.
        classes: text file with a class name a line, in the order of the model's answers, or
            labelled pictures whose classes are these; none: the classes are called 0, 1, 2.
        mean: what is taken from a picture first: a file, or numbers such as 104,117,123 in the
            model's order of channels; none: what the files say, else nothing.
        order: of the channels that the model takes; none: the program's own, bgr for Caffe.
        image_px: side that pictures get before the crop is cut; none: the mean's, else 256 for
            crops of 200 to 256 pixels, else the crop's.
        scale: what is left after the mean is multiplied by this; none: what the files say, else 1.
        fit: how a picture becomes square; none: the program's own, squash for Caffe.

    Returns:
        What was written, and what was taken for granted.

    Raises:
        WeightsError: the files are no model that can be read, or do not belong together.
        SourceError: the pictures that should name the classes cannot be used.
        RunError: the file cannot be written.
        AlexNetError: a package is missing.
    """
    from alexnet.importers import ImportRequest
    from alexnet.weights import save_weights

    paths = tuple(Path(each) for each in files)
    read = _reader(paths)
    found = read(
        ImportRequest(
            files=paths,
            classes=optional_path(classes),
            mean=mean,
            order=None if order is None else cast("Order", order.upper()),
            image_px=image_px,
            scale=scale,
            fit=fit,
        )
    )
    save_weights(Path(out), found.weights)
    weights, rule = found.weights, found.weights.preprocessing
    return ImportReport(
        out=str(out),
        format=found.format,
        name=found.name,
        model=weights.model,
        parameters=sum(each.numel() for each in weights.state.values()),
        classes=list(weights.classes),
        image_px=rule.image_px,
        crop_px=rule.crop_px,
        fit=rule.fit,
        order=rule.order,
        mean=None if rule.mean is None else "image" if rule.mean.ndim == 3 else "channel",
        scale=None if rule.scale is None else float(1 / rule.scale[0]),
        remarks=list(found.remarks),
    )


def _reader(paths: Sequence[Path]) -> Callable[[ImportRequest], Imported]:
    """Return the function that reads these files.

    Raises:
        WeightsError: a file that is not there, or files that nobody knows.
    """
    for path in paths:
        if not path.exists():
            raise WeightsError(f"There is no file {path}. Name all files of the model.")
    for importer in IMPORTERS:
        if any(path.suffix in importer.suffixes for path in paths):
            module, _, name = importer.place.partition(":")
            return getattr(import_module(module), name)
    known = "; ".join(f"{each.program}: {', '.join(each.suffixes)}" for each in IMPORTERS)
    named = ", ".join(map(str, paths)) or "Nothing"
    raise WeightsError(f"{named} cannot be imported: no file of a known kind. Known: {known}.")
