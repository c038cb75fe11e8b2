"""Layers of side networks and forks: as OpenCV reads them, and as loops of Caffe's source do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from alexnet.errors import WeightsError

INPUT = 'input: "data" input_dim: [1, {0}, {1}, {2}]\n'
SHAPE = (3, 6, 6)


def layer(name, kind, bottoms, more="", tops=None):
    ins = " ".join(f'bottom: "{each}"' for each in bottoms)
    outs = " ".join(f'top: "{each}"' for each in tops or [name])
    return f'layer {{ name: "{name}" type: "{kind}" {ins} {outs} {more} }}\n'


def row(bottom):
    return layer("row", "Flatten", [bottom])


@pytest.fixture
def run(write_case):
    """What a network answers here: numbers (N, K) for images (N, C, H, W)."""

    def run(text, x, shapes=(), arrays=None, wire=None):
        case = write_case(text, dict(shapes))
        if arrays is not None:
            case.files[1].write_bytes(wire.caffemodel(arrays))
        network = case.imported(order="BGR").weights.network()
        with torch.inference_mode():
            return case, network(torch.from_numpy(x)).numpy()

    return run


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(0.5, 1.5, (2, *SHAPE)).astype(np.float32)


PROBE = 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {%s} }\n'
CONV = PROBE % "num_output: 3 kernel_size: 1"


def after_conv(case, x):
    """The maps behind the one convolution, by numpy."""
    weight, bias = case.arrays["c"]
    return np.einsum("oi,nihw->nohw", weight[:, :, 0, 0], x) + bias[:, None, None]


VALUES = {
    "Power": (
        "power_param { power: 2 scale: 0.5 shift: 1.5 }",
        lambda x: (1.5 + 0.5 * x) ** 2,
    ),
    "Exp": (
        "exp_param { base: 2 scale: 0.5 shift: 0.3 }",
        lambda x: 2.0 ** (0.3 + 0.5 * x),
    ),
    "AbsVal": ("", np.abs),
    "BNLL": ("", lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "Threshold": ("threshold_param { threshold: 0.4 }", lambda x: (x > 0.4) * 1.0),
    "ReLU6": ("", lambda x: np.clip(x, 0, 6)),
    "Clip": ("clip_param { min: -0.5 max: 1.25 }", lambda x: np.clip(x, -0.5, 1.25)),
    "Swish": ("swish_param { beta: 1.5 }", lambda x: x / (1 + np.exp(-1.5 * x))),
    "ELU": (
        "elu_param { alpha: 0.7 }",
        lambda x: np.maximum(x, 0) + 0.7 * (np.exp(np.minimum(x, 0)) - 1),
    ),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_function_of_each_number_is_caffes(kind, run, x):
    more, formula = VALUES[kind]
    text = INPUT.format(*SHAPE) + CONV + layer("f", kind, ["c"], more) + row("f")
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)]})
    wanted = formula(after_conv(case, x).astype(np.float64)).reshape(2, -1)
    assert np.abs(found - wanted).max() < 1e-5 * max(1, np.abs(wanted).max())
    assert np.ptp(wanted) > 0.3
    if kind not in ("Threshold", "ReLU6", "Clip", "Swish"):
        assert np.abs(found - case.opencv(x)).max() < 1e-4


@pytest.mark.parametrize(("base", "factor"), [("-1", 1.0), ("10", 1 / math.log(10))])
def test_a_logarithm_is_caffes(base, factor, run, x):
    given = f"log_param {{ base: {base} scale: 0.5 shift: 0.25 }}"
    text = INPUT.format(*SHAPE) + CONV + layer("a", "AbsVal", ["c"])
    case, found = run(
        text + layer("f", "Log", ["a"], given) + row("f"), x, {"c": [(3, 3, 1, 1), (3,)]}
    )
    wanted = np.log(0.25 + 0.5 * np.abs(after_conv(case, x))) * factor
    assert np.abs(found - wanted.reshape(2, -1)).max() < 1e-5


def squeeze_and_excite(joined):
    """A branch with one factor for each channel of each image, and how it is joined."""
    pooled = layer("p", "Pooling", ["c"], "pooling_param { pool: AVE global_pooling: true }")
    text = INPUT.format(*SHAPE) + CONV + pooled
    text += layer("fc", "InnerProduct", ["p"], "inner_product_param { num_output: 3 }")
    return text + layer("s", "Sigmoid", ["fc"]) + joined + row("out")


SE_SHAPES = {"c": [(3, 3, 1, 1), (3,)], "fc": [(3, 3), (3,)]}


def gates(case, x):
    maps = after_conv(case, x)
    weight, bias = case.arrays["fc"]
    return maps, 1 / (1 + np.exp(-(maps.mean((2, 3)) @ weight.T + bias)))


def test_a_factor_from_another_layer_is_caffes(run, x):
    joined = layer("out", "Scale", ["c", "s"], "scale_param { axis: 0 }")
    case, found = run(squeeze_and_excite(joined), x, SE_SHAPES)
    maps, gate = gates(case, x)
    wanted = (maps * gate[:, :, None, None]).reshape(2, -1)
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(found - case.opencv(x)).max() < 1e-4


def test_a_summand_from_another_layer_is_caffes(run, x):
    joined = layer("out", "Bias", ["c", "s"], "bias_param { axis: 0 }")
    case, found = run(squeeze_and_excite(joined), x, SE_SHAPES)
    maps, gate = gates(case, x)
    assert np.abs(found - (maps + gate[:, :, None, None]).reshape(2, -1)).max() < 1e-5


@pytest.mark.parametrize("as_maps", [True, False])
def test_axpy_is_a_times_x_plus_y(as_maps, run, x):
    given = "reshape_param { shape { dim: 0 dim: 3 dim: 1 dim: 1 } }"
    gate = layer("g", "Reshape", ["s"], given) if as_maps else ""
    joined = gate + layer("out", "Axpy", ["g" if as_maps else "s", "c", "data"])
    case, found = run(squeeze_and_excite(joined), x, SE_SHAPES)
    maps, gate = gates(case, x)
    wanted = (maps * gate[:, :, None, None] + x).reshape(2, -1)
    assert np.abs(found - wanted).max() < 1e-5  # OpenCV 4.14 multiplies y instead of x


def test_a_learned_bias_is_added(run, x):
    text = INPUT.format(*SHAPE) + CONV + layer("b", "Bias", ["c"]) + row("b")
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)], "b": [(3,)]})
    wanted = after_conv(case, x) + case.arrays["b"][0][:, None, None]
    assert np.abs(found - wanted.reshape(2, -1)).max() < 1e-6


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
@pytest.mark.parametrize("group", ["", "group: 3"])
def test_a_depthwise_convolution_has_a_group_a_channel(kind, group, run, x):
    given = f"convolution_param {{ num_output: 3 kernel_size: 3 pad: 1 stride: 2 {group} }}"
    text = INPUT.format(*SHAPE) + layer("d", kind, ["data"], given) + row("d")
    case, found = run(text, x, {"d": [(3, 1, 3, 3), (3,)]})
    weight, bias = case.arrays["d"]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    wanted = np.zeros((2, 3, 3, 3))
    for c, i, j in np.ndindex(3, 3, 3):
        window = padded[:, c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        wanted[:, c, i, j] = (window * weight[c, 0]).sum((1, 2)) + bias[c]
    assert np.abs(found - wanted.reshape(2, -1)).max() < 1e-5


def caffe_pool(x, kind, kernel, stride, pad):
    """Caffe's PoolingLayer as it stands in its source, with AVE_EXC_PAD of a fork."""
    n, c, height, width = x.shape
    sizes = [math.ceil((side + 2 * pad - kernel) / stride) + 1 for side in (height, width)]
    if pad:
        sizes = [
            s - ((s - 1) * stride >= side + pad)
            for s, side in zip(sizes, (height, width), strict=True)
        ]
    found = np.zeros((n, c, *sizes))
    for i, j in np.ndindex(*sizes):
        top, left = i * stride - pad, j * stride - pad
        bottom, right = min(top + kernel, height + pad), min(left + kernel, width + pad)
        area = (bottom - top) * (right - left)
        top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
        window = x[:, :, top:bottom, left:right]
        inside = (bottom - top) * (right - left)
        total = window.sum((2, 3))
        found[:, :, i, j] = {
            "MAX": window.max((2, 3)),
            "AVE": total / area,
            "AVE_EXC_PAD": total / inside,
            "AVE_TF": total / inside,
        }[kind]
    return found


