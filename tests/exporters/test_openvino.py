"""OpenVINO: two files that its runtime runs."""

from __future__ import annotations

import json
import sys

import pytest

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters import ExportRequest, open_openvino, write_openvino
from alexnet.models import build_model

openvino = pytest.importorskip("openvino")


def test_it_predicts_as_the_weights_do(write_and_compare, weigh, sixth_layer, tmp_path):
    local = weigh(build_model("cifar_11pct", classes=3, initialization="he"))
    found = write_and_compare(
        write_openvino, open_openvino, local, "local.xml", output_type="logits"
    )
    assert (found.images, found.difference < 1e-4) == (4, True)
    about = openvino.Core().read_model(tmp_path / "local.xml").get_rt_info(["alexnet", "classes"])
    assert json.loads(about.astype(str)) == ["class 0", "class 1", "class 2"]

    options = {"input_type": "tensor", "plain_operators": True}
    found = write_and_compare(
        write_openvino, open_openvino, weigh(sixth_layer), "sixth.xml", **options
    )
    assert (found.images, found.difference < 1e-4) == (4, True)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_head_on_pooled_layers_goes_out(write_and_compare, weigh, pooled_head, precision):
    found = write_and_compare(
        write_openvino, open_openvino, weigh(pooled_head), "head.xml", precision=precision
    )
    assert (found.images, found.difference < {"fp32": 1e-4, "fp16": 0.02}[precision]) == (4, True)


@pytest.mark.parametrize("crop_px", [48, 57, 64, 224])
def test_the_adaptive_network_goes_out_at_every_size(write_and_compare, weigh, crop_px):
    sides = {"image_px": crop_px, "crop_px": crop_px, "initialization": "he"}
    weights = weigh(build_model("alexnet_adaptive", classes=3, **sides))
    found = write_and_compare(write_openvino, open_openvino, weights, "any.xml")
    assert (found.images, found.difference < 1e-4) == (4, True)


def test_half_precision_halves_the_file(write_and_compare, weigh, tmp_path):
    weights = weigh(build_model("cifar_18pct", classes=3, initialization="he"))
    for precision, bound in (("fp32", 1e-4), ("fp16", 0.01)):
        options = {"precision": precision, "output_type": "logits"}
        found = write_and_compare(
            write_openvino, open_openvino, weights, f"{precision}.xml", **options
        )
        assert found.difference < bound
    sizes = [(tmp_path / f"{each}.bin").stat().st_size for each in ("fp32", "fp16")]
    assert sizes[1] < 0.55 * sizes[0]


@pytest.mark.parametrize("number", [65504.0, -65504.0, 65519.0, -70000.0, 1e9])
@pytest.mark.parametrize("tensor", ["fc2.weight", "fc1.bias"])
def test_numbers_beyond_half_precision_are_an_error(tmp_path, weigh, number, tensor):
    """OpenVINO 2026.4.1 would save them as 65504, without a word."""
    weights = weigh(build_model("mlp", classes=3))
    weights.state[tensor].flatten()[0] = number
    request = ExportRequest(precision="fp16")
    if abs(number) > 65504:
        words = rf'"{tensor}" reaches .* which fp16 cannot hold. Choose --precision fp32'
        with pytest.raises(WeightsError, match=words):
            write_openvino(weights, request, tmp_path / "net.xml")
        assert not list(tmp_path.iterdir())
        return
    write_openvino(weights, request, tmp_path / "net.xml")
    model = openvino.Core().read_model(tmp_path / "net.xml")
    kept = [node.data for node in model.get_ops() if node.get_type_name() == "Constant"]
    assert any(each.dtype == "float16" and (each == number).any() for each in kept)


@pytest.mark.parametrize("norm", [{"k": 1.5}, {"k": 0.5, "beta": -0.5}, {"alpha": -1e-3}])
def test_norms_that_its_operator_does_not_know_go_out(write_and_compare, weigh, norm):
    """OpenVINO 2026.4.1 cuts the constant of the operator to a whole number."""
    settings = {"size": 5, "alpha": 0.5, "beta": 0.75, "k": 1.0, "region": "channels"} | norm
    conv = {"outputs": 8, "kernel": [3, 3], "stride": [1, 1], "padding": [0, 0], "bias": True}
    nodes = [
        {"name": "conv", "op": "conv", "inputs": ["input"], "dilation": [1, 1], "groups": 1} | conv,
        {"name": "norm", "op": "norm", "inputs": ["conv"]} | settings,
        {"name": "flat", "op": "flatten", "inputs": ["norm"], "axis": 1, "end": 3},
        {"name": "fc", "op": "linear", "inputs": ["flat"], "outputs": 3, "bias": True},
    ]
    graph = {"version": 1, "name": "norm", "classes": 3, "nodes": nodes}
    network = build_model("graph", classes=3, crop_px=12, graph=graph)
    options = {"output_type": "logits"}
    found = write_and_compare(write_openvino, open_openvino, weigh(network), "norm.xml", **options)
    assert (found.images, found.difference < 1e-5) == (4, True)


def test_what_it_cannot_do_is_an_error(tmp_path, weigh, monkeypatch):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match=r"two files, NAME.xml and NAME.bin; got net.onnx"):
        write_openvino(weights, ExportRequest(), tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(AlexNetError, match=r'need openvino: pip install "alexnet\[export\]"'):
        write_openvino(weights, ExportRequest(), tmp_path / "net.xml")
