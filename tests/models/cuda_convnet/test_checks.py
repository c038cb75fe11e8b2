"""Every check of the program's parser, each a sentence with the layer's name."""

from __future__ import annotations

import contextlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.models import build_model, layer_file_hyperparameters

# layer, options of the layer file that are set (None: taken out), the sentence
LAYER_CHECKS = [
    ("conv1", {"type": None}, 'option "type" is missing'),
    ("conv1", {"type": "cnov"}, 'no type "cnov". Did you mean "conv"'),
    ("conv1", {"inputs": "dta"}, 'input "dta" is not defined above it. Did you mean "data"'),
    ("conv1", {"inputs": "conv2"}, 'input "conv2" is not defined above it'),
    ("conv1", {"channels": None}, 'option "channels" is missing'),
    ("conv1", {"filters": None}, 'option "filters" is missing'),
    ("conv1", {"filterSize": None}, 'option "filterSize" is missing'),
    ("conv1", {"initW": None}, 'option "initW" is missing'),
    ("conv1", {"partialSum": None}, 'option "partialSum" is missing'),
    ("conv1", {"stide": 2}, 'no option "stide". Did you mean "stride"'),
    ("conv1", {"stride": 0}, "stride must be at least 1; got 0"),
    ("conv1", {"stride": "two"}, 'stride must be a whole number; got "two"'),
    ("conv1", {"filterSize": 0}, "filterSize must be at least 1"),
    ("conv1", {"padding": -1}, "padding must be at least 0; got -1"),
    ("conv1", {"groups": 0}, "groups must be at least 1"),
    ("conv1", {"initW": "nan"}, 'initW must be a number of a sensible size; got "nan"'),
    ("conv1", {"initW": -1}, "initW must be at least 0; got -1"),
    (
        "conv1",
        {"filters": 24},
        "filters, which are counted for each group, must be a multiple of 16",
    ),
    ("conv1", {"filterSize": 37}, "filterSize is 37, larger than its input of 32 with 2 \\* 2"),
    ("conv1", {"partialSum": 3}, "partialSum is 3, which does not divide the 32 x 32 = 1024"),
    ("conv1", {"channels": 1}, "no square maps of 1 channels"),
    ("conv1", {"channels": 5}, "3,072 numbers, which are no square maps of 5 channels"),
    ("conv1", {"padding": "1,2"}, "padding has 2 entries, but the layer has 1 inputs"),
    (
        "conv1",
        {"sharedBiases": "perhaps"},
        'sharedBiases must be 0 or 1, true or false; got "perhaps"',
    ),
    ("conv1", {"neuron": "rleu"}, 'no neuron "rleu". Did you mean "relu"'),
    (
        "conv1",
        {"neuron": "tanh[1]"},
        r'tanh, a tanh\(b x\), has 2 parameters in brackets; got "tanh\[1\]"',
    ),
    ("conv1", {"neuron": "tanh[a,b]"}, 'neuron must be a number; got "a"'),
    ("conv1", {"neuron": "nrelu"}, "nrelu, which adds noise, is not supported"),
    ("conv1", {"initWFunc": "os.system(ls)"}, "names Python code, which a layer file never runs"),
    ("conv1", {"weightSource": "conv2"}, "weights shared between layers"),
    ("conv1", {"gpu": "0,0"}, "gpu names one twice"),
    ("conv1", {"gpu": "-1"}, "gpu must be at least 0"),
    ("conv1", {"gpu": "99"}, "gpu must be between 0 and 63; got 99"),
    ("conv1", {"initW": "%(x)s"}, r"%\(...\) is not read in layer files"),
    ("conv1", {"filters": 2**40}, "the network is too large"),
    ("conv1", {"padding": 9999}, "padding is 9999, which makes its input 20030 positions wide"),
    ("conv2", {"groups": 8}, r"multiple of 4 \* groups = 32; got 16"),
    ("conv2", {"randSparse": 1}, r"connections drawn by chance \(randSparse\)"),
    ("pool1", {"sizeX": 33}, "sizeX must be between 1 and 32; got 33"),
    ("pool1", {"sizeX": 0}, "sizeX must be between 1 and 32; got 0"),
    ("pool1", {"stride": 4}, "stride must be between 1 and 3; got 4"),
    ("pool1", {"outputsX": -1}, "outputsX must be at least 0"),
    ("pool1", {"outputsX": 40}, "lay a window outside of maps of 32 x 32"),
    ("pool1", {"pool": "mean"}, 'pool must be one of max, maxabs, avg; got "mean"'),
    ("pool1", {"pool": "rand"}, r"pooling by chance \(rand\) is not supported"),
    ("pool1", {"channels": 8}, "no square maps of 8 channels"),
    ("rnorm1", {"size": 1}, "size must be between 2 and 16; got 1"),
    ("rnorm1", {"size": 17}, "size must be between 2 and 16; got 17"),
    ("rnorm1", {"type": "rnorm", "size": 17}, "size must be between 1 and 16; got 17"),
    ("rnorm1", {"type": "cnorm", "size": 0}, "size must be between 1 and 16; got 0"),
    ("rnorm1", {"size": 5, "blocked": 1}, "where size divides channels"),
    ("fc10", {"outputs": 0}, "outputs must be at least 1"),
    ("fc10", {"outputs": None}, 'option "outputs" is missing'),
    ("drop", {"inputs": "conv2,pool1"}, 'type "hs" takes 1 inputs; got 2'),
    ("probs", {"inputs": "fc10,drop"}, 'type "softmax" takes 1 inputs; got 2'),
    ("logprob", {"inputs": "probs"}, 'type "cost.logreg" takes 2 inputs; got 1'),
    ("logprob", {"inputs": "data,probs"}, "first input must be the labels"),
    ("logprob", {"inputs": "labels,fc10"}, "second input must be a softmax layer"),
    ("data", {"dataIdx": 2}, "dataIdx=2 is of the program's own data"),
    ("data", {"dataIdx": None}, 'option "dataIdx" is missing'),
]


