"""How many channels a network's images have, where its description does not say: arrays do."""

from __future__ import annotations

import math
from collections.abc import Mapping

from alexnet.errors import WeightsError
from alexnet.importers.caffe.blob import Blob
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.inputs import ImageInput
from alexnet.importers.caffe.subgraph import BlobSource, Subgraph

__all__ = ["GUESSED_CHANNELS", "channels_of_arrays", "require_channels"]

GUESSED_CHANNELS = "It does not say how many channels its images have; {} are taken."
"""The remark, with the number to be filled in."""

_COLOR, _GRAY = 3, 1
_CONVOLUTIONS = ("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
_EACH_CHANNEL = ("BatchNorm", "Scale", "Bias", "PReLU")
_KEEPING = frozenset(
    (
        *("ReLU", "ReLU6", "ELU", "Clip", "Swish", "Sigmoid", "TanH", "AbsVal", "BNLL", "Power"),
        *("Threshold", "Exp", "Log", "Dropout", "LRN", "Pooling", "Split", "Flatten"),
        *_EACH_CHANNEL,
    )
)


def channels_of_arrays(subgraph: Subgraph, trained: Mapping[str, list[Blob]]) -> int | None:
    """Return the channels that the first arrays behind the image want; None: they do not say.

    Args:
        subgraph: the layers that are needed, in order.
        trained: arrays by layer.
    """
    carrying: set[BlobSource] = set()  # what has the image's channels still
    for place, layer, sources in subgraph.layers:
        if not all(each.layer is None or each in carrying for each in sources):
            continue
        found = _channels(layer, trained.get(layer.name, []), subgraph.image)
        if found is not None:
            return found
        if layer.type in _KEEPING:
            carrying |= {BlobSource(place, top) for top in range(len(layer.tops))}
    return None


def require_channels(channels: int | None, blob: str) -> int:
    """Return 3 or 1 channels; 3 for None.

    Raises:
        WeightsError: another number.
    """
    if channels not in (None, _COLOR, _GRAY):
        raise WeightsError(
            f'The network takes images ("{blob}") of {channels} channels; 3 (color) and 1 (gray) '
            "can be read."
        )
    return channels or _COLOR


def _channels(layer: CaffeLayer, blobs: list[Blob], image: ImageInput) -> int | None:
    if not blobs:
        return None
    shape, count = blobs[0].shape, blobs[0].numbers.size
    if layer.type in _CONVOLUTIONS and len(shape) == 4:
        group = layer.message.message("convolution_param").whole("group", 1, 1)
        return shape[1] * group if layer.type == "Convolution" else shape[0]
    if layer.type == "InnerProduct" and len(shape) > 1:
        turned = layer.message.message("inner_product_param").flag("transpose", False)
        return _channels_of_row(shape[-2 if turned else -1], image)
    if layer.type in _EACH_CHANNEL and count in (_COLOR, _GRAY) and not _is_shared(layer):
        return count
    return None


def _is_shared(layer: CaffeLayer) -> bool:
    """Whether its numbers are of other axes than the channels, or one of all of them."""
    if layer.type == "PReLU":
        return layer.message.message("prelu_param").flag("channel_shared", False)
    params = layer.message.message(f"{layer.type.lower()}_param")
    return params.whole("num_axes", 1, -1) != 1 or params.whole("axis", 1, -4) not in (1, -3)


def _channels_of_row(numbers: int, image: ImageInput) -> int | None:
    """Return how many channels an image of so many numbers has; a square has one answer."""
    positions = (image.height or 0) * (image.width or 0)
    for channels in (_GRAY, _COLOR):
        if numbers == positions * channels:
            return channels
    for channels in (_GRAY, _COLOR):
        if numbers % channels == 0 and math.isqrt(numbers // channels) ** 2 * channels == numbers:
            return channels
    return None
