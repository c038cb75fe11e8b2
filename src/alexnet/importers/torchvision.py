"""torchvision's `alexnet` as weights of `one_column`, with the preprocessing it was made with."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.images import Preprocessing
from alexnet.importers.checkpoint import read_checkpoint
from alexnet.importers.checkpoint_classes import classes_beside
from alexnet.importers.request import ImportedModel, ImportRequest, class_names
from alexnet.importers.state_dict import FoundTensors, find_tensors
from alexnet.models import TORCHVISION_NAMES
from alexnet.weights.weights import Weights

__all__ = ["import_torchvision"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue on 0..1
_NO_NAMES = "The file names no classes: they are called 0, 1, 2, ... unless --classes names them."


def import_torchvision(request: ImportRequest) -> ImportedModel:
    """Read a state dict of torchvision's `alexnet`: a file of torch.save, or safetensors.

    A pickle is read as tensors alone (`weights_only`), so nothing in it is run. The state dict may
    lie under any key of the file, and its names may have before them what programs write there.
    Images are cut square, resized to 256 and cut to 224, as torchvision's own evaluation does in
    the other order; mean and deviation are its.

    Args:
        request: one file; classes, image_px and resize_mode as requested.

    Raises:
        WeightsError: no such file, another kind of file, other tensors, or another number of names.
    """
    if len(request.files) != 1:
        raise WeightsError(
            f"torchvision's alexnet is one file; got {len(request.files)}. Name it alone."
        )
    if (request.mean, request.order, request.scale) != (None, None, None):
        raise WeightsError(
            "torchvision's preprocessing is known: RGB, its mean and deviation. Leave mean, order "
            "and scale out."
        )
    (path,) = request.files
    checkpoint = read_checkpoint(path)
    found = find_tensors(checkpoint, _names().keys(), path, "torchvision's alexnet")
    state = _renamed(found)
    names, words = class_names(request.classes, state["fc8.bias"].numel())
    count, named = len(names), None
    if request.classes is None and (named := classes_beside(checkpoint, count)) is not None:
        names = named[0]
    weights = Weights(
        model="one_column",
        arguments={"classes": count, "image_px": request.image_px or 256, "crop_px": 224},
        state=state,
        classes=names,
        class_words=words,
        preprocessing=Preprocessing(
            image_px=request.image_px or 256,
            crop_px=224,
            resize_mode=request.resize_mode or "crop",
            order="RGB",
            mean=np.array([255 * each for each in _MEAN], dtype=np.float32),
            std=np.array([255 * each for each in _DEVIATION], dtype=np.float32),
        ),
    )
    weights.network()  # raises where shapes do not fit
    remarks = found.remarks
    if request.classes is None:
        said = f'The classes are those of the file\'s "{named[1]}".' if named else _NO_NAMES
        remarks = (*remarks, said)
    return ImportedModel(weights=weights, format="torchvision", name="AlexNet", remarks=remarks)


def _renamed(found: FoundTensors) -> dict[str, Tensor]:
    """Return the tensors by our names, as float32."""
    return {ours: found.tensors[theirs].float().contiguous() for theirs, ours in _names().items()}


def _names() -> dict[str, str]:
    """Return our name of each tensor by torchvision's."""
    return {
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in TORCHVISION_NAMES.items()
        for kind in ("weight", "bias")
    }
