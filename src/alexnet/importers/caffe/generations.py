"""One form for all three generations of Caffe's descriptions.

V0:  layers { layer { name: "c" type: "conv" kernelsize: 3 } bottom: "data" top: "c" }
V1:  layers { name: "c" type: CONVOLUTION convolution_param { kernel_size: 3 } ... }
new: layer { name: "c" type: "Convolution" convolution_param { kernel_size: 3 } ... }
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.message import Message, Scalar

__all__ = ["DATA_TYPES", "layers_of"]

DATA_TYPES = frozenset(
    ("Data", "ImageData", "MemoryData", "HDF5Data", "WindowData", "DummyData", "Input")
)
"""Caffe's own layers that make images."""

_V1_TYPES = {
    **{name: name.capitalize() for name in ("CONCAT", "CONVOLUTION", "DATA", "DROPOUT")},
    **{name: name.capitalize() for name in ("ELTWISE", "FLATTEN", "POOLING", "POWER", "SIGMOID")},
    **{name: name.capitalize() for name in ("SILENCE", "SLICE", "SOFTMAX", "SPLIT", "THRESHOLD")},
    **{name: name.capitalize() for name in ("ACCURACY", "DECONVOLUTION", "EXP")},
    "NONE": "",
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

_V0_DATA_FIELDS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size"}


def layers_of(top: Message) -> list[CaffeLayer]:
    """Return every layer of a network under today's names, of all phases.

    Args:
        top: the network's message.

    Raises:
        WeightsError: layers of two generations, or a padding with no window behind it.
    """
    if top.has("layer") and top.has("layers"):
        raise top.error(
            'a network has "layer" or "layers", not both; "layers" is the older form, with other '
            'names of types (SOFTMAX for "Softmax"). Write all of them as "layer".',
            top.fields["layers"][0].line,
        )
    found: list[CaffeLayer] = []
    for message in [*top.messages("layers"), *top.messages("layer")]:
        if message.has("layer"):
            found.append(_from_v0(message))
        else:
            found.append(_from_v1(message) if top.has("layers") else _layer(message))
    return _padding_merged(found)


def _layer(message: Message) -> CaffeLayer:
    kind = message.text("type")
    name = message.text("name") or (message.texts("top") or [kind])[0]
    bottoms, tops = tuple(message.texts("bottom")), tuple(message.texts("top"))
    return CaffeLayer(name, kind, bottoms, tops, message)


def _from_v1(message: Message) -> CaffeLayer:
    found = _layer(message)
    return replace(found, type=_V1_TYPES.get(found.type, found.type))


def _from_v0(connection: Message) -> CaffeLayer:
    """Give the nested layer's parameters their names of today; all others keep theirs."""
    nested = connection.message("layer")
    found = _layer(nested)
    kind = _V0_TYPES.get(found.type, found.type)
    group, names = _V0_FIELDS.get(kind, ("", {}))
    if kind in DATA_TYPES:
        group, names = "transform_param", _V0_DATA_FIELDS
    read = {new: nested.fields[old] for old, new in names.items() if nested.has(old)}
    beside = {name: found for name, found in connection.fields.items() if name != "layer"}
    left = {name: found for name, found in nested.fields.items() if name not in names}
    message = Message(nested.place, nested.line, {**beside, **left})
    if group:
        message.fields[group] = [Message(nested.place, nested.line, read)]
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