@pytest.mark.parametrize(("layer", "options", "words"), LAYER_CHECKS)
def test_invalid_layer_raises_with_its_name(net, build, layer, options, words):
    with pytest.raises(RecipeError, match=f'^Layer "{layer}": .*({words})'):
        build(net.changed(net.layers, layer, **options))


# layer, options of the parameter file, the sentence
PARAMETER_CHECKS = [
    ("rnorm1", {"scale": None}, 'option "scale" is missing'),
    ("rnorm1", {"pow": None}, 'option "pow" is missing'),
    ("rnorm1", {"minDiv": 0}, "minDiv must be above 0"),
    ("drop", {"keep": 0}, "keep must be above 0"),
    ("drop", {"keep": 1.5}, "keep must be at most 1"),
    ("logprob", {"coeff": None}, 'option "coeff" is missing'),
    ("logprob", {"coeff": 0}, "coeff is 0, so nothing would be trained"),
    ("logprob", {"topk": 11}, "topk must be between 1 and 10; got 11"),
]


@pytest.mark.parametrize(("layer", "options", "words"), PARAMETER_CHECKS)
def test_invalid_parameter_raises_with_its_layer(net, build, layer, options, words):
    with pytest.raises(RecipeError, match=f'^Layer "{layer}": .*{words}'):
        build(net.layers, net.changed(net.parameters, layer, **options))


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc10", "rnorm1", "drop", "logprob"])
def test_layer_without_parameter_section_raises(net, build, layer):
    parameters = net.parameters.replace(f"[{layer}]", "[other]")
    with pytest.raises(RecipeError, match=rf'^Layer "{layer}": .* needs a section \[{layer}\]'):
        build(net.layers, parameters)


UNSUPPORTED = [
    ("href", "channels=4", "channels must be between 1 and 3; got 4"),
    ("href", "channels=3", "belongs to the program's own path of data"),
    ("resize", "scale=2.5", "scale must be between 0.5 and 2; got 2.5"),
    ("resize", "scale=1.2", "resize belongs to the program's own path of data"),
    ("rscale", "maxScale=3", "maxScale must be between 1 and 2; got 3"),
    ("rgb2yuv", "", "rgb2yuv belongs to the program's own path of data"),
    ("rgb2lab", "", "rgb2lab belongs to the program's own path of data"),
    ("blur", "filterSize=4", "filterSize of a blur must be 3, 5, 7 or 9; got 4"),
    ("blur", "filterSize=9", "blur is not supported"),
    ("nailbed", "", "nailbed is not supported"),
    ("treefc", "", "treefc is not supported"),
]


@pytest.mark.parametrize(("kind", "option", "words"), UNSUPPORTED)
def test_unsupported_types_raise(net, build, kind, option, words):
    layer = f"\n[odd]\ntype={kind}\ninputs=data\n{option}\n"
    with pytest.raises(RecipeError, match=f'^Layer "odd": .*{words}'):
        build(net.layers.replace("\n[conv1]", layer + "\n[conv1]"))


def test_transform_above_weights_raises_as_in_the_program(net, build):
    layer = "\n[odd]\ntype=resize\nscale=1\ninputs=conv1\n"
    with pytest.raises(RecipeError, match='"odd": type resize passes no gradient'):
        build(net.layers.replace("\n[pool1]", layer + "\n[pool1]"))


