"""torchvision's state dicts as weights, with the preprocessing that they were made with.

Its `alexnet` is the model `one_column`; ResNet, VGG and SqueezeNet become graphs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.images import Preprocessing
from alexnet.importers.checkpoint import read_checkpoint
from alexnet.importers.checkpoint_classes import classes_beside
from alexnet.importers.request import ImportedModel, ImportRequest, class_names
from alexnet.importers.state_dict import FoundTensors, find_tensors
from alexnet.importers.tensor_layout import TensorLayout, recognize_layout
from alexnet.models import TORCHVISION_NAMES
from alexnet.weights.weights import Weights

__all__ = ["import_torchvision"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue on 0..1
_NO_NAMES = "The file names no classes: they are called 0, 1, 2, ... unless --classes names them."


def import_torchvision(request: ImportRequest) -> ImportedModel:
    """Read a state dict of torchvision's: a file of torch.save, or safetensors.

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
    layout = recognize_layout(checkpoint) or _alexnet()
    found = find_tensors(checkpoint, layout.origins.values(), path, layout.what)
    state = _renamed(found, layout)
    names, words = class_names(request.classes, found.tensors[f"{layout.head}.bias"].numel())
    count, named = len(names), None
    if request.classes is None and (named := classes_beside(checkpoint, count)) is not None:
        names = named[0]
    image_px = request.image_px or 256
    weights = Weights(
        model=layout.model,
        arguments=layout.arguments(count, image_px, 224),
        state=state,
        classes=names,
        class_words=words,
        preprocessing=Preprocessing(
            image_px=image_px,
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
    name = layout.name
    return ImportedModel(weights=weights, format="torchvision", name=name, remarks=remarks)


def _renamed(found: FoundTensors, layout: TensorLayout) -> dict[str, Tensor]:
    """Return the tensors by our names, as float32, and what a file need not hold."""
    state = {
        ours: found.tensors[theirs].float().contiguous() for ours, theirs in layout.origins.items()
    }
    counted = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    return state | {f"{name}num_batches_tracked": torch.tensor(0) for name in counted}


def _alexnet() -> TensorLayout:
    return TensorLayout(
        name="AlexNet",
        what="torchvision's alexnet",
        model="one_column",
        head="classifier.6",
        origins={ours: theirs for theirs, ours in _names().items()},
    )


def _names() -> dict[str, str]:
    """Return our name of each tensor by torchvision's."""
    return {
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in TORCHVISION_NAMES.items()
        for kind in ("weight", "bias")
    }
