"""One form for all three generations of Caffe's descriptions: the network as it is tested.

V0:  layers { layer { name: "c" type: "conv" kernelsize: 3 } bottom: "data" top: "c" }
V1:  layers { name: "c" type: CONVOLUTION convolution_param { kernel_size: 3 } ... }
new: layer { name: "c" type: "Convolution" convolution_param { kernel_size: 3 } ... }
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.prototxt import Message, Scalar, read_prototxt

__all__ = ["CaffeLayer", "CaffeNet", "ImageInput", "read_net"]

_STAGES = {"deploy"}  # the programs that use stages call the one for answering so

_MOST_SIDE = 4096

_V1_TYPES = {
    **{name: name.capitalize() for name in ("CONCAT", "CONVOLUTION", "DATA", "DROPOUT")},
    **{name: name.capitalize() for name in ("ELTWISE", "FLATTEN", "POOLING", "POWER", "SIGMOID")},
    **{name: name.capitalize() for name in ("SILENCE", "SLICE", "SOFTMAX", "SPLIT", "THRESHOLD")},
    **{name: name.capitalize() for name in ("ACCURACY", "DECONVOLUTION", "EXP")},
    "LRN": "LRN",
    "BNLL": "BNLL",
    "MVN": "MVN",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "RELU": "ReLU",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
    "WINDOW_DATA": "WindowData",
}

_V0_TYPES = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output",
    "images": "ImageData",
    "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "padding": "Padding",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}

_V0_FIELDS = {
    "Concat": ("concat_param", {"concat_dim": "concat_dim"}),
    "Convolution": (
        "convolution_param",
        {
            "num_output": "num_output",
            "biasterm": "bias_term",
            "pad": "pad",
            "kernelsize": "kernel_size",
            "group": "group",
            "stride": "stride",
        },
    ),
    "Dropout": ("dropout_param", {"dropout_ratio": "dropout_ratio"}),
    "InnerProduct": (
        "inner_product_param",
        {"num_output": "num_output", "biasterm": "bias_term"},
    ),
    "LRN": (
        "lrn_param",
        {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"},
    ),
    "Pooling": (
        "pooling_param",
        {"pool": "pool", "pad": "pad", "kernelsize": "kernel_size", "stride": "stride"},
    ),
}

_DATA_TYPES = frozenset(
    ("Data", "ImageData", "MemoryData", "HDF5Data", "WindowData", "DummyData", "Input")
)


@dataclass(frozen=True)
class CaffeLayer:
    """One layer by its names of today; `message` holds its parameters under today's names."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message

    def error(self, said: str) -> WeightsError:
        """Return an error that begins with file, line and layer."""
        return self.message.error(f'the layer "{self.name}" ({self.type}) {said}')


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """What a network takes, as far as its description says."""

    blob: str
    batch_size: int = 1
    channels: int | None = None
    side: int | None = None
    scale: float | None = None  # what is left after the mean is multiplied by this
    mean_values: tuple[float, ...] = ()
    mean_file: str | None = None


@dataclass(frozen=True)
class CaffeNet:
    """A network in its testing phase: what it takes, and its layers in order."""

    name: str
    path: Path
    images: tuple[ImageInput, ...]
    layers: tuple[CaffeLayer, ...]


def read_net(path: Path) -> CaffeNet:
    """Read a description of any generation, for deployment or for training.

    Layers of the training phase alone are left out; data layers become inputs.

    Raises:
        WeightsError: no description of a network, or one that contradicts itself.
    """
    top = read_prototxt(path)
    if top.has("layer") and top.has("layers"):
        raise top.error('a network has "layer" or "layers", not both.')
    if top.has("net") or top.has("train_net") or top.has("base_lr"):
        raise WeightsError(
            f"{path} describes how to train (a solver), not a network. Give the .prototxt that it "
            "names as its net."
        )
    found: list[CaffeLayer] = []
    for message in [*top.messages("layers"), *top.messages("layer")]:
        if message.has("layer"):
            found.append(_from_v0(message))
        else:
            found.append(_from_v1(message) if top.has("layers") else _layer(message))
    if not found:
        raise WeightsError(
            f"{path} describes no layers. Give a .prototxt of a network: for deployment, or for "
            "training and testing."
        )
    tested = [each for each in _padding_merged(found) if _in_test(each.message)]
    data = [each for each in tested if each.type in _DATA_TYPES]
    images = [*_inputs(top), *(image for each in data for image in _data(each))]
    layers = tuple(each for each in tested if each.type not in _DATA_TYPES)
    return CaffeNet(top.text("name") or path.stem, path, tuple(images), layers)


def _layer(message: Message) -> CaffeLayer:
    kind = message.text("type")
    name = message.text("name") or (message.texts("top") or [kind])[0]
    bottoms, tops = tuple(message.texts("bottom")), tuple(message.texts("top"))
    return CaffeLayer(name, kind, bottoms, tops, message)


def _from_v1(message: Message) -> CaffeLayer:
    found = _layer(message)
    return replace(found, type=_V1_TYPES.get(found.type, found.type))


