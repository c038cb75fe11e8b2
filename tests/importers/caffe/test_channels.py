"""Channels of images where a data layer does not say them: the first arrays do, or it is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from alexnet.errors import WeightsError

SIDE = 4
DATA = """layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.00390625 } }
"""


def layer(name, kind, bottom, more=""):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{name}" {more} }}\n'


FC = "inner_product_param { num_output: 2 }"
CONV = "convolution_param { num_output: 2 kernel_size: 4 }"
FIRST = {
    "a product": (layer("fc", "InnerProduct", "data", FC), lambda c: {"fc": [(2, 16 * c), (2,)]}),
    "a product of a row": (
        layer("f", "Flatten", "data") + layer("fc", "InnerProduct", "f", FC),
        lambda c: {"fc": [(2, 16 * c), (2,)]},
    ),
    "a product of what was pooled": (
        layer("p", "Pooling", "data", "pooling_param { kernel_size: 2 stride: 2 }")
        + layer("fc", "InnerProduct", "p", FC),
        lambda c: {"fc": [(2, 4 * c), (2,)]},
    ),
    "a convolution": (
        layer("c", "Convolution", "data", CONV),
        lambda c: {"c": [(2, c, 4, 4), (2,)]},
    ),
    "a convolution of what was scaled": (
        layer("p", "Power", "data", "power_param { scale: 2 shift: -1 }")
        + layer("c", "Convolution", "p", CONV),
        lambda c: {"c": [(2, c, 4, 4), (2,)]},
    ),
    "a normalization": (
        layer("bn", "BatchNorm", "data") + layer("c", "Convolution", "bn", CONV),
        lambda c: {"bn": [(c,), (c,), (1,)], "c": [(2, c, 4, 4), (2,)]},
    ),
    "factors": (
        layer("scale", "Scale", "data") + layer("c", "Convolution", "scale", CONV),
        lambda c: {"scale": [(c,)], "c": [(2, c, 4, 4), (2,)]},
    ),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("first", FIRST)
def test_the_first_arrays_say_the_channels(first, channels, write_case):
    text, shapes = FIRST[first]
    case = write_case(DATA + text, shapes(channels))
    imported = case.imported(image_px=SIDE)
    assert imported.weights.preprocessing.gray is (channels == 1)
    assert not any("how many channels" in each for each in imported.remarks)
    x = np.random.default_rng(0).normal(size=(1, channels, SIDE, SIDE)).astype(np.float32)
    with torch.inference_mode():
        found = imported.weights.network()(torch.from_numpy(x).expand(-1, 3, -1, -1)).numpy()
    shape = f'input: "data" input_dim: [1, {channels}, 4, 4]\n'
    case.files[0].write_text(shape + text)
    assert np.abs(found - case.opencv(x)).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_a_turned_product_says_them_too(channels, write_case):
    """By hand: OpenCV leaves "transpose" unread."""
    text = layer("fc", "InnerProduct", "data", FC.replace("2", "2 transpose: true"))
    case = write_case(DATA + text, {"fc": [(16 * channels, 2), (2,)]})
    weights = case.imported(image_px=SIDE).weights
    assert weights.preprocessing.gray is (channels == 1)
    x = np.random.default_rng(0).normal(size=(1, channels, SIDE, SIDE)).astype(np.float32)
    with torch.inference_mode():
        found = weights.network()(torch.from_numpy(x).expand(-1, 3, -1, -1)).numpy()
    weight, bias = case.arrays["fc"]
    assert np.abs(found - (x.reshape(1, -1) @ weight + bias)).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_a_product_of_an_image_that_is_no_square_says_them(channels, write_case):
    """3 x 2 x 6 is a square of one channel, too; the sizes decide."""
    sides = "crop_h: 2 crop_w: 6 scale: 0.00390625"
    text = DATA.replace("scale: 0.00390625", sides) + layer("fc", "InnerProduct", "data", FC)
    weights = write_case(text, {"fc": [(2, 12 * channels), (2,)]}).imported().weights
    assert weights.preprocessing.gray is (channels == 1)
    assert weights.network()(torch.zeros(1, 3, 6, 6)).shape == (1, 2)


def test_images_of_another_side_are_named_as_such(write_case):
    case = write_case(DATA + layer("fc", "InnerProduct", "data", FC), {"fc": [(2, 16), (2,)]})
    with pytest.raises(
        WeightsError, match="of 16 inputs .* gets 25 here. Are the images of the side"
    ):
        case.imported(image_px=5)
    case = write_case(DATA + layer("fc", "InnerProduct", "data", FC), {"fc": [(4, 16), (4,)]})
    with pytest.raises(WeightsError, match=r"an array of \(4, 16\).* makes \(2, 16\) of it"):
        case.imported(image_px=4)


def test_one_number_for_all_channels_says_nothing_of_them(write_case):
    slope = layer("r", "PReLU", "data", "prelu_param { channel_shared: true }")
    text = DATA + slope + layer("c", "Convolution", "r", CONV)
    imported = write_case(text, {"r": [(1,)], "c": [(2, 3, 4, 4), (2,)]}).imported(image_px=SIDE)
    assert not imported.weights.preprocessing.gray


def test_channels_that_nothing_says_are_guessed_aloud(write_case):
    """Two images in one blob, as twins are trained: the arrays are of one of them."""
    cut = """layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b"
      slice_param { slice_point: 1 } }
    layer { name: "quiet" type: "Silence" bottom: "b" }
    """
    text = DATA + cut + layer("c", "Convolution", "a", CONV)
    remarks = write_case(text, {"c": [(2, 1, 4, 4), (2,)]}).imported(image_px=SIDE).remarks
    assert "It does not say how many channels its images have; 3 are taken." in remarks


def test_other_channels_are_refused(write_case):
    text = DATA + layer("c", "Convolution", "data", CONV)
    with pytest.raises(WeightsError, match='images ."data". of 4 channels; 3 .color. and 1 .gray'):
        write_case(text, {"c": [(2, 4, 4, 4), (2,)]}).imported(image_px=SIDE)
