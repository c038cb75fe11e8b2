"""Every field of a description, and what becomes of it: read, harmless with the reason, or refused.

The list is that of Caffe's own caffe.proto, field by field, with those of its widespread forks that
change no output. A field that is in no table is an error that names it: a fork that gives a layer
another meaning (`relu6`, `pad_l`) must not be read as the plain layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alexnet.errors import WeightsError, did_you_mean
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.message import Message
from alexnet.importers.caffe.net import CaffeNet
from alexnet.text import shorten

__all__ = ["LAYER_FIELDS", "NET_FIELDS", "PARAMETERS", "READ", "require_known_fields"]

READ = "read"

_START = "says with which numbers training begins"
_ENGINE = "chooses among programs that compute the same"
_GRADIENT = "is about gradients alone"
_TRAINING = "is about training alone"
_MEMORY = "chooses where numbers are kept"
_PRECISION = "chooses the precision of numbers on a GPU"
_LOG = "is about what is printed"


def _all(reason: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, reason)


_ENGINE_ALONE = {"engine": _ENGINE}
_SIZES = _all(READ, "kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "convolution_param": {
        **_all(READ, "num_output", "bias_term", "pad", "kernel_size", "stride", "dilation"),
        **_all(READ, "group", "axis"),
        **_SIZES,
        **_all(_START, "weight_filler", "bias_filler"),
        **_all(_ENGINE, "engine", "force_nd_im2col", "cudnn_convolution_algo_seeker"),
        **_all(_ENGINE, "conv_algos_override"),
    },
    "pooling_param": {
        **_all(READ, "pool", "pad", "kernel_size", "stride", "global_pooling", "round_mode"),
        **_all(READ, "ceil_mode"),
        **_SIZES,
        **_ENGINE_ALONE,
    },
    "lrn_param": {
        **_all(READ, "local_size", "alpha", "beta", "norm_region", "k"),
        **_ENGINE_ALONE,
    },
    "inner_product_param": {
        **_all(READ, "num_output", "bias_term", "axis", "transpose"),
        **_all(_START, "weight_filler", "bias_filler"),
        **_ENGINE_ALONE,
    },
    "relu_param": {"negative_slope": READ, **_ENGINE_ALONE},
    "prelu_param": {"channel_shared": READ, "filler": _START},
    "elu_param": {"alpha": READ, **_ENGINE_ALONE},
    "clip_param": _all(READ, "min", "max"),
    "swish_param": {"beta": READ},
    "sigmoid_param": _ENGINE_ALONE,
    "tanh_param": _ENGINE_ALONE,
    "dropout_param": {**_all(READ, "dropout_ratio", "scale_train"), **_ENGINE_ALONE},
    "batch_norm_param": {
        **_all(READ, "use_global_stats", "eps", "scale_bias", "scale_filler", "bias_filler"),
        "moving_average_fraction": _TRAINING,
        **_ENGINE_ALONE,
    },
    "scale_param": {
        **_all(READ, "axis", "num_axes", "bias_term"),
        **_all(_START, "filler", "bias_filler"),
    },
    "bias_param": {**_all(READ, "axis", "num_axes"), "filler": _START},
    "eltwise_param": {**_all(READ, "operation", "coeff"), "stable_prod_grad": _GRADIENT},
    "concat_param": _all(READ, "axis", "concat_dim"),
    "slice_param": _all(READ, "axis", "slice_point", "slice_dim"),
    "crop_param": _all(READ, "axis", "offset"),
    "flatten_param": _all(READ, "axis", "end_axis"),
    "reshape_param": _all(READ, "shape", "axis", "num_axes"),
    "permute_param": {"order": READ},
    "shuffle_channel_param": {"group": READ},
    "softmax_param": {"axis": READ, **_ENGINE_ALONE},
    "power_param": _all(READ, "power", "scale", "shift"),
    "exp_param": _all(READ, "base", "scale", "shift"),
    "log_param": _all(READ, "base", "scale", "shift"),
    "threshold_param": {"threshold": READ},
    "spp_param": {**_all(READ, "pyramid_height", "pool"), **_ENGINE_ALONE},
    "transform_param": {
        **_all(READ, "scale", "crop_size", "mean_file", "mean_value", "force_gray"),
        **_all(READ, "crop_h", "crop_w"),
        "force_color": "says that there are three channels, as the network does",
        "mirror": _TRAINING,
        **_all(_TRAINING, "img_rand_resize_lower", "img_rand_resize_upper"),
        **_all(_TRAINING, "rand_resize_ratio_lower", "rand_resize_ratio_upper"),
        **_all(_TRAINING, "vertical_stretch_lower", "vertical_stretch_upper"),
        **_all(_TRAINING, "horizontal_stretch_lower", "horizontal_stretch_upper"),
        **_all(_TRAINING, "random_seed", "distort_param", "expand_param", "noise_param"),
        **_all(_TRAINING, "emit_constraint"),
        **_all(_MEMORY, "use_gpu_transform", "forward_packing"),
        "display": _LOG,
        "num_labels": "is about labels",
    },
}
"""By the message of a layer's own parameters, each of its fields: `READ`, or why it may be left."""

_FOREIGN = "belongs to another type of layer; Caffe reads a layer's own parameters alone"

