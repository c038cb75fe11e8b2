"""What is taken for granted of a network's images, said so that a wrong guess is seen at once."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from alexnet.images import Preprocessing
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.inputs import ImageInput
from alexnet.importers.caffe.net import CaffeNet
from alexnet.importers.request import ImportRequest
from alexnet.text import shorten

__all__ = ["describe_maker", "image_px_of", "image_remarks", "number_remarks"]


def image_px_of(image: ImageInput, crop_px: int, mean: NDArray[np.float32] | None) -> int:
    """Return the side of the image of which the input is a crop, in pixels.

    Args:
        image: the input.
        crop_px: its side.
        mean: (S, S, 3) image, (3,) color, or nothing.
    """
    if mean is not None and mean.ndim == 3:
        return len(mean)
    if not image.is_square:
        return crop_px
    if image.image_px is not None and image.image_px >= crop_px:
        return image.image_px
    return 256 if 200 <= crop_px <= 256 else crop_px


def describe_maker(layer: CaffeLayer) -> str:
    """Return who makes the images: the layer, and the Python class behind it."""
    python = layer.message.message("python_param")
    names = [shorten(each) for each in (python.text("module"), python.text("layer")) if each]
    inside = f", {'.'.join(names)}" if names else ""
    return f"they come from the {layer.title}{inside}, a program that is not run here"


def image_remarks(
    request: ImportRequest,
    net: CaffeNet,
    image: ImageInput,
    preprocessing: Preprocessing,
    *,
    channels: int,
) -> tuple[str, ...]:
    """Say what was assumed of an image, in sentences.

    Args:
        request: what the user said.
        net: the network.
        image: its input.
        preprocessing: what became of both.
        channels: of the network.
    """
    found: list[str] = []
    if image.maker is not None:
        found.append(f"Nothing is known of the images: {describe_maker(image.maker)}.")
    if channels == 1:
        found.append("The network takes gray images; colors are made gray.")
    elif request.order is None:
        found.append(
            "Channels are taken as blue, green, red, Caffe's usual order; a network that was "
            "trained on red, green, blue needs --order rgb."
        )
    found += number_remarks(
        net, image, has_mean=preprocessing.mean is not None, has_scale=request.scale is not None
    )
    if not image.is_square:
        found.append(
            f"The whole image is squashed to {image.height} x {image.width} (height x width), by "
            f"way of a square of {preprocessing.crop_px} pixels."
        )
    elif request.image_px is None and (preprocessing.mean is None or preprocessing.mean.ndim == 1):
        found.append(
            f"Images become squares of {preprocessing.image_px} pixels, of which "
            f"{preprocessing.crop_px} are seen; another side: --image-px."
        )
    return tuple(found)


def number_remarks(
    net: CaffeNet, image: ImageInput, *, has_mean: bool, has_scale: bool
) -> list[str]:
    """Say of mean and scale that nobody named what training did, as far as the file says it.

    Args:
        net: the network.
        image: its input.
        has_mean: whether a mean is taken from elsewhere.
        has_scale: whether a scale is.
    """
    found: list[str] = []
    if not has_mean and not image.mean_values:
        named = image.mean_file or (net.training.mean_file if net.training else None)
        values = net.training.mean_values if net.training else ()
        said = ""
        if named:
            said = f" (its training named {shorten(PurePosixPath(named).name)})"
        elif values:
            said = f" (its training took {','.join(f'{each:.9g}' for each in values)})"
        found.append(
            f"No mean is taken off{said}; most networks of Caffe's were trained with one, which "
            "import takes as --mean."
        )
    if not has_scale and image.scale is None:
        trained = net.training.scale if net.training else None
        said = "" if trained is None else f" (its training multiplied by {trained:.9g})"
        found.append(
            f"Numbers are not scaled{said}: they stay on 0..255, less the mean. Networks that were "
            "trained on 0..1, as Caffe's on digits, are imported with --scale 0.00390625."
        )
    return found
