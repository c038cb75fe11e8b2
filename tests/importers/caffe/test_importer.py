"""Files in, weights out: what is taken over, what is found to be ours, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet.errors import AlexNetError, RecipeError, WeightsError
from alexnet.evaluation import Member, probabilities
from alexnet.importers import ImportRequest
from alexnet.importers.caffe import import_caffe
from alexnet.importers.caffe.description import read_description
from alexnet.importers.caffe.layers import build_graph
from alexnet.importers.caffe.model_match import match_model
from alexnet.importers.caffe.net import read_net
from alexnet.importers.caffe.subgraph import inference_subgraph

SHAPES = {"conv1": [(4, 3, 3, 3), (4,)], "fc": [(2, 4), (2,)]}

DEPLOY = """
name: "small"
input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 12
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
  inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""

TRAIN_VAL = DEPLOY.replace(
    'input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 12',
    """layer { name: "d" type: "Data" top: "data" top: "label"
      transform_param { scale: 0.5 mean_value: [10, 20, 30] %s } }""",
).replace(
    'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }',
    'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }',
)


@pytest.fixture
def image():
    """Side, pixels (S, S, 3) of an image of noise."""
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def test_a_image_is_prepared_as_caffe_prepares_it(write_case, tmp_path, image):
    case = write_case(DEPLOY, SHAPES)
    mean = np.random.default_rng(1).uniform(90, 140, (3, 16, 16)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean)
    Image.fromarray(image).save(tmp_path / "a.png")
    weights = case.imported(mean=str(tmp_path / "mean.npy"), scale=0.02).weights
    rule = weights.preprocessing
    assert (rule.image_px, rule.crop_px, rule.resize_mode, rule.order) == (16, 12, "squash", "BGR")
    stored = rule.read((tmp_path / "a.png").read_bytes(), "a.png")
    found = probabilities(Member(weights.network(), rule), stored[None])
    as_caffe = (image[..., ::-1].transpose(2, 0, 1) - mean)[:, 2:14, 2:14] * 0.02
    wanted = case.opencv(as_caffe[None].astype(np.float32))
    assert np.abs(found - wanted).max() < 1e-5
    assert wanted.min() > 0.01


def test_red_green_blue_is_said_by_the_user(write_case):
    case = write_case(DEPLOY, SHAPES)
    plain, told = case.imported(), case.imported(order="RGB", mean="1,2,3")
    assert any("--order rgb" in each for each in plain.remarks)
    assert not any("--order" in each for each in told.remarks)
    assert told.weights.preprocessing.mean.tolist() == [1, 2, 3]
    assert case.imported(mean="1,2,3").weights.preprocessing.mean.tolist() == [3, 2, 1]


def test_what_the_description_says_of_the_image_is_taken(write_case):
    rule = write_case(TRAIN_VAL % "crop_size: 12", SHAPES).imported().weights.preprocessing
    assert rule.mean.tolist() == [30, 20, 10]
    assert rule.std.tolist() == [2, 2, 2]
    assert (rule.image_px, rule.crop_px) == (12, 12)
    case = write_case(TRAIN_VAL % "", SHAPES)
    with pytest.raises(WeightsError, match="does not say of which side.*--image-px"):
        case.imported()
    rule = case.imported(image_px=20, scale=1, mean="5").weights.preprocessing
    assert (rule.crop_px, rule.std, rule.mean.tolist()) == (20, None, [5, 5, 5])


def test_a_mean_beside_the_files_is_found_and_its_name_is_remembered(write_case, tmp_path):
    np.save(tmp_path / "mean.npy", np.ones((3, 14, 14)))
    case = write_case(DEPLOY, SHAPES)
    found = import_caffe(ImportRequest(files=(*case.files, tmp_path / "mean.npy")))
    assert found.weights.preprocessing.image_px == 14
    with pytest.raises(WeightsError, match="More than one mean"):
        import_caffe(ImportRequest(files=(*case.files, tmp_path / "mean.npy"), mean="1"))
    with pytest.raises(WeightsError, match="of 14 pixels and the image of 20.*--mean 1,1,1"):
        case.imported(mean=str(tmp_path / "mean.npy"), image_px=20)
    case = write_case(TRAIN_VAL.replace("mean_value: [10, 20, 30]", 'mean_file: "m"') % "", SHAPES)
    remarks = " ".join(case.imported(image_px=12).remarks)
    assert "(its training named m)" in remarks


