"""torchvision's `alexnet` as weights of `one_column`, with the preprocessing it was made with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.images import Preprocessing
from alexnet.importers.request import ImportedModel, ImportRequest, class_names
from alexnet.models import TORCHVISION_NAMES
from alexnet.weights.weights import Weights

__all__ = ["import_torchvision"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green, blue on 0..1
_NO_NAMES = "The file names no classes: they are called 0, 1, 2, ... unless --classes names them."
_INSIDE = ("state_dict", "model")  # where training programs keep it in a file of more


def import_torchvision(request: ImportRequest) -> ImportedModel:
    """Read a state dict of torchvision's `alexnet`: a `.pth` file, or safetensors.

    A `.pth` file is a pickle; it is read as tensors alone (`weights_only`), so nothing in it is
    run. Images are cut square, resized to 256 and cut to 224, as torchvision's own evaluation
    does in the other order; mean and deviation are its.

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
    state = _renamed(_tensors(path), path)
    count = len(state["fc8.bias"])
    names, words = class_names(request.classes, count)
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
    remarks = () if request.classes else (_NO_NAMES,)
    return ImportedModel(weights=weights, format="torchvision", name="AlexNet", remarks=remarks)


def _renamed(found: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the tensors by our names; raise for any that is missing, too many or no number."""
    wanted = {
        f"{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in TORCHVISION_NAMES.items()
        for kind in ("weight", "bias")
    }
    plain = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    missing, more = sorted(wanted.keys() - plain.keys()), sorted(plain.keys() - wanted.keys())
    if missing or more:
        what = f'lacks "{missing[0]}"' if missing else f'also holds "{more[0]}"'
        raise WeightsError(
            f"{path} is not a state dict of torchvision's alexnet: it {what}. Its tensors are "
            f"{', '.join(sorted(wanted)[:3])} and so on."
        )
    for name in wanted:
        if not plain[name].is_floating_point():
            raise WeightsError(f'The tensor "{name}" of {path} holds {plain[name].dtype}.')
    return {ours: plain[theirs].float().contiguous() for theirs, ours in wanted.items()}


def _unpickled(path: Path) -> object:
    """Read a pickle as tensors alone, without torch's remarks on pickles of another make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(path: Path) -> dict[str, Tensor]:
    """Read names and tensors, from whatever kind of file it is by content."""
    try:
        with path.open("rb") as file:
            pickled = file.read(2) in (b"PK", b"\x80\x02")
        found: object = _unpickled(path) if pickled else load_file(path, device="cpu")
    except OSError as error:
        raise WeightsError(f"Could not read {path}: {error.strerror or error}.") from error
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        reason = str(error).partition("\n")[0][:200]
        raise WeightsError(
            f"{path} cannot be read as tensors alone: {reason} It was cut or damaged, or holds "
            "more than tensors, which is never run."
        ) from error
    for key in _INSIDE:
        if isinstance(found, dict) and isinstance(inner := cast("Any", found).get(key), dict):
            found = cast("object", inner)
    values = cast("dict[object, object]", found) if isinstance(found, dict) else {}
    if not values or not all(
        isinstance(name, str) and isinstance(each, Tensor) for name, each in values.items()
    ):
        raise WeightsError(f"{path} holds no state dict: names with tensors are expected.")
    return cast("dict[str, Tensor]", values)
