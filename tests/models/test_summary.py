"""NetworkSummary: the fact sheet's table, and every shape and count against the network itself."""

from __future__ import annotations

import sys

import pytest
import torch

from alexnet.errors import RecipeError
from alexnet.models import MODELS, default_classes, model_list, summarize_model
from alexnet.models.zoo.notes import MODEL_LINES, MODEL_NOTES
from alexnet.nn import Window
from alexnet.nn.windows import describe_coverage

# layer: kernel, stride, padding, towers, output, neurons, weights, biases, multiply-adds
PAPER = {
    "conv1": (11, 4, 0, 1, [96, 55, 55], 290_400, 34_848, 96, 105_415_200),
    "conv2": (5, 1, 2, 2, [256, 27, 27], 186_624, 307_200, 256, 223_948_800),
    "conv3": (3, 1, 1, 1, [384, 13, 13], 64_896, 884_736, 384, 149_520_384),
    "conv4": (3, 1, 1, 2, [384, 13, 13], 64_896, 663_552, 384, 112_140_288),
    "conv5": (3, 1, 1, 2, [256, 13, 13], 43_264, 442_368, 256, 74_760_192),
    "fc6": (None, None, None, 1, [4096], 4096, 37_748_736, 4096, 37_748_736),
    "fc7": (None, None, None, 1, [4096], 4096, 16_777_216, 4096, 16_777_216),
    "fc8": (None, None, None, 1, [1000], 1000, 4_096_000, 1000, 4_096_000),
}
MULTIPLY_ADDS = {
    "alexnet": 724_406_816,
    "alexnet_program": 724_406_816,
    "alexnet_caffe": 724_406_816,
    "caffenet": 724_406_816,
    "one_column": 714_188_480,
}


def test_the_papers_network_is_the_table_of_the_fact_sheet():
    found = summarize_model("alexnet")
    table = {
        each.name: (
            each.kernel, each.stride, each.padding, each.towers, each.output,
            each.neurons, each.weights, each.biases, each.multiply_adds,
        )
        for each in found.layers
        if each.parameters
    }  # fmt: skip
    assert table == PAPER
    assert (found.weights, found.biases, found.parameters) == (60_954_656, 10_568, 60_965_224)
    assert (found.neurons, found.multiply_adds) == (659_272, 724_406_816)
    convolutions = sum(e.multiply_adds for e in found.layers if e.kind == "convolution")
    assert convolutions == 665_784_864
    assert (found.inputs, found.image_px, found.crop_px) == (150_528, 256, 224)
    assert (found.classes, found.activation, found.features_layer) == (1000, "relu", "relu7")
    pools = {e.name: e.output for e in found.layers if e.kind == "max pooling"}
    assert pools == {"pool1": [96, 27, 27], "pool2": [256, 13, 13], "pool5": [256, 6, 6]}


@pytest.mark.parametrize("model", MULTIPLY_ADDS)
def test_multiply_adds_are_those_of_the_fact_sheet(model):
    assert summarize_model(model).multiply_adds == MULTIPLY_ADDS[model]


def test_shapes_and_parameters_are_those_of_the_network_itself(name, small):
    network = small(name).eval()
    found = summarize_model(name, classes=3, image_px=network.image_px)
    x = torch.zeros(1, 3, network.crop_px, network.crop_px)
    with torch.no_grad():
        shapes = {key: list(each.shape[1:]) for key, each in network.stages(x).items()}
    assert {each.name: each.output for each in found.layers} == shapes
    own = dict(network.named_children())
    assert {each.name: each.parameters for each in found.layers} == {
        key: sum(p.numel() for p in layer.parameters()) for key, layer in own.items()
    }
    assert found.parameters == sum(each.numel() for each in network.parameters())
    assert found.parameters == sum(each.parameters for each in found.layers)