def test_a_gray_network_sees_gray(write_case):
    gray = DEPLOY.replace("input_dim: 3 ", "input_dim: 1 ", 1)
    case = write_case(gray, SHAPES | {"conv1": [(4, 1, 3, 3), (4,)]})
    network = case.imported().weights.network()
    x = np.random.default_rng(0).normal(size=(2, 1, 12, 12)).astype(np.float32)
    with torch.inference_mode():
        found = network(torch.from_numpy(x).expand(-1, 3, -1, -1)).softmax(1).numpy()
    assert np.abs(found - case.opencv(x)).max() < 1e-5


CONV = "convolution_param {{ num_output: {0} kernel_size: {1} stride: {2} pad: {3} group: {4} }}"
LRN = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
POOL = "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"


def alexnet_prototxt(side: int, *, pool_first: bool, classes: int = 1000) -> str:
    """Caffe's AlexNet, or CaffeNet with `pool_first`."""
    steps: list[tuple[str, str, str]] = []
    convolutions = ((96, 11, 4, 0, 1), (256, 5, 1, 2, 2), (384, 3, 1, 1, 1), (384, 3, 1, 1, 2))
    for n, sizes in enumerate((*convolutions, (256, 3, 1, 1, 2)), 1):
        steps.append((f"conv{n}", "Convolution", CONV.format(*sizes)))
        steps.append((f"relu{n}", "ReLU", ""))
        both = [(f"norm{n}", "LRN", LRN), (f"pool{n}", "Pooling", POOL)]
        if n < 3:
            steps += both[::-1] if pool_first else both
    steps.append(("pool5", "Pooling", POOL))
    for n in (6, 7):
        steps.append((f"fc{n}", "InnerProduct", "inner_product_param { num_output: 4096 }"))
        steps.append((f"relu{n}", "ReLU", ""))
        steps.append((f"drop{n}", "Dropout", "dropout_param { dropout_ratio: 0.5 }"))
    last = f"inner_product_param {{ num_output: {classes} }}"
    steps += [("fc8", "InnerProduct", last), ("prob", "Softmax", "")]
    text, before = f'input: "data" input_dim: [10, 3, {side}, {side}]\n', "data"
    for name, kind, more in steps:
        top = before if kind in ("ReLU", "Dropout") else name
        text += (
            f'layer {{ name: "{name}" type: "{kind}" bottom: "{before}" top: "{top}" {more} }}\n'
        )
        before = top
    return text