_OTHER_PARAMETERS = (
    *("accuracy_param", "annotated_data_param", "argmax_param", "contrastive_loss_param"),
    *("data_param", "dummy_data_param", "embed_param", "hdf5_data_param", "hdf5_output_param"),
    *("hinge_loss_param", "image_data_param", "infogain_loss_param", "input_param", "loss_param"),
    *("memory_data_param", "mvn_param", "parameter_param", "python_param", "recurrent_param"),
    *("reduction_param", "tile_param", "window_data_param"),
)

LAYER_FIELDS: Mapping[str, str] = {
    **_all(READ, "name", "type", "bottom", "top", "include", "exclude", "phase", "layer"),
    **_all(_TRAINING, "param", "blobs_lr", "weight_decay", "blob_share_mode"),
    **_all(_GRADIENT, "loss_weight", "propagate_down"),
    "blobs": "holds arrays; those of the trained file are taken",
    **_all(_START, "weight_filler", "bias_filler"),  # V0's
    **_all(_PRECISION, "forward_type", "backward_type", "forward_math", "backward_math"),
    **_all(_PRECISION, "cudnn_math_override"),
    "debug": _LOG,
    **_all(_FOREIGN, *PARAMETERS, *_OTHER_PARAMETERS),
}
"""What may stand in a layer beside the parameters of its type."""

NET_FIELDS: Mapping[str, str] = {
    **_all(READ, "name", "input", "input_dim", "input_shape", "layer", "layers", "state"),
    "force_backward": _GRADIENT,
    "debug_info": _LOG,
    **_all(_PRECISION, "default_forward_type", "default_backward_type", "default_forward_math"),
    **_all(_PRECISION, "default_backward_math", "default_cudnn_math_override"),
    **_all(_GRADIENT, "global_grad_scale", "global_grad_scale_adaptive", "reduce_buckets"),
    **_all(_ENGINE, "default_conv_algos_override", "engine"),
    **_all(_MEMORY, "mem_param", "optimize_mem", "eltwise_mem_sharing"),
    **_all(_LOG, "profile_info", "profile_iter", "profile_warmup"),
}
"""What may stand beside the layers."""

_OWN_PARAMETERS = {
    "AbsVal": None,
    "Axpy": None,
    "BNLL": None,
    "BatchNorm": "batch_norm_param",
    "Bias": "bias_param",
    "Clip": "clip_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "Crop": "crop_param",
    "DepthwiseConvolution": "convolution_param",
    "Dropout": "dropout_param",
    "ELU": "elu_param",
    "Eltwise": "eltwise_param",
    "Exp": "exp_param",
    "Flatten": "flatten_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Log": "log_param",
    "PReLU": "prelu_param",
    "Permute": "permute_param",
    "Pooling": "pooling_param",
    "Power": "power_param",
    "ReLU": "relu_param",
    "ReLU6": None,
    "Reshape": "reshape_param",
    "SPP": "spp_param",
    "Scale": "scale_param",
    "ShuffleChannel": "shuffle_channel_param",
    "Sigmoid": "sigmoid_param",
    "Slice": "slice_param",
    "Softmax": "softmax_param",
    "Split": None,
    "Swish": "swish_param",
    "TanH": "tanh_param",
    "Threshold": "threshold_param",
}


def require_known_fields(net: CaffeNet, layers: Iterable[CaffeLayer]) -> None:
    """Raise for a field that nobody reads and that is not known to be harmless.

    Args:
        net: for what stands beside its layers, and for the layers that make its images.
        layers: those that the output needs; what a loss is told does not matter.

    Raises:
        WeightsError: such a field, with its line, its layer and its name.
    """
    for name in net.message.fields:
        if name not in NET_FIELDS:
            raise _unknown(net.message, "the network", "", name, NET_FIELDS)
    for layer in layers:
        if layer.type in _OWN_PARAMETERS:  # any other type is an error by itself
            _require_known(layer, _OWN_PARAMETERS[layer.type])
    for layer in net.data_layers:
        what = f'the layer "{shorten(layer.name)}" ({shorten(layer.type)})'
        _require_known_parameters(layer.message, what, "transform_param")


def _require_known(layer: CaffeLayer, own: str | None) -> None:
    what = f'the layer "{shorten(layer.name)}" ({shorten(layer.type)})'
    for name in layer.message.fields:
        if name not in LAYER_FIELDS:
            raise _unknown(layer.message, what, "", name, LAYER_FIELDS)
    if own is not None:
        _require_known_parameters(layer.message, what, own)
    if layer.message.word("phase", ("TRAIN", "TEST", "0", "1"), "TEST") in ("TRAIN", "0"):
        raise layer.error(
            "has the phase TRAIN by itself, so Caffe runs it as in training even when it predicts. "
            'Take "phase" out of the layer.'
        )


def _require_known_parameters(message: Message, what: str, own: str) -> None:
    for parameters in message.messages(own):
        for name in parameters.fields:
            if name not in PARAMETERS[own]:
                raise _unknown(parameters, what, f"{own}.", name, PARAMETERS[own])


def _unknown(
    message: Message, what: str, group: str, name: str, known: Mapping[str, str]
) -> WeightsError:
    line = message.fields[name][0].line if message.fields[name] else message.line
    return message.error(
        f'{what} has the field "{group}{shorten(name)}", which is none of Caffe\'s and is not read '
        f"here: it may change what the layer computes.{did_you_mean(name, known)} If it does not, "
        "take it out of the description.",
        line,
    )
