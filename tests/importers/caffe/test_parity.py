"""The same numbers as OpenCV's reader, on small forms of the networks that people have."""

from __future__ import annotations

import numpy as np
import pytest
import torch

INPUT = 'name: "{0}" input: "data" input_dim: 2 input_dim: {1} input_dim: {2} input_dim: {2}\n'


def conv(name, bottom, outputs, kernel, *more):
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
        f"param {{ lr_mult: 1 }} convolution_param {{ num_output: {outputs} kernel_size: {kernel} "
        f'{" ".join(more)} weight_filler {{ type: "msra" }} }} }}\n'
    )


def relu(blob, more=""):
    return f'layer {{ name: "relu_{blob}" type: "ReLU" bottom: "{blob}" top: "{blob}" {more} }}\n'


def layer(name, kind, bottoms, more="", tops=None):
    ins = " ".join(f'bottom: "{each}"' for each in bottoms)
    outs = " ".join(f'top: "{each}"' for each in tops or [name])
    return f'layer {{ name: "{name}" type: "{kind}" {ins} {outs} {more} }}\n'


def pool(name, bottom, kind="MAX", more="kernel_size: 3 stride: 2"):
    return layer(name, "Pooling", [bottom], f"pooling_param {{ pool: {kind} {more} }}")


def squeezenet():
    text = INPUT.format("SqueezeNet", 3, 35)
    text += conv("conv1", "data", 8, 3, "stride: 2") + relu("conv1") + pool("pool1", "conv1")
    text += conv("fire2/squeeze1x1", "pool1", 4, 1) + relu("fire2/squeeze1x1")
    for size, pad in ((1, 0), (3, 1)):
        name = f"fire2/expand{size}x{size}"
        text += conv(name, "fire2/squeeze1x1", 6, size, f"pad: {pad}") + relu(name)
    text += layer("fire2/concat", "Concat", ["fire2/expand1x1", "fire2/expand3x3"])
    text += layer(
        "drop9",
        "Dropout",
        ["fire2/concat"],
        "dropout_param { dropout_ratio: 0.5 }",
        ["fire2/concat"],
    )
    text += conv("conv10", "fire2/concat", 5, 1) + relu("conv10")
    text += pool("pool10", "conv10", "AVE", "global_pooling: true")
    text += layer("prob", "Softmax", ["pool10"])
    return text, {
        "conv1": [(8, 3, 3, 3), (8,)],
        "fire2/squeeze1x1": [(4, 8, 1, 1), (4,)],
        "fire2/expand1x1": [(6, 4, 1, 1), (6,)],
        "fire2/expand3x3": [(6, 4, 3, 3), (6,)],
        "conv10": [(5, 12, 1, 1), (5,)],
    }


def googlenet():
    text = INPUT.format("GoogLeNet", 3, 32)
    text += conv("conv1/7x7_s2", "data", 8, 7, "pad: 3", "stride: 2") + relu("conv1/7x7_s2")
    text += pool("pool1/3x3_s2", "conv1/7x7_s2")
    lrn = "lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 }"
    text += layer("pool1/norm1", "LRN", ["pool1/3x3_s2"], lrn)
    text += conv("i/1x1", "pool1/norm1", 4, 1) + relu("i/1x1")
    text += conv("i/3x3_reduce", "pool1/norm1", 3, 1) + relu("i/3x3_reduce")
    text += conv("i/3x3", "i/3x3_reduce", 5, 3, "pad: 1") + relu("i/3x3")
    text += conv("i/5x5", "pool1/norm1", 3, 5, "pad: 2") + relu("i/5x5")
    text += pool("i/pool", "pool1/norm1", "MAX", "kernel_size: 3 stride: 1 pad: 1")
    text += conv("i/pool_proj", "i/pool", 2, 1) + relu("i/pool_proj")
    text += layer("i/output", "Concat", ["i/1x1", "i/3x3", "i/5x5", "i/pool_proj"])
    text += pool("pool5", "i/output", "AVE", "kernel_size: 7 stride: 1")
    text += layer("fc", "InnerProduct", ["pool5"], "inner_product_param { num_output: 6 }")
    text += layer("prob", "Softmax", ["fc"])
    return text, {
        "conv1/7x7_s2": [(8, 3, 7, 7), (8,)],
        "i/1x1": [(4, 8, 1, 1), (4,)],
        "i/3x3_reduce": [(3, 8, 1, 1), (3,)],
        "i/3x3": [(5, 3, 3, 3), (5,)],
        "i/5x5": [(3, 8, 5, 5), (3,)],
        "i/pool_proj": [(2, 8, 1, 1), (2,)],
        "fc": [(6, 14 * 4), (6,)],
    }