@pytest.mark.parametrize(("pool_first", "model"), [(False, "alexnet_caffe"), (True, "caffenet")])
def test_caffes_own_become_models_of_ours(pool_first, model, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(alexnet_prototxt(227, pool_first=pool_first))
    net = read_net(path)
    graph = build_graph(net, inference_subgraph(net), channels=3, side=227, order="BGR")
    found, names = match_model(graph, classes=1000, image_px=256, crop_px=227)
    assert found.model == model
    assert names["fc8"] == "fc8"
    assert {name for name, _ in found.named_children()} == set(names.values())
    path.write_text(path.read_text().replace("local_size: 5", "local_size: 3"))
    other = build_graph(net, inference_subgraph(read_net(path)), channels=3, side=227, order="BGR")
    assert match_model(other, classes=1000, image_px=256, crop_px=227) is None


def test_caffenet_answers_as_in_opencv(write_case):
    text = alexnet_prototxt(67, pool_first=True, classes=5)
    shapes = {
        "conv1": [(96, 3, 11, 11), (96,)],
        "conv2": [(256, 48, 5, 5), (256,)],
        "conv3": [(384, 256, 3, 3), (384,)],
        "conv4": [(384, 192, 3, 3), (384,)],
        "conv5": [(256, 192, 3, 3), (256,)],
        "fc6": [(4096, 256), (4096,)],
        "fc7": [(4096, 4096), (4096,)],
        "fc8": [(5, 4096), (5,)],
    }
    case = write_case(text, shapes)
    weights = case.imported(image_px=70).weights
    assert weights.model == "caffenet"
    assert weights.arguments["crop_px"] == 67
    x = np.random.default_rng(0).normal(0, 50, (2, 3, 67, 67)).astype(np.float32)
    with torch.inference_mode():
        found = weights.network()(torch.from_numpy(x)).softmax(1).numpy()
    wanted = case.opencv(x)
    assert np.abs(found - wanted).max() < 1e-4
    assert np.ptp(wanted) > 1e-3


WRONG = {
    ('type: "ReLU"', 'type: "MVN"'): r'line 6: the layer "relu1" \(MVN\) is of a type that cannot',
    ('type: "ReLU"', 'type: "Relu"'): 'Did you mean "ReLU"',
    ("kernel_size: 3", "kernel_size: 30"): 'layer "conv1".* cannot work: The window.* 3 x 12 x 12',
    ("kernel_size: 3", "kernel_size: 3 kernel_h: 3"): "has both kernel_size and kernel_h",
    ("kernel_size: 3", ""): "needs one kernel_size, or two; it has 0",
    ("kernel_size: 3", "kernel_size: 3 axis: 2"): "runs along other axes",
    ("kernel_size: 3", "kernel_size: 3 group: 2"): "cannot split 3 channels in and 4 out",
    ("num_output: 4", "num_output: 5"): r"array of \(4, 3, 3, 3\) for the layer .*makes \(5, 3,",
    ("num_output: 4", "num_output: 4 bias_term: false"): "2 arrays for the layer.*wants 1",
    ("AVE global_pooling: true", "STOCHASTIC kernel_size: 2"): "pool must be MAX or 0 or AVE or 1",
    ("AVE global_pooling: true", "MAX kernel_size: 1 stride: 3"): "last window would see nothing",
    ("num_output: 2", "num_output: 2 axis: 2"): "keeps an axis of its input",
    ('name: "fc"', 'name: "fcc"'): 'no weights for the layer "fcc".*Did you mean "fc"',
    ('bottom: "pool"', 'bottom: "pool" bottom: "pool"'): "takes 2 inputs",
    ("input_dim: 3 ", "input_dim: 4 "): "images .* of 4 channels",
}


@pytest.mark.parametrize("change", WRONG, ids=[str(i) for i in range(len(WRONG))])
def test_what_is_not_done_is_named_with_its_place(write_case, change):
    with pytest.raises(WeightsError, match=WRONG[change]):
        write_case(DEPLOY.replace(*change, 1), SHAPES).imported()


def test_an_answer_for_many_places_is_none(write_case):
    with pytest.raises(WeightsError, match="outputs at 5 x 5 positions of an image"):
        write_case(DEPLOY[: DEPLOY.index('layer { name: "pool"')], SHAPES).imported()


LAYERS = {
    'type: "LRN" lrn_param { local_size: 4 }': "local_size of 4; Caffe takes odd",
    'type: "BatchNorm" batch_norm_param { use_global_stats: false }': "depends on other images",
    'type: "Slice" slice_param { slice_point: 9 }': r"cannot cut 4 into 1 parts at \[9\]",
    'type: "Concat" concat_param { axis: 4 }': "has axis 4, and its input has the axes 1 to 3",
    'type: "Reshape" reshape_param { shape { dim: 3 dim: -1 } }': "they should stay",
    'type: "Reshape" reshape_param { shape { dim: 0 dim: 7 } }': "they should stay",
    'type: "Reshape" reshape_param { shape { dim: [0, 0, 0, 0, 0] } }': "copies an axis",
    'type: "Reshape" reshape_param { axis: 3 num_axes: 5 }': "replaces axes 3 to 7 of 4",
    'type: "Scale" scale_param { num_axes: 3 }': "wants 1",
    'type: "Scale" scale_param { axis: 3 num_axes: 3 }': "scales 3 axes from the 3. on",
    'type: "Dropout" dropout_param { dropout_ratio: 2 }': "a number from 0 to 1",
    'type: "PReLU"': 'no weights for the layer "relu1"',
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_setting_that_cannot_be_is_named(write_case, kind):
    text = DEPLOY.replace('type: "ReLU"', kind)
    shapes = SHAPES | ({"relu1": [(4,), (4,)]} if "num_axes: 3 }" in kind else {})
    with pytest.raises(WeightsError, match=LAYERS[kind]):
        write_case(text, shapes).imported()


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ("shape { dim: 0 dim: -1 }", (100,)),
        ("shape { dim: 1 dim: 2 dim: 50 }", (2, 50)),
        ("shape { dim: 20 dim: 5 } axis: 1", (20, 5)),
        ("shape { dim: -1 } axis: -3", (4, 25)),
        ("shape { dim: 5 } axis: 1 num_axes: 3 shape_is_one: 1", None),
        ("shape { dim: -1 dim: 5 dim: 4 dim: 5 }", (5, 4, 5)),
    ],
)
def test_a_shape_is_worked_out_as_in_caffe(tmp_path, given, after):
    path = tmp_path / "net.prototxt"
    text = DEPLOY[: DEPLOY.index('layer { name: "pool"')]
    text = text.replace('type: "ReLU"', f'type: "Reshape" reshape_param {{ {given} }}')
    path.write_text(text + 'layer { name: "f" type: "Flatten" bottom: "conv1" top: "f" }')
    net = read_net(path)
    if after is None:
        with pytest.raises(WeightsError, match="makes 1 x 5 of 1 x 4 x 5 x 5"):
            build_graph(net, inference_subgraph(net), channels=3, side=12, order="RGB")
        return
    graph = build_graph(net, inference_subgraph(net), channels=3, side=12, order="RGB")
    assert graph.shapes["relu1"] == after


