"""From Caffe's files to one weights file: description, trained arrays, mean, channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alexnet.errors import RecipeError, WeightsError
from alexnet.images import ChannelOrder, Preprocessing
from alexnet.importers.caffe.caffemodel import Blob, read_caffemodel
from alexnet.importers.caffe.graph_builder import GraphBuilder
from alexnet.importers.caffe.layers import build_graph
from alexnet.importers.caffe.mean import MEAN_SUFFIXES, format_mean, read_mean
from alexnet.importers.caffe.model_match import match_model
from alexnet.importers.caffe.net import CaffeNet, ImageInput, read_net
from alexnet.importers.caffe.subgraph import Subgraph, inference_subgraph
from alexnet.importers.caffe.tensors import state_dict_from_blobs
from alexnet.importers.request import ImportedModel, ImportRequest, class_names
from alexnet.models import GRAPH, Network, build_model
from alexnet.weights.weights import Weights

__all__ = ["import_caffe"]

_ORDER: ChannelOrder = "BGR"  # what OpenCV decodes, and so what Caffe's tools hand to its networks


def import_caffe(request: ImportRequest) -> ImportedModel:
    """Read a `.prototxt` with its `.caffemodel`, and a mean where there is one.

    AlexNet and CaffeNet become the models `alexnet_caffe` and `caffenet`, any other network a
    graph. What the description says of the image (scale, mean values, crop) is taken where the
    request says nothing.

    Args:
        request: the files, and what the user says of the image and the classes.

    Raises:
        WeightsError: a file is missing, damaged or something else, or asks for what is not done.
        AlexNetError: protobuf is not installed.
    """
    files = _Files.among(request)
    net = read_net(files.description)
    trained = read_caffemodel(files.trained)
    subgraph = inference_subgraph(net)
    channels = _channels(subgraph, trained)
    order = request.order or (_ORDER if channels == 3 else "RGB")
    mean = _mean(request, files, subgraph.image, channels, order)
    crop_px = _crop_px(request, subgraph, mean, net)
    graph = build_graph(net, subgraph, channels=channels, side=crop_px, order=order)
    state = state_dict_from_blobs(graph, trained, str(files.trained))
    preprocessing = _preprocessing(request, subgraph.image, crop_px, mean, order)
    classes = graph.shapes[graph.nodes[-1].name][0]
    network, state = _network(graph, state, classes, preprocessing)
    names, words = class_names(request.classes, classes)
    weights = Weights(
        model=network.model,
        arguments=network.arguments,
        state=state,
        classes=names,
        class_words=words,
        preprocessing=preprocessing,
    )
    weights.network()  # raises where the tensors do not fit
    remarks = _remarks(request, subgraph.image, preprocessing, channels)
    return ImportedModel(weights=weights, format="caffe", name=net.name, remarks=remarks)


@dataclass(frozen=True)
class _Files:
    """The files of a request by what they are."""

    description: Path
    trained: Path
    mean: Path | None

    @classmethod
    def among(cls, request: ImportRequest) -> _Files:
        by_kind: dict[str, list[Path]] = {".prototxt": [], ".caffemodel": [], "mean": []}
        for path in request.files:
            kind = "mean" if path.suffix in MEAN_SUFFIXES else path.suffix
            if kind not in by_kind:
                raise WeightsError(
                    f"{path} is no file of Caffe's. A network is a .prototxt and a .caffemodel; "
                    f"its mean is a {' or a '.join(MEAN_SUFFIXES)}."
                )
            by_kind[kind].append(path)
        for kind, what in ((".prototxt", "description"), (".caffemodel", "file of weights")):
            if len(by_kind[kind]) != 1:
                raise WeightsError(
                    f"A network of Caffe's has one {what}, whose name ends in {kind}; "
                    f"{len(by_kind[kind])} were given."
                )
        if len(by_kind["mean"]) + (request.mean is not None) > 1:
            raise WeightsError("More than one mean is given; a network has one.")
        mean = next(iter(by_kind["mean"]), None)
        return cls(by_kind[".prototxt"][0], by_kind[".caffemodel"][0], mean)


def _channels(subgraph: Subgraph, trained: Mapping[str, list[Blob]]) -> int:
    """Return the channels of the image; a data layer does not say them, its convolutions do."""
    said = subgraph.image.channels
    for _, layer, sources in subgraph.layers:
        blobs = trained.get(layer.name, [])
        if said or sources[0].layer is not None or layer.type != "Convolution" or not blobs:
            continue
        if len(blobs[0].shape) == 4:
            group = layer.message.message("convolution_param").whole("group", 1, 1)
            said = blobs[0].shape[1] * group
    found = 3 if said is None else said
    if found not in (1, 3):
        raise WeightsError(
            f'The network takes images ("{subgraph.image.blob}") of {found} channels; 3 (color) '
            "and 1 (gray) can be read."
        )
    return found


def _mean(
    request: ImportRequest, files: _Files, image: ImageInput, channels: int, order: ChannelOrder
) -> NDArray[np.float32] | None:
    said = request.mean or (None if files.mean is None else str(files.mean))
    if said is None and image.mean_values:
        said = ",".join(f"{each:.9g}" for each in image.mean_values)
    return None if said is None else read_mean(said, channels=channels, order=order)


def _crop_px(
    request: ImportRequest, subgraph: Subgraph, mean: NDArray[np.float32] | None, net: CaffeNet
) -> int:
    if subgraph.image.side is not None:
        return subgraph.image.side
    if request.image_px is not None:
        return request.image_px
    if mean is not None and mean.ndim == 3:
        return len(mean)
    raise WeightsError(
        f"{net.path} does not say of which side its images are, as descriptions for training "
        "often do not. Give it as --image-px, or take the description for deployment."
    )


def _preprocessing(
    request: ImportRequest,
    image: ImageInput,
    crop_px: int,
    mean: NDArray[np.float32] | None,
    order: ChannelOrder,
) -> Preprocessing:
    image_px = request.image_px or _image_px(crop_px, mean)
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


def _image_px(crop_px: int, mean: NDArray[np.float32] | None) -> int:
    if mean is not None and mean.ndim == 3:
        return len(mean)
    return 256 if 200 <= crop_px <= 256 else crop_px


def _network(
    graph: GraphBuilder, state: dict[str, Tensor], classes: int, preprocessing: Preprocessing
) -> tuple[Network, dict[str, Tensor]]:
    """Return the network on the meta device, and its tensors by its own names."""
    sides: dict[str, Any] = {
        "classes": classes,
        "image_px": preprocessing.image_px,
        "crop_px": preprocessing.crop_px,
    }
    match = match_model(graph, **sides)
    if match is None:
        with torch.device("meta"):
            return build_model(GRAPH, graph=graph.description(classes), **sides), state
    network, names = match
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{names[layer]}.{kind}"] = tensor
    return network, renamed


def _remarks(
    request: ImportRequest, image: ImageInput, preprocessing: Preprocessing, channels: int
) -> tuple[str, ...]:
    """Say what was taken for granted, so that a wrong guess is seen at once."""
    found: list[str] = []
    if channels == 1:
        found.append("The network takes gray images; colors are made gray.")
    elif request.order is None:
        found.append(
            "Channels are taken as blue, green, red, Caffe's usual order; a network that was "
            "trained on red, green, blue needs --order rgb."
        )
    if preprocessing.mean is None:
        named = f" (its training named {image.mean_file})" if image.mean_file else ""
        found.append(
            f"No mean is taken off{named}; most networks of Caffe's were trained with one: --mean."
        )
    if request.image_px is None and preprocessing.mean is None:
        found.append(
            f"Images become squares of {preprocessing.image_px} pixels, of which "
            f"{preprocessing.crop_px} are seen; another side: --image-px."
        )
    if request.classes is None:
        found.append("Classes are called by their numbers; names: --classes.")
    return tuple(found)