@pytest.mark.parametrize("kind", ["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"), [(3, 2, 1), (7, 7, 0), (9, 4, 1), (8, 3, 0), (6, 1, 0), (5, 3, 2)]
)
def test_pools_are_laid_and_counted_as_caffe_does(kind, kernel, stride, pad, run, x):
    given = f"pooling_param {{ pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad} }}"
    text = INPUT.format(*SHAPE) + CONV + layer("p", "Pooling", ["c"], given) + row("p")
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)]})
    wanted = caffe_pool(after_conv(case, x), kind, kernel, stride, pad)
    assert found.shape[1] == math.prod(wanted.shape[1:])
    assert np.abs(found - wanted.reshape(2, -1)).max() < 1e-5


@pytest.mark.parametrize("kind", ["MAX", "AVE"])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_pyramid_is_caffes(kind, levels, run):
    x = np.random.default_rng(1).normal(size=(2, 3, 7, 7)).astype(np.float32)
    given = f"spp_param {{ pyramid_height: {levels} pool: {kind} }}"
    text = INPUT.format(3, 7, 7) + CONV + layer("spp", "SPP", ["c"], given)
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)]})
    maps, parts = after_conv(case, x), []
    for level in range(levels):
        bins = 2**level
        kernel = math.ceil(7 / bins)
        pad = (kernel * bins - 7 + 1) // 2
        parts.append(caffe_pool(maps, kind, kernel, kernel, pad).reshape(2, -1))
    assert np.abs(found - np.concatenate(parts, 1)).max() < 1e-5


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 3), (0, 1, 2, 3)])
def test_axes_are_permuted_as_in_ssd(order, run):
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 4)).astype(np.float32)
    given = "".join(f"order: {axis} " for axis in order)
    text = INPUT.format(3, 4, 4) + CONV
    text += layer("p", "Permute", ["c"], f"permute_param {{ {given} }}") + row("p")
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)]})
    full = [*order, *(axis for axis in range(4) if axis not in order)]
    wanted = after_conv(case, x).transpose(full).reshape(2, -1)
    assert np.abs(found - wanted).max() < 1e-5
    if len(order) == 4:
        assert np.abs(found - case.opencv(x)).max() < 1e-4


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_channels_are_dealt_out_by_groups(groups, run, x):
    conv = PROBE % "num_output: 6 kernel_size: 1"
    dealt = layer("d", "ShuffleChannel", ["c"], f"shuffle_channel_param {{ group: {groups} }}")
    text = INPUT.format(*SHAPE) + conv + dealt + row("d")
    case, found = run(text, x, {"c": [(6, 3, 1, 1), (6,)]})
    maps = after_conv(case, x)
    order = [part * (6 // groups) + card for card in range(6 // groups) for part in range(groups)]
    assert np.abs(found - maps[:, order].reshape(2, -1)).max() < 1e-5
    assert np.abs(found - case.opencv(x)).max() < 1e-4


def test_a_crop_takes_the_sizes_of_another_layer(run, x):
    small = layer("s", "Pooling", ["data"], "pooling_param { kernel_size: 3 stride: 1 }")
    cut = layer("cut", "Crop", ["c", "s"], "crop_param { axis: 2 offset: 1 offset: 2 }")
    text = INPUT.format(*SHAPE) + CONV + small + cut + row("cut")
    case, found = run(text, x, {"c": [(3, 3, 1, 1), (3,)]})
    wanted = after_conv(case, x)[:, :, 1:5, 2:6].reshape(2, -1)
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(found - case.opencv(x)).max() < 1e-4


NORM = 'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "bn" %s }\n'


@pytest.mark.parametrize("said", ["scale_bias: true", "scale_filler {}", "eps: 1e-7", ""])
@pytest.mark.parametrize("third", [0.0, 1.0])
def test_five_arrays_are_nvidias_normalization(said, third, run, wire, x):
    rng = np.random.default_rng(3)
    mean, variance, factor, summand = rng.uniform(0.5, 2, (4, 3)).astype(np.float32)
    weight, bias = rng.normal(size=(3, 3, 1, 1)), rng.normal(size=3)
    arrays = {"c": [weight, bias], "bn": [mean, variance, np.array([third]), factor, summand]}
    text = INPUT.format(*SHAPE) + CONV + NORM % f"batch_norm_param {{ {said} }}" + row("bn")
    _, found = run(text, x, arrays=arrays, wire=wire)
    maps = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0], x) + bias[:, None, None]
    mean, variance, factor, summand = (
        each[:, None, None] for each in (mean, variance, factor, summand)
    )
    wanted = (maps - mean) / np.sqrt(variance + 1e-5) * factor + summand
    assert np.abs(found - wanted.reshape(2, -1)).max() < 1e-4


