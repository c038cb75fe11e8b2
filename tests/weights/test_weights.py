import contextlib
import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import WeightsError
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import Weights, current_versions


@pytest.fixture(scope="module")
def weights() -> Weights:
    network = build_model("cifar_26pct", classes=2, seed=3)
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("ant", "bee"),
        preprocessing=Preprocessing(
            image_px=32,
            crop_px=32,
            resize_mode="crop",
            order="RGB",
            mean=None,
            mean_at="crop",
            std=None,
        ),
    )


def test_network_predicts_as_the_one_that_was_saved(weights: Weights) -> None:
    original = build_model("cifar_26pct", classes=2, seed=3).eval()
    found = weights.network()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert not found.training
    torch.testing.assert_close(found(x), original(x), rtol=1e-5, atol=1e-5)


def test_network_is_independent_of_the_weights(weights: Weights) -> None:
    found = weights.network()
    with torch.no_grad():
        for each in found.parameters():
            each.zero_()
    assert any(bool(each.any()) for each in weights.state.values())


def without(weights: Weights, name: str) -> Weights:
    return replace(weights, state={k: v for k, v in weights.state.items() if k != name})


def test_tensors_that_do_not_fit_are_an_error(weights: Weights) -> None:
    with pytest.raises(WeightsError, match='lack the tensor "conv1.weight"'):
        without(weights, "conv1.weight").network()
    with pytest.raises(WeightsError, match='a tensor "extra" that the model "cifar_26pct"'):
        replace(weights, state=weights.state | {"extra": torch.ones(1)}).network()
    with pytest.raises(WeightsError, match=r'"conv1.bias" has the shape \(1,\).* needs \(32,\)'):
        replace(weights, state=weights.state | {"conv1.bias": torch.ones(1)}).network()
    with pytest.raises(WeightsError, match="name 3 classes, but .* has 2 outputs"):
        replace(weights, classes=("a", "b", "c")).network()
    smaller = replace(weights.preprocessing, crop_px=24)
    with pytest.raises(WeightsError, match="cuts 24 pixels, but .* takes 32"):
        replace(weights, preprocessing=smaller).network()


def test_unknown_model_and_arguments_are_an_error(weights: Weights) -> None:
    with pytest.raises(WeightsError, match="cannot be built here.*cifar_26pc"):
        replace(weights, model="cifar_26pc").network()
    for arguments in ({"classes": 2, "towers": 3}, {}, {"classes": "two"}, {"classes": -1}):
        with pytest.raises(WeightsError, match="cannot be built here"):
            replace(weights, arguments=arguments).network()


def test_absurd_sizes_are_an_error_before_memory_is_taken(weights: Weights) -> None:
    for arguments in ({"classes": 2**50}, {"classes": 2, "image_px": 2**20, "crop_px": 2**20}):
        with pytest.raises(WeightsError):
            replace(weights, arguments=arguments).network()


def test_versions_name_package_and_torch() -> None:
    assert current_versions()["torch"] == str(torch.__version__)
    assert {"alexnet", "python"} <= current_versions().keys()


ARGUMENTS = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    st.lists(st.integers(-1, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(["classes", "activation", "dropout", "image_px", "crop_px", "seed", "x"]),
    value=ARGUMENTS,
)
def test_arguments_of_any_kind_build_a_network_or_a_sentence(name, value):
    arguments = {"classes": 2, "image_px": 8, "crop_px": 8, name: value}
    rule = Preprocessing(image_px=8, crop_px=8)
    network = build_model("mlp", classes=2, image_px=8, crop_px=8)
    strange = Weights(
        model="mlp",
        arguments=arguments,
        state=network.state_dict(),
        classes=("ant", "bee"),
        preprocessing=rule,
    )
    with contextlib.suppress(WeightsError):
        assert strange.network().classes == 2


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_another_dtype_is_an_error(weights, dtype):
    state = {name: torch.zeros(each.shape, dtype=dtype) for name, each in weights.state.items()}
    with pytest.raises(
        WeightsError, match=rf"holds {dtype}, but the model .* needs torch\.float32"
    ):
        replace(weights, state=state).network()


def test_the_room_loads_no_importer_and_no_exporter():
    script = (
        "import json, sys; import alexnet.weights.file, alexnet.weights.registry; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    modules = json.loads(done.stdout)
    assert "alexnet.weights.file" in modules
    rooms = {name.split(".")[1] for name in modules if name.startswith("alexnet.")}
    assert not rooms & {"exporters", "importers", "transfer", "evaluation"}
    assert not {"onnx", "onnxruntime", "openvino", "sklearn"} & set(modules)
