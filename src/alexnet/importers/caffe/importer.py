"""From Caffe's files to one weights file: description, trained arrays, mean, channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RecipeError, WeightsError
from alexnet.images import ChannelOrder, Preprocessing
from alexnet.importers.caffe.caffemodel import read_caffemodel
from alexnet.importers.caffe.channels import (
    GUESSED_CHANNELS,
    channels_of_arrays,
    require_channels,
)
from alexnet.importers.caffe.deep_compression import read_deep_compression
from alexnet.importers.caffe.fields import require_known_fields
from alexnet.importers.caffe.files import CaffeFiles, sort_files
from alexnet.importers.caffe.inputs import ImageInput
from alexnet.importers.caffe.layers import build_graph
from alexnet.importers.caffe.mean import format_mean, read_mean
from alexnet.importers.caffe.model_match import network_of_graph
from alexnet.importers.caffe.net import CaffeNet, read_net
from alexnet.importers.caffe.remarks import describe_maker, image_px_of, image_remarks
from alexnet.importers.caffe.subgraph import inference_subgraph
from alexnet.importers.caffe.tensors import (
    state_dict_from_blobs,
    statistics_remarks,
    with_factors,
)
from alexnet.importers.file_kinds import file_kind
from alexnet.importers.request import ImportedModel, ImportRequest, class_names
from alexnet.weights.weights import Weights

__all__ = ["import_caffe"]

_ORDER: ChannelOrder = "BGR"  # what OpenCV decodes, and so what Caffe's tools hand to its networks


def import_caffe(request: ImportRequest) -> ImportedModel:
    """Read a description with its trained arrays, and a mean where there is one.

    AlexNet and CaffeNet become the models `alexnet_caffe` and `caffenet`, any other network a
    graph. What the description says of the image (scale, mean values, crop) is taken where the
    request says nothing.

    Args:
        request: the files, and what the user says of the image and the classes.

    Raises:
        WeightsError: a file is missing, damaged or something else, or asks for what is not done.
        AlexNetError: protobuf or h5py is not installed.
    """
    files = sort_files(request)
    net = read_net(files.description)
    compressed = file_kind(files.trained) == "compressed"
    trained = {} if compressed else read_caffemodel(files.trained)
    subgraph, said = with_factors(inference_subgraph(net), trained)
    known = subgraph.image.channels or channels_of_arrays(subgraph, trained)
    channels = require_channels(known, subgraph.image.blob)
    order = request.order or (_ORDER if channels == 3 else "RGB")
    mean = _mean(request, files, subgraph.image, channels, order)
    crop_px = _crop_px(request, subgraph.image, mean, net)
    require_known_fields(net, (layer for _, layer, _ in subgraph.layers))
    graph = build_graph(net, subgraph, channels=channels, side=crop_px, order=order)
    if compressed:
        trained = read_deep_compression(files.trained, graph)
    state = state_dict_from_blobs(graph, trained, str(files.trained))
    preprocessing = replace(
        _preprocessing(request, subgraph.image, crop_px, mean, order), gray=channels == 1
    )
    network, state = network_of_graph(
        graph, state, image_px=preprocessing.image_px, crop_px=crop_px
    )
    names, words = class_names(request.classes, network.classes)
    weights = Weights(
        model=network.model,
        arguments=network.arguments,
        state=state,
        classes=names,
        class_words=words,
        preprocessing=preprocessing,
    )
    weights.network()  # raises where the tensors do not fit
    remarks = (
        *net.remarks,
        *subgraph.remarks,
        *said,
        *([] if known else [GUESSED_CHANNELS.format(channels)]),
        *statistics_remarks(graph, trained),
        *image_remarks(request, net, subgraph.image, preprocessing, channels=channels),
    )
    if request.classes is None:
        remarks = (*remarks, "Classes are called by their numbers; names: --classes.")
    return ImportedModel(weights=weights, format="caffe", name=net.name, remarks=remarks)


def _mean(
    request: ImportRequest, files: CaffeFiles, image: ImageInput, channels: int, order: ChannelOrder
) -> NDArray[np.float32] | None:
    said = request.mean or (None if files.mean is None else str(files.mean))
    if said is None and image.mean_values:
        said = ",".join(f"{each:.9g}" for each in image.mean_values)
    return None if said is None else read_mean(said, channels=channels, order=order)


def _crop_px(
    request: ImportRequest, image: ImageInput, mean: NDArray[np.float32] | None, net: CaffeNet
) -> int:
    if image.side is not None:
        return image.side
    image.require_image(net.path)
    if request.image_px is not None:
        return request.image_px
    if mean is not None and mean.ndim == 3:
        return len(mean)
    raise WeightsError(
        f"{net.path} does not say of which side its images are, as descriptions for training "
        f"often do not{_maker(image)}. Give it as --image-px, or take the description for "
        "deployment."
    )


def _maker(image: ImageInput) -> str:
    return "" if image.maker is None else f" ({describe_maker(image.maker)})"


def _preprocessing(
    request: ImportRequest,
    image: ImageInput,
    crop_px: int,
    mean: NDArray[np.float32] | None,
    order: ChannelOrder,
) -> Preprocessing:
    image_px = request.image_px or image_px_of(image, crop_px, mean)
    if not image.is_square and (image_px != crop_px or (mean is not None and mean.ndim == 3)):
        raise WeightsError(
            f'The input "{image.blob}" is {image.height} x {image.width}: the whole image is '
            f"squashed to it, by way of a square of {crop_px} pixels. Leave --image-px out, and "
            f"give the mean of each channel{_mean_flag(mean, order)}."
        )
    if mean is not None and mean.ndim == 3 and len(mean) != image_px:
        raise WeightsError(
            f"The mean image is of {len(mean)} pixels and the image of {image_px}. Leave "
            "--image-px out, or give the mean of each channel: "
            f"--mean {format_mean(mean, order)}"
        )
    scale = image.scale if request.scale is None else request.scale
    if scale is not None and not 1e-6 <= scale <= 1e6:
        raise WeightsError(f"The description scales by {scale:g}; 1e-6 to 1e6 can be. See --scale.")
    try:
        return Preprocessing(
            image_px=image_px,
            crop_px=crop_px,
            resize_mode=request.resize_mode or "squash",
            order=order,
            mean=mean,
            mean_at="crop",
            std=None if scale in (None, 1) else np.full(3, 1 / scale, dtype=np.float32),
        )
    except RecipeError as error:
        raise WeightsError(f"The image cannot be prepared so: {error}") from error


def _mean_flag(mean: NDArray[np.float32] | None, order: ChannelOrder) -> str:
    return "" if mean is None else f": --mean {format_mean(mean, order)}"