def _from_v0(connection: Message) -> CaffeLayer:
    """Give the nested layer's parameters their names of today."""
    nested = connection.message("layer")
    found = _layer(nested)
    kind = _V0_TYPES.get(found.type, found.type)
    message = Message(nested.place, nested.line, dict(nested.fields))
    if kind in _V0_FIELDS:
        group, names = _V0_FIELDS[kind]
        params = {new: nested.fields[old] for old, new in names.items() if nested.has(old)}
        message.fields[group] = [Message(nested.place, nested.line, params)]
    if kind in _DATA_TYPES:
        names = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size"}
        params = {new: nested.fields[old] for old, new in names.items() if nested.has(old)}
        message.fields["transform_param"] = [Message(nested.place, nested.line, params)]
    return CaffeLayer(
        found.name,
        kind,
        tuple(connection.texts("bottom")),
        tuple(connection.texts("top")),
        message,
    )


def _padding_merged(layers: Sequence[CaffeLayer]) -> list[CaffeLayer]:
    """Move the padding layers of V0 into the windows behind them, as Caffe does."""
    padded: dict[str, CaffeLayer] = {}
    found: list[CaffeLayer] = []
    for each in layers:
        if each.type == "Padding":
            padded |= dict.fromkeys(each.tops, each)
        elif each.bottoms and each.bottoms[0] in padded:
            found.append(_with_padding(each, padded[each.bottoms[0]]))
        else:
            found.append(each)
    return found


def _with_padding(layer: CaffeLayer, padding: CaffeLayer) -> CaffeLayer:
    groups = {"Convolution": "convolution_param", "Pooling": "pooling_param"}
    if layer.type not in groups or len(layer.bottoms) != 1 or len(padding.bottoms) != 1:
        raise layer.error(f'stands behind the padding "{padding.name}"; a window should.')
    group = groups[layer.type]
    pad = str(padding.message.whole("pad", 0))
    old = layer.message.message(group)
    inner = Message(old.place, old.line, {**old.fields, "pad": [Scalar(pad, padding.message.line)]})
    message = replace(layer.message, fields={**layer.message.fields, group: [inner]})
    return replace(layer, bottoms=padding.bottoms, message=message)


def _in_test(message: Message) -> bool:
    """Return whether a layer is there in the testing phase (Caffe's include and exclude)."""
    include, exclude = message.messages("include"), message.messages("exclude")
    if include:
        return any(map(_met, include))
    return not any(map(_met, exclude))


def _met(rule: Message) -> bool:
    if rule.word("phase", ("TRAIN", "TEST", "0", "1"), "TEST") not in ("TEST", "1"):
        return False
    if rule.whole("min_level", 0, -(2**31)) > 0 or rule.whole("max_level", 0, -(2**31)) < 0:
        return False
    return set(rule.texts("stage")) <= _STAGES and not set(rule.texts("not_stage")) & _STAGES


def _inputs(top: Message) -> list[ImageInput]:
    """Read the inputs that stand beside the layers."""
    names, flat = top.texts("input"), top.wholes("input_dim", 1)
    shapes = [each.wholes("dim", 1) for each in top.messages("input_shape")]
    shapes = shapes or [flat[i : i + 4] for i in range(0, len(flat), 4)]
    if len(shapes) not in (0, len(names)):
        raise top.error(f"{len(names)} inputs have {len(shapes)} shapes.")
    padded = shapes or [[] for _ in names]
    return [
        _shaped(ImageInput(blob=name), shape, top)
        for name, shape in zip(names, padded, strict=True)
    ]


def _data(layer: CaffeLayer) -> list[ImageInput]:
    """Read the inputs that a data layer makes; the first is the image, the rest are labels."""
    message = layer.message
    about = ImageInput(blob="")
    for group in ("data_param", "image_data_param", "window_data_param", "transform_param"):
        inner = message.message(group)
        about = replace(
            about,
            scale=inner.number("scale", 1) if inner.has("scale") else about.scale,
            mean_values=tuple(inner.numbers("mean_value")) or about.mean_values,
            mean_file=inner.text("mean_file") or about.mean_file,
            side=inner.whole("crop_size", 0) or about.side,
        )
    shapes = [each.wholes("dim", 1) for each in message.message("input_param").messages("shape")]
    memory = message.message("memory_data_param")
    if memory.has("height"):
        sizes = [memory.whole(each, low=1) for each in ("channels", "height", "width")]
        shapes = [[memory.whole("batch_size", 1, 1), *sizes]]
    found: list[ImageInput] = []
    for place, blob in enumerate(layer.tops):
        shape = shapes[min(place, len(shapes) - 1)] if shapes else []
        found.append(_shaped(replace(about, blob=blob), shape, message))
    return found


def _shaped(image: ImageInput, shape: Sequence[int], message: Message) -> ImageInput:
    """Note the sizes of an input where they are those of images."""
    if len(shape) != 4:
        return image
    batch, channels, height, width = shape
    if height != width or height > _MOST_SIDE:
        raise message.error(
            f'the input "{image.blob}" is {height} x {width}; squares of up to {_MOST_SIDE} '
            "pixels are taken here."
        )
    return replace(image, batch_size=batch, channels=channels, side=height)