@pytest.mark.parametrize("sides", [(6, 9), (12, 5)])
def test_an_input_that_is_no_square_sees_the_whole_image(sides, write_case):
    """Against Pillow, which resizes bilinearly along each side by itself."""
    from PIL import Image

    height, width = sides
    text = INPUT.format(3, height, width) + PROBE % "num_output: 3 kernel_size: 1" + row("c")
    case = write_case(text, {"c": [(3, 3, 1, 1), (3,)]})
    imported = case.imported(order="RGB")
    side = max(sides)
    assert imported.weights.preprocessing.crop_px == side
    assert any(f"squashed to {height} x {width}" in each for each in imported.remarks)
    x = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)
    small = [
        np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BILINEAR))
        for each in x[0]
    ]
    wanted = after_conv(case, np.stack(small)[None])
    with torch.inference_mode():
        found = imported.weights.network()(torch.from_numpy(x)).numpy()
    assert np.abs(found - wanted.reshape(1, -1)).max() < 1e-4
    with pytest.raises(WeightsError, match="give the mean of each channel"):
        case.imported(image_px=side + 1)


WRONG = {
    layer("f", "Scale", ["c", "s"]): "takes what all images share; with axis 0 it could be",
    layer("f", "Scale", ["c", "s"], "scale_param { axis: 0 bias_term: true }"): "a bias_term too",
    layer("f", "Axpy", ["c", "s"]): "takes 2 inputs; an Axpy takes three",
    layer("f", "Clip", ["c"]): "needs min and max",
    layer("f", "Exp", ["c"], "exp_param { base: -2 }"): "a base of -2; above 0, or -1 for e",
    layer("f", "Log", ["c"], "log_param { base: 1 }"): "no logarithm to the base 1",
    layer("f", "Permute", ["c"], "permute_param { order: 1 order: 0 }"): "should stay the first",
    layer("f", "Permute", ["c"], "permute_param { order: 4 }"): r"the axes 0 to 3",
    layer("f", "ShuffleChannel", ["c"], "shuffle_channel_param { group: 2 }"): "its input 3 chann",
    layer("f", "SPP", ["c"], "spp_param { pyramid_height: 4 }"): "has 4 levels, and its input only",
    layer("f", "Crop", ["c", "s"], "crop_param { offset: [1, 2, 3] }"): "cannot cut",
    layer(
        "f", "DepthwiseConvolution", ["c"], "convolution_param { num_output: 4 group: 2 }"
    ): "needs one kernel_size",
    layer(
        "f",
        "ConvolutionDepthwise",
        ["c"],
        "convolution_param { num_output: 3 kernel_size: 1 group: 2 }",
    ): "a depthwise convolution of 3 channels has 3",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[str(i) for i in range(len(WRONG))])
def test_what_cannot_be_is_named_with_its_layer(text, write_case):
    pooled = layer("s", "Pooling", ["c"], "pooling_param { global_pooling: true }")
    shapes = {"c": [(3, 3, 1, 1), (3,)], "f": [(1,)]}
    silenced = 'layer { name: "quiet" type: "Silence" bottom: "s" }\n'
    case = write_case(INPUT.format(*SHAPE) + CONV + pooled + text + silenced + row("f"), shapes)
    with pytest.raises(WeightsError, match=WRONG[text]) as caught:
        case.imported()
    assert 'the layer "f"' in str(caught.value)