def nin():
    text = INPUT.format("nin", 3, 29)
    text += conv("conv1", "data", 8, 5, "pad: 2", "stride: 2") + relu("conv1")
    text += conv("cccp1", "conv1", 6, 1) + relu("cccp1")
    text += pool("pool0", "cccp1", "AVE", "kernel_size: 3 stride: 2 pad: 1")
    text += conv("cccp8", "pool0", 4, 1, "bias_term: false") + relu("cccp8")
    text += pool("pool4", "cccp8", "AVE", "kernel_size: 8 stride: 1")
    return text, {
        "conv1": [(8, 3, 5, 5), (8,)],
        "cccp1": [(6, 8, 1, 1), (6,)],
        "cccp8": [(4, 6, 1, 1)],
    }


def resnet():
    text = INPUT.format("ResNet", 3, 31)
    text += conv("conv1", "data", 6, 7, "pad: 3", "stride: 2", "bias_term: false")
    shapes = {"conv1": [(6, 3, 7, 7)]}

    def normed(name):
        shapes[f"bn_{name}"] = [(6,), (6,), (1,)]
        shapes[f"scale_{name}"] = [(6,), (6,)]
        given = "batch_norm_param { use_global_stats: true }"
        found = layer(f"bn_{name}", "BatchNorm", [name], given, [name])
        given = "scale_param { bias_term: true }"
        return found + layer(f"scale_{name}", "Scale", [name], given, [name])

    text += normed("conv1") + relu("conv1") + pool("pool1", "conv1")
    text += conv("a", "pool1", 6, 3, "pad: 1", "bias_term: false") + normed("a") + relu("a")
    text += conv("b", "a", 6, 3, "pad: 1", "bias_term: false") + normed("b")
    shapes |= {"a": [(6, 6, 3, 3)], "b": [(6, 6, 3, 3)]}
    text += layer("res", "Eltwise", ["pool1", "b"]) + relu("res")
    text += pool("pool5", "res", "AVE", "kernel_size: 8 stride: 1")
    text += layer("fc", "InnerProduct", ["pool5"], "inner_product_param { num_output: 7 }")
    return text, shapes | {"fc": [(7, 6), (7,)]}


def odd_ones():
    """Everything that the known networks do not ask for."""
    text = INPUT.format("odd", 3, 24)
    text += (
        'layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {'
        "num_output: 8 kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 2 } }\n"
    )
    text += layer("prelu", "PReLU", ["conv1"])
    lrn = "lrn_param { local_size: 3 alpha: 0.7 beta: 0.6 norm_region: WITHIN_CHANNEL }"
    text += layer("within", "LRN", ["prelu"], lrn)
    text += conv("dilated", "within", 8, 3, "group: 2", "dilation: 2", "pad: 2")
    text += layer("elu", "ELU", ["dilated"], "elu_param { alpha: 0.8 }")
    text += layer("cut", "Slice", ["elu"], "slice_param { slice_point: 3 }", ["left", "right"])
    text += conv("l", "left", 4, 1) + layer("sig", "Sigmoid", ["l"])
    text += conv("r", "right", 4, 1) + layer("tanh", "TanH", ["r"])
    text += relu("r", "relu_param { negative_slope: 0.1 }")
    text += layer("split", "Split", ["sig"], "", ["s1", "s2"])
    given = "eltwise_param { operation: SUM coeff: 2 coeff: -0.5 }"
    text += layer("sum", "Eltwise", ["s1", "tanh"], given)
    text += layer("max", "Eltwise", ["sum", "r"], "eltwise_param { operation: MAX }")
    text += layer("prod", "Eltwise", ["max", "s2"], "eltwise_param { operation: PROD }")
    text += layer("scale", "Scale", ["prod"])
    text += pool("wide", "scale", "MAX", "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 2")
    text += layer("flat", "Flatten", ["wide"])
    text += layer("one", "InnerProduct", ["flat"], "inner_product_param { num_output: 12 }")
    text += layer("maps", "Reshape", ["one"], "reshape_param { shape { dim: 0 dim: 3 dim: -1 } }")
    text += layer("soft", "Softmax", ["maps"], "softmax_param { axis: 2 }")
    given = "inner_product_param { num_output: 5 bias_term: false }"
    text += layer("row", "Flatten", ["soft"]) + layer("two", "InnerProduct", ["row"], given)
    return text, {
        "conv1": [(8, 3, 3, 5), (8,)],
        "prelu": [(8,)],
        "dilated": [(8, 4, 3, 3), (8,)],
        "l": [(4, 3, 1, 1), (4,)],
        "r": [(4, 5, 1, 1), (4,)],
        "scale": [(4,)],
        "one": [(12, 4 * 11 * 6), (12,)],
        "two": [(5, 12)],
    }