def test_a_product_may_lie_the_other_way(write_case):
    case = write_case(DEPLOY, SHAPES)
    straight = case.imported().weights.state["fc.weight"]
    turned = DEPLOY.replace("num_output: 2 }", "num_output: 2 transpose: true }")
    case = write_case(turned, SHAPES | {"fc": [(4, 2), (2,)]})
    found = case.imported().weights.state["fc.weight"]
    assert found.shape == straight.shape == (2, 4)
    assert np.array_equal(found.numpy().T.ravel(), case.arrays["fc"][0].ravel())


@pytest.mark.parametrize(("divisor", "factor"), [(4.0, 0.25), (0.0, 0.0)])
def test_statistics_are_divided_by_their_last_number(write_case, wire, divisor, factor):
    case = write_case(DEPLOY.replace('type: "ReLU"', 'type: "BatchNorm"'), SHAPES)
    sums = [np.full(4, 2.0), np.full(4, 8.0), np.array([divisor])]
    case.files[1].write_bytes(wire.caffemodel({**case.arrays, "relu1": sums}))
    state = case.imported().weights.state
    assert state["relu1.running_mean"].tolist() == [2 * factor] * 4
    assert state["relu1.running_var"].tolist() == [8 * factor] * 4


def test_a_normalization_that_is_divided_by_nothing_is_told(write_case, wire):
    case = write_case(DEPLOY.replace('type: "ReLU"', 'type: "BatchNorm"'), SHAPES)
    sums = [np.full(4, 2.0), np.full(4, 8.0), np.zeros(1)]
    case.files[1].write_bytes(wire.caffemodel({**case.arrays, "relu1": sums}))
    said = [each for each in case.imported().remarks if "relu1" in each]
    assert len(said) == 1
    assert 'The third array of "relu1" (batch normalization) is 0' in said[0]
    sums[2] = np.ones(1)
    case.files[1].write_bytes(wire.caffemodel({**case.arrays, "relu1": sums}))
    assert not any("relu1" in each for each in case.imported().remarks)


def test_files_that_are_not_a_network_are_told(write_case, tmp_path):
    case = write_case(DEPLOY, SHAPES)
    with pytest.raises(WeightsError, match="has one file of weights.*caffemodel; none was given"):
        import_caffe(ImportRequest(files=case.files[:1]))
    with pytest.raises(WeightsError, match=r"x\.jpg is no file of Caffe's"):
        import_caffe(ImportRequest(files=(*case.files, tmp_path / "x.jpg")))
    with pytest.raises(RecipeError, match="image_px must be between 1 and 4096; got 0"):
        case.imported(image_px=0)
    with pytest.raises(RecipeError, match="scale must be between"):
        case.imported(scale=0)
    with pytest.raises(WeightsError, match="A crop of 12 pixels cannot be cut"):
        case.imported(image_px=8)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_description_is_read_or_refused(write_case, data):
    words = DEPLOY.split(" ")
    place = data.draw(st.integers(0, len(words) - 1))
    other = ["{", "}", "-1", "0", "4096", "99999999", '"data"', '"conv1"', "x:", "2.5", "true", ""]
    words[place] = data.draw(st.sampled_from(other))
    case = write_case(" ".join(words), SHAPES)
    try:
        found = case.imported()
    except AlexNetError as error:
        assert str(error)
    else:
        assert found.weights.network().classes == len(found.weights.classes)


def test_a_network_that_ends_in_a_sigmoid_gets_a_remark(write_case):
    case = write_case(DEPLOY.replace('"Softmax"', '"Sigmoid"'), SHAPES)
    assert any('ends in the layer "prob" (Sigmoid)' in each for each in case.imported().remarks)
    case = write_case(DEPLOY, SHAPES)
    assert not any("Sigmoid" in each for each in case.imported().remarks)


def test_sizes_that_are_none_of_an_image_are_named_with_and_without_weights(write_case):
    three = "input_dim: 3 input_dim: 12 input_dim: 12"
    case = write_case(DEPLOY.replace(f"input_dim: 1 {three}", three), SHAPES)
    with pytest.raises(WeightsError, match='"data" of .* has the sizes 3 x 12 x 12; images have'):
        case.imported()
    with pytest.raises(WeightsError, match='"data" of .* has the sizes 3 x 12 x 12; images have'):
        read_description(case.files[0])
