import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alexnet.errors import RecipeError, WeightsError
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import (
    DEFAULT_WEIGHTS,
    Weights,
    bundled_file,
    current_versions,
    load_weights,
)


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


def weights_of(model: str, *, mean: NDArray[np.float32] | None = None, **arguments: Any) -> Weights:
    network = build_model(model, classes=2, seed=3, **arguments)
    rule = Preprocessing(image_px=network.image_px, crop_px=network.crop_px, mean=mean)
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("ant", "bee"),
        preprocessing=rule,
        results={"top1": 0.9},
    )


@pytest.mark.parametrize(("image_px", "crop_px"), [(48, 32), (72, 64), (128, 112), (75, 75)])
def test_resized_weights_predict_at_another_size(image_px: int, crop_px: int) -> None:
    weights = weights_of("alexnet_adaptive")
    found = weights.resized(image_px=image_px, crop_px=crop_px)
    assert (found.preprocessing.image_px, found.preprocessing.crop_px) == (image_px, crop_px)
    assert found.digest == weights.digest
    assert found.results is None and weights.results is not None
    x = torch.randn(2, 3, crop_px, crop_px, generator=torch.Generator().manual_seed(0))
    layers = [each for _, each in weights.network().named_children()]
    torch.testing.assert_close(found.network()(x), torch.nn.Sequential(*layers)(x))


def test_weights_of_the_same_size_are_themselves() -> None:
    weights = weights_of("alexnet_small")
    assert weights.resized(image_px=64, crop_px=56) is weights


def test_a_mean_image_is_resized_with_the_weights() -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.float32)
    mean = np.broadcast_to(ramp[None, :, None], (64, 64, 3)).copy()
    weights = weights_of("alexnet_adaptive", mean=mean)
    resized = weights.resized(image_px=128, crop_px=112).preprocessing
    assert resized.mean is not None and resized.mean.shape == (128, 128, 3)
    expected = (np.arange(128) + 0.5) / 128 * 64 - 0.5  # positions of the new centers, in old ones
    inner = slice(1, -1)  # at the edge the outermost value is repeated
    np.testing.assert_allclose(
        resized.mean[5, inner, 1], expected[inner] * 255 / 63, rtol=0, atol=1e-3
    )


def test_a_layer_that_fixes_the_size_is_named() -> None:
    with pytest.raises(RecipeError, match='crops of 56 pixels alone: the layer "fc6".* for 112'):
        weights_of("alexnet_small").resized(image_px=128, crop_px=112)
    with pytest.raises(
        RecipeError, match="cannot take crops of 8 pixels.*smallest that work are crops of 23"
    ):
        weights_of("alexnet_adaptive").resized(image_px=8, crop_px=8)
    with pytest.raises(RecipeError, match="crop of 80 pixels cannot be cut"):
        weights_of("alexnet_adaptive").resized(image_px=64, crop_px=80)


def test_a_head_on_maps_fixes_the_size_and_one_behind_the_pooling_does_not() -> None:
    plain = weights_of("alexnet_adaptive")
    for layer, features in (("relu6", 512), ("relu5", 384 * 5 * 5)):
        head = {"kind": "logistic", "layer": layer, "features": features, "classes": 2}
        arguments: dict[str, Any] = {**plain.arguments, "head": head}
        shapes = build_model(plain.model, **arguments).classifier.state_dict()
        ones = {f"classifier.{name}": torch.ones(each.shape) for name, each in shapes.items()}
        backbone = {f"backbone.{name}": each for name, each in plain.state.items()}
        headed = replace(plain, arguments=arguments, state=backbone | ones)
        if layer == "relu6":
            x = torch.zeros(1, 3, 96, 96)
            assert headed.resized(image_px=96, crop_px=96).network()(x).shape == (1, 2)
        else:
            with pytest.raises(RecipeError, match=f'not of 96.*{features} features, and "relu5"'):
                headed.resized(image_px=96, crop_px=96)


def test_the_bundled_weights_were_measured_as_they_predict() -> None:
    file = bundled_file(DEFAULT_WEIGHTS)
    assert file is not None
    weights = load_weights(file)
    assert weights.model == "alexnet_adaptive"
    assert (weights.preprocessing.image_px, weights.preprocessing.crop_px) == (72, 64)
    assert weights.results is not None
    assert (weights.results["images"], weights.results["crops"]) == (10_000, 1)
    assert round(weights.results["top1"], 4) == 0.5195
    assert weights.resized(image_px=128, crop_px=112).digest == weights.digest
    assert file.stat().st_size < 10e6