def vgg():
    text = INPUT.format("VGG", 3, 16)
    text += conv("conv1_1", "data", 6, 3, "pad: 1") + relu("conv1_1")
    text += conv("conv1_2", "conv1_1", 6, 3, "pad: 1") + relu("conv1_2")
    text += pool("pool1", "conv1_2", "MAX", "kernel_size: 2 stride: 2")
    text += layer("fc6", "InnerProduct", ["pool1"], "inner_product_param { num_output: 9 }")
    text += relu("fc6") + layer("drop6", "Dropout", ["fc6"], "", ["fc6"])
    text += layer("fc8", "InnerProduct", ["fc6"], "inner_product_param { num_output: 4 }")
    text += layer("prob", "Softmax", ["fc8"])
    return text, {
        "conv1_1": [(6, 3, 3, 3), (6,)],
        "conv1_2": [(6, 6, 3, 3), (6,)],
        "fc6": [(9, 6 * 64), (9,)],
        "fc8": [(4, 9), (4,)],
    }


V1_NET = """
name: "narrow AlexNet" input: "data" input_dim: 1 input_dim: 3 input_dim: 67 input_dim: 67
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 weight_decay: 1
  convolution_param { num_output: 8 kernel_size: 11 stride: 4 } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "norm1" type: LRN bottom: "conv1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.3 beta: 0.75 } }
layers { name: "pool1" type: POOLING bottom: "norm1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layers { name: "conv2" type: CONVOLUTION bottom: "pool1" top: "conv2"
  convolution_param { num_output: 8 pad: 2 kernel_size: 5 group: 2 } }
layers { name: "pool2" type: POOLING bottom: "conv2" top: "pool2"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layers { name: "fc6" type: INNER_PRODUCT bottom: "pool2" top: "fc6"
  inner_product_param { num_output: 5 } }
layers { name: "prob" type: SOFTMAX bottom: "fc6" top: "prob" }
"""

V0_NET = """
name: "of 2013" input: "data" input_dim: 1 input_dim: 3 input_dim: 67 input_dim: 67
layers { layer { name: "conv1" type: "conv" num_output: 8 kernelsize: 11 stride: 4
  weight_filler { type: "gaussian" std: 0.01 } blobs_lr: 1. } bottom: "data" top: "conv1" }
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: MAX kernelsize: 3 stride: 2 }
  bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 5 alpha: 0.3 beta: 0.75 }
  bottom: "pool1" top: "norm1" }
layers { layer { name: "pad2" type: "padding" pad: 2 } bottom: "norm1" top: "pad2" }
layers { layer { name: "conv2" type: "conv" num_output: 8 group: 2 kernelsize: 5 }
  bottom: "pad2" top: "conv2" }
layers { layer { name: "pool2" type: "pool" pool: AVE kernelsize: 3 stride: 2 }
  bottom: "conv2" top: "pool2" }
layers { layer { name: "fc6" type: "innerproduct" num_output: 5 biasterm: true }
  bottom: "pool2" top: "fc6" }
layers { layer { name: "drop6" type: "dropout" dropout_ratio: 0.5 } bottom: "fc6" top: "fc6" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc6" top: "prob" }
"""

OLD_SHAPES = {
    "conv1": [(8, 3, 11, 11), (8,)],
    "conv2": [(8, 4, 5, 5), (8,)],
    "fc6": [(5, 72), (5,)],
}

NETWORKS = {
    "squeezenet": (*squeezenet(), "new"),
    "googlenet": (*googlenet(), "new"),
    "nin": (*nin(), "new"),
    "vgg": (*vgg(), "new"),
    "resnet": (*resnet(), "new"),
    "odd": (*odd_ones(), "new"),
    "V1": (V1_NET, OLD_SHAPES, "V1"),
    "V0": (V0_NET, OLD_SHAPES, "V0"),
}


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.ptp(wanted) > 1e-3, "an answer that is the same for all shows nothing"
    assert np.abs(found - wanted).max() <= 1e-4 * max(1.0, float(np.abs(wanted).max()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_network_answers_as_in_opencv(name, seed, write_case):
    text, shapes, generation = NETWORKS[name]
    case = write_case(text, shapes, generation=generation, seed=seed)
    found = case.imported(order="BGR", image_px=None)
    network = found.weights.network()
    side = found.weights.preprocessing.crop_px
    x = np.random.default_rng(seed).normal(0, 2, (3, 3, side, side)).astype(np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(x))
        softmax = "Softmax" in text.splitlines()[-1] or "prob" in text
        answer = logits.softmax(1) if softmax else logits
    assert_same(answer.numpy(), case.opencv(x))


@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_the_weights_file_is_enough_by_itself(stored, write_case, tmp_path):
    from alexnet import load_weights, save_weights

    text, shapes, generation = NETWORKS["googlenet"]
    weights = write_case(text, shapes, generation=generation).imported().weights
    save_weights(tmp_path / "w.safetensors", weights, dtype=stored)
    again = load_weights(tmp_path / "w.safetensors")
    assert again.arguments == weights.arguments
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = weights.network()(x), again.network()(x)
    tolerance = 0 if stored == "float32" else 0.2
    assert (one - other).abs().max() <= tolerance
