"""Whole networks as ONNX files: every model, layer files, graphs; what the file says of itself."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters import ExportRequest, open_onnx, write_onnx
from alexnet.exporters.onnx.model import onnx_model
from alexnet.models import MODELS, build_model

SMALL_PX = {256: 80, 64: 48, 32: 32}


def small(name: str, **arguments):
    with torch.device("meta"):
        side = build_model(name, classes=3).image_px
    wanted = {"image_px": SMALL_PX[side], "initialization": "he", "seed": 1, **arguments}
    network = build_model(name, classes=3, **wanted)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for each, low, high in (
                (layer.running_mean, -1, 1),
                (layer.running_var, 0.5, 4),
                (layer.weight, 0.5, 2),
                (layer.bias, -1, 1),
            ):
                with torch.no_grad():
                    torch.nn.init.uniform_(each, low, high, generator=torch.Generator())
    return network


@pytest.mark.parametrize("name", MODELS)
def test_every_model_predicts_as_it_does_here(export_and_compare, weigh, name):
    network = small(name)
    model, found = export_and_compare(weigh(network), output_type="logits")
    assert found.difference < 1e-5
    assert found.images == 4
    named = [node.name for node in model.graph.node]
    kept = [each for each, _ in network.named_children() if not each.startswith(("bn", "drop"))]
    assert [each for each in named if each in kept] == kept  # the names that `describe` shows


@pytest.mark.parametrize("input_type", ["image", "crop", "tensor"])
@pytest.mark.parametrize("output_type", ["probabilities", "logits"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_input_and_output_are_by_choice(
    export_and_compare, weigh, input_type, output_type, precision
):
    weights = weigh(small("cifar_18pct", crop_px=28), order="RGB")
    model, found = export_and_compare(
        weights, input_type=input_type, output_type=output_type, precision=precision
    )
    assert found.difference < (1e-5 if precision == "fp32" else 0.01)
    (given,), (taken,) = model.graph.output, model.graph.input
    assert (taken.name, given.name) == (input_type, output_type)
    shape = [each.dim_param or each.dim_value for each in taken.type.tensor_type.shape.dim]
    sizes = {"image": [32, 32, 3], "crop": [28, 28, 3], "tensor": [3, 28, 28]}
    assert shape == ["N", *sizes[input_type]]
    assert taken.type.tensor_type.elem_type == (1 if input_type == "tensor" else 2)
    assert given.type.tensor_type.elem_type == 1
    about = {each.key: each.value for each in model.metadata_props}
    assert about["input"].endswith(
        {
            "image": "uint8 (N, 32, 32, 3), RGB",
            "crop": "uint8 (N, 28, 28, 3), RGB",
            "tensor": "float32 (N, 3, 28, 28), RGB",
        }[input_type]
    )
    assert about["output"] == f"{output_type}, float32 (N, 3)"


@pytest.mark.parametrize(
    "rule",
    [
        {"mean": None, "std": None},
        {"mean": np.array([100, 110, 120], dtype=np.float32), "order": "BGR"},
        {"mean_at": "center"},
    ],
)
def test_each_preprocessing_goes_along(export_and_compare, weigh, rule):
    _, found = export_and_compare(
        weigh(small("cifar_26pct", crop_px=27), **rule), output_type="logits"
    )
    assert found.difference < 1e-5


def test_half_precision_halves_the_file(weigh, tmp_path):
    weights = weigh(small("alexnet_small"), mean=None)
    sizes = []
    for precision in ("fp32", "fp16"):
        write_onnx(weights, ExportRequest(precision=precision), tmp_path / precision)
        sizes.append((tmp_path / precision).stat().st_size)
    assert sizes[1] < 0.52 * sizes[0]


def test_overflow_of_half_precision_is_an_error(weigh):
    network = small("mlp")
    with torch.no_grad():
        network.fc2.weight[0, 0] = 1e6
    request = ExportRequest(precision="fp16")
    with pytest.raises(WeightsError, match=r'"fc2.weight" reaches 1e\+06, which fp16 cannot hold'):
        onnx_model(weigh(network), request)


def test_plain_operators_are_elementary(export_and_compare, weigh):
    model, found = export_and_compare(
        weigh(small("alexnet_program")), plain_operators=True, output_type="logits"
    )
    assert found.difference < 1e-5
    used = {node.op_type for node in model.graph.node}
    assert used == {
        *("Slice", "Cast", "Sub", "Div", "Gather", "Transpose", "Conv", "Mul", "Add", "Pow"),
        *("MaxPool", "AveragePool", "Pad", "Relu", "Flatten", "Gemm", "Identity"),
    }


def test_the_file_says_what_a_reader_needs(weigh):
    weights = weigh(small("mlp"), mean=np.array([1, 2, 3], dtype=np.float32), std=None)
    model = onnx_model(weights, ExportRequest())
    about = {each.key: each.value for each in model.metadata_props}
    assert json.loads(about["classes"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(about["class_words"]) == {"class 0": "größer"}
    rule = json.loads(about["preprocessing"])
    assert (rule["image_px"], rule["order"], rule["mean_values"]) == (32, "BGR", [1, 2, 3])
    assert about["digest"] == weights.digest
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    again = onnx_model(weights, ExportRequest())
    assert again.SerializeToString() == model.SerializeToString()


def test_the_authors_network_with_a_sixth_layer_goes_out_too(
    export_and_compare, weigh, sixth_layer
):
    network = sixth_layer
    assert [name for name, _ in network.named_children() if name.startswith("conv6")]
    for plain in (False, True):
        _, found = export_and_compare(weigh(network), output_type="logits", plain_operators=plain)
        assert found.difference < 1e-5
    assert found.max_abs_value > 0.01


GRAPH = {
    "version": 1,
    "name": "two ways",
    "classes": 3,
    "nodes": [
        *(
            {"name": name, "op": "conv", "inputs": [below], "outputs": outputs, **more}
            for name, below, outputs, more in (
                ("one", "input", 6, {"kernel": [3, 3], "stride": [2, 2], "bias": False}),
                ("two", "input", 6, {"kernel": [5, 5], "stride": [2, 2], "padding": [1, 1]}),
            )
        ),
        {"name": "bn", "op": "batch_norm", "inputs": ["one"], "eps": 1e-5},
        {"name": "scale", "op": "scale", "inputs": ["bn"], "axis": 1, "axes": 1},
        {"name": "both", "op": "concat", "inputs": ["scale", "two", "one"], "axis": 1},
        {"name": "share", "op": "slice", "inputs": ["both"], "axis": 1, "start": 3, "length": 10},
        {"name": "norm", "op": "norm", "inputs": ["share"], "size": 3, "alpha": 1e-2, "beta": 0.75}
        | {"k": 1.0, "region": "spatial"},
        {"name": "pool", "op": "pool", "inputs": ["norm"], "kind": "avg", "stride": [1, 1]}
        | {"padding": [0, 0], "ceiling": True},
        {"name": "flat", "op": "flatten", "inputs": ["pool"], "axis": 1, "end": 3},
        {"name": "fc", "op": "linear", "inputs": ["flat"], "outputs": 3, "bias": True},
    ],
}


def test_a_graph_goes_out(export_and_compare, weigh):
    nodes = [dict(each) for each in GRAPH["nodes"]]
    for each in nodes:
        if each["op"] == "conv":
            defaults = {"bias": True, "padding": [0, 0], "dilation": [1, 1], "groups": 1}
            each |= {**defaults, **each}
        if each["op"] == "scale":
            each["bias"] = True
    network = build_model("graph", classes=3, crop_px=17, graph={**GRAPH, "nodes": nodes})
    model, found = export_and_compare(weigh(network), output_type="logits")
    assert found.difference < 1e-5
    # "one" is read twice, so that its normalization stays a layer of its own
    assert "bn/scaled" in [node.name for node in model.graph.node]


def test_a_head_on_a_layer_goes_out(export_and_compare, weigh, headed):
    weights, kind = weigh(headed), headed.classifier.settings["kind"]
    if kind in ("knn", "tree"):
        with pytest.raises(
            WeightsError, match=f"a head of kind {kind} .* logistic, ridge, svm or mlp"
        ):
            onnx_model(weights, ExportRequest())
        return
    model, found = export_and_compare(weights)
    assert (found.images, found.difference < 1e-5) == (4, True)
    named = [node.name for node in model.graph.node]
    assert ("fc4" in named, "fc5" in named) == (kind != "svm", False)  # no further than it looks
    assert export_and_compare(weights, precision="fp16")[1].difference < 0.02


def test_a_head_on_pooled_layers_goes_out(export_and_compare, weigh, pooled_head):
    weights = weigh(pooled_head)
    model, found = export_and_compare(weights)
    assert (found.images, found.difference < 1e-5) == (4, True)
    named = [node.name for node in model.graph.node]
    assert "classifier/relu5/2" in named
    assert export_and_compare(weights, precision="fp16")[1].difference < 0.02


def test_a_head_on_the_means_of_maps_goes_out(export_and_compare, weigh, make_pooled_head):
    _, found = export_and_compare(weigh(make_pooled_head(["mean:relu5"])))
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_a_layer_that_a_head_reads_is_not_folded_into_its_normalization(
    export_and_compare, weigh, make_pooled_head
):
    network = make_pooled_head(["conv2/2", "relu6"])
    _, found = export_and_compare(weigh(network))
    assert found.difference < 1e-5


@pytest.mark.parametrize("crop_px", [32, 48, 57, 64, 101, 112, 224])
def test_the_adaptive_network_goes_out_at_every_size(export_and_compare, weigh, crop_px):
    network = small("alexnet_adaptive", image_px=crop_px, crop_px=crop_px)
    _, found = export_and_compare(weigh(network), output_type="logits")
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_files_that_the_runtime_refuses_and_missing_packages_are_an_error(
    tmp_path, monkeypatch, weigh
):
    (tmp_path / "x.onnx").write_bytes(b"nothing of that kind")
    with pytest.raises(WeightsError, match=r"ONNX Runtime [\d.]+ refuses the file"):
        open_onnx(tmp_path / "x.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AlexNetError, match=r'ONNX Runtime: pip install "alexnet\[export\]"'):
        open_onnx(tmp_path / "x.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(AlexNetError, match=r'package onnx: pip install "alexnet\[export\]"'):
        write_onnx(weigh(small("mlp")), ExportRequest(), tmp_path / "x.onnx")