def test_nothing_is_allocated(monkeypatch):
    built = []
    module = sys.modules["alexnet.models.summary"]
    build = module.build_model
    monkeypatch.setattr(
        module, "build_model", lambda *a, **k: built.append(build(*a, **k)) or built[0]
    )
    before = torch.get_rng_state()
    summarize_model("alexnet", classes=21_843)
    assert all(each.is_meta for each in built[0].parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_coverage_of_conv1_names_overhang_and_exact_sizes():
    (sentence,) = [each.coverage for each in summarize_model("alexnet").layers if each.coverage]
    assert sentence == (
        "conv1: 55 windows of 11 with stride 4 do not cover 224 positions exactly: the last one "
        "hangs 3 over the right and bottom edge, where it reads zeros. No equal padding on all "
        "sides is exact; 3 in all is (0 before, 3 after), and so is an input of 223 or 227."
    )
    conv1 = summarize_model("alexnet").layers[0]
    assert (conv1.overhang, conv1.uncovered) == (3, 0)
    assert not any(each.coverage for each in summarize_model("alexnet_caffe").layers)


@pytest.mark.parametrize(
    ("window", "size", "words"),
    [
        (Window(11, 4, 2), 224, "the last position at the right and bottom, padding alone, is lef"),
        (Window(11, 4, 2), 224, r"3 in all is \(2 before, 1 after\), and so is an input of 223 or"),
        (Window(3, 4), 10, "the last 3 positions at the right and bottom are left out"),
        (Window(3, 5, 1), 10, "the last 4 positions at .*, 1 of them padding, are left out"),
        (Window(3, 3), 10, "A padding of 1 on every side is exact, and so is an input of 9 or 12"),
        (Window(3, 2), 10, r"do not cover 10 positions exactly: .*1 in all is \(0 before, 1 after"),
        (Window(3, 2, 1), 10, "10 positions with a padding of 1 exactly"),
        (Window(3, 2, 0, True), 8, "hangs 1 over the right and bottom edge, where only the part"),
    ],
)
def test_coverage_of_windows_that_do_not_fit(window, size, words):
    sentence = describe_coverage("x", window, size, zeros=False)
    assert sentence is not None
    with pytest.raises(RecipeError, match=words):
        raise RecipeError(sentence)


def test_suggested_paddings_and_sizes_fit():
    """Whatever padding or size a sentence names, windows cover exactly with it."""
    for window, size in ((Window(11, 4), 224), (Window(3, 3), 10), (Window(5, 2, 2), 56)):
        exact = window.exact_padding(size)
        if exact is not None:
            assert (
                describe_coverage(
                    "x", Window(window.kernel, window.stride, exact), size, zeros=True
                )
                is None
            )
        more = window.missing(size)
        for other in (size + more, size + more - window.stride):
            assert describe_coverage("x", window, other, zeros=True) is None


def test_details_of_normalization_and_dropout():
    def details(model: str) -> dict[str, str | None]:
        return {each.name: each.details for each in summarize_model(model).layers}

    paper, program, cifar = details("alexnet"), details("alexnet_program"), details("cifar_11pct")
    assert paper["norm1"] == (
        "x / (2 + 0.0001 * sum of squares) ^ 0.75 over 5 neighboring maps inside each of 2 towers"
    )
    assert program["norm2_spatial"] == (
        "x / (1 + 0.001 / 25 * sum of squares) ^ 0.75 over 5 x 5 positions of a map"
    )
    assert cifar["norm1"] == "x / (1 + 0.001 / 9 * sum of squares) ^ 0.75 over 9 neighboring maps"
    assert paper["drop6"] == "0.5 of the units in training; scaled when testing"
    assert "scaled up in training" in (details("one_column")["drop6"] or "")
    assert paper["conv1"] is None


def test_kinds_of_layers(name):
    kinds = {each.kind for each in summarize_model(name).layers}
    assert kinds <= {
        "convolution", "locally connected", "max pooling", "average pooling", "response norm",
        "batch norm", "fully connected", "flatten", "dropout", "relu", "tanh", "sigmoid",
        "adaptive average pooling",
    }  # fmt: skip


def test_default_classes():
    models = ("alexnet", "cifar_26pct", "alexnet_small", "alexnet_adaptive", "mlp")
    assert [default_classes(m) for m in models] == [1000, 10, 200, 200, 10]
    assert summarize_model("cifar_26pct").parameters == 145_578
    assert summarize_model("cifar_26pct", classes=100).layers[-1].output == [100]


@pytest.mark.parametrize("crop_px", [48, 64, 101, 224])
def test_the_adaptive_network_is_summarized_at_every_size(crop_px):
    found = summarize_model("alexnet_adaptive", image_px=crop_px, crop_px=crop_px)
    layers = {each.name: each for each in found.layers}
    assert layers["pool5"].output == [384, 3, 3]
    assert (layers["pool5"].parameters, layers["pool5"].multiply_adds) == (0, 0)
    assert layers["fc6"].multiply_adds == 384 * 9 * 512
    assert found.parameters == 4_460_296
    side = layers["relu5"].output[1]
    assert layers["conv5"].multiply_adds == side**2 * 384 * 384 * 9


def test_notes_on_the_paper():
    paper = " ".join(summarize_model("alexnet").notes)
    assert "253,440 neurons for conv1, which are 55 x 48 x 96" in paper
    assert 55 * 48 * 96 == 253_440
    assert 55 * 55 * 96 == 290_400
    shares = {each.name: each.parameters / 60_965_224 for each in summarize_model("alexnet").layers}
    assert (round(100 * shares["conv3"], 2), round(100 * shares["conv4"], 2)) == (1.45, 1.09)
    small = " ".join(summarize_model("alexnet", image_px=128, activation="tanh").notes)
    assert "253,440" not in small
    assert "1.45 %" not in small
    assert "crops of 112 pixels out of images of 128" in small
    assert "Hidden units: tanh; the paper's are ReLU" in small


def test_notes_on_one_column():
    notes = " ".join(summarize_model("one_column").notes)
    for words in (
        "64-192-384-256-256",
        "No response normalization",
        "Dropout stands before fc6 and fc7",
        "a padding of 2",
        "1 / sqrt(fan-in)",
        "two towers",
    ):
        assert words in notes


def test_every_model_has_a_line_and_notes_that_fit_a_console():
    assert list(MODEL_LINES) == list(MODELS)
    assert set(MODEL_NOTES) == set(MODELS)
    assert max(map(len, MODEL_LINES.values())) <= 56
    for sentences in MODEL_NOTES.values():
        assert all(each and each == " ".join(each.split()) for each in sentences)


def test_model_list_has_every_model_with_default_sizes():
    found = {each.name: each for each in model_list().models}
    assert list(found) == list(MODELS)
    assert found["one_column"].parameters == 61_100_840
    assert (found["cifar_11pct"].crop_px, found["cifar_11pct"].image_px) == (24, 32)


def test_summarize_model_raises_the_errors_of_build_model():
    with pytest.raises(RecipeError, match='no model "alexnt". Did you mean "alexnet"'):
        summarize_model("alexnt")
    with pytest.raises(RecipeError, match="conv1 has a window of 11 x 11"):
        summarize_model("alexnet", image_px=10)