@pytest.mark.parametrize(
    "kind", ["msm", "crossent", "crossent2", "sum2", "gsum2", "tica", "rflickr"]
)
def test_unsupported_costs_raise(net, build, kind):
    with pytest.raises(RecipeError, match=f'"logprob": type cost.{kind} is a cost other than'):
        build(net.changed(net.layers, "logprob", type=f"cost.{kind}"))


def test_layer_without_reader_raises(net, build):
    layers = net.changed(net.layers, "conv2", inputs="pool1")
    with pytest.raises(
        RecipeError, match='^Layer "rnorm1": of type cmrnorm, it is read by no layer'
    ):
        build(layers)


def test_pooling_of_few_channels_is_for_images_alone(net, build):
    pool = "\n[small]\ntype=pool\npool=avg\ninputs=data\nchannels=3\nsizeX=2\nstride=2\n"
    layers = net.changed(
        net.layers.replace("\n[conv1]", pool + "\n[conv1]"), "conv1", inputs="small"
    )
    assert build(layers).small(torch.ones(1, 3, 32, 32)).shape == (1, 3, 16, 16)


def test_norms_across_maps_want_bunches_of_maps(net, build):
    layer = "\n[odd]\ntype=cmrnorm\ninputs=data\nchannels=3\nsize=2\n"
    with pytest.raises(RecipeError, match='"odd": channels must be a multiple of 16 across maps'):
        build(net.layers.replace("\n[conv1]", layer + "\n[conv1]"))


def test_inputs_of_a_sum_must_give_one_shape(net, build):
    layers = net.changed(net.layers, "conv2", inputs="rnorm1,data", channels="16,3", groups=1)
    with pytest.raises(RecipeError, match='"conv2": its inputs must all give one output shape'):
        build(layers)
    layer = "\n[odd]\ntype=eltsum\ninputs=conv1,pool1\n"
    with pytest.raises(RecipeError, match='"odd": its inputs must have one shape'):
        build(net.layers.replace("\n[rnorm1]", layer + "\n[rnorm1]"))


@pytest.mark.parametrize("name", ["forward", "training", "classes", "a.b", "a,b"])
def test_unusable_layer_names_raise(net, build, name):
    layers = net.layers.replace("[pool1]", f"[{name}]").replace("inputs=pool1", f"inputs={name}")
    with pytest.raises(RecipeError, match="name"):
        build(layers)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ("no sections", "is not a layer file"),
        ("", "needs one cost of type cost.logreg; this one has 0"),
        ("[a]\ntype=data\ndataIdx=0\n", "needs one cost"),
        ("x" * 2_000_000, "has 2,000,000 characters, and a layer file at most"),
        ("".join(f"[a{i}]\ntype=data\ndataIdx=0\n" for i in range(1001)), "1,000 is the limit"),
    ],
)
def test_texts_that_are_not_layer_files_raise(build, layers, words):
    with pytest.raises(RecipeError, match=words):
        build(layers)


@pytest.mark.parametrize("files", [None, {}, {"layers": 1, "parameters": ""}, "text", []])
def test_arguments_that_are_not_texts_raise(files):
    with pytest.raises(RecipeError, match='made of two texts, "layers" and "parameters"'):
        build_model("cuda_convnet", classes=2, files=files)


WORDS = [
    *("conv", "pool", "fc", "local", "cmrnorm", "eltsum", "concat", "softmax", "data", "conv1"),
    *("labels", "probs", "0", "1", "-1", "3", "16", "17", "1e9", "1e400", "", "a,b", "conv1,pool1"),
    *("relu", "tanh[1,2]", "max", "avg", "nan", "\x00", "ü", "[", "x=y", "9" * 30),
]


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(WORDS)), min_size=1, max_size=4),
    dropped=st.integers(0, 60),
)
def test_random_changes_build_or_raise_recipe_error(changes, dropped, net):
    texts = []
    for text in (net.layers, net.parameters):
        lines = text.splitlines()
        for place, word in changes:
            option, equals, _ = lines[place % len(lines)].partition("=")
            lines[place % len(lines)] = f"{option}={word}" if equals else word
        del lines[dropped % len(lines)]
        texts.append("\n".join(lines))
    files = {"layers": texts[0], "parameters": texts[1]}
    with contextlib.suppress(RecipeError), torch.device("meta"):
        build_model("cuda_convnet", classes=10, image_px=32, crop_px=32, files=files)
    with contextlib.suppress(RecipeError):
        layer_file_hyperparameters(files)
