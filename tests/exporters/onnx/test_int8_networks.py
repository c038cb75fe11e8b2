"""int8 of networks whose layers have names as Caffe gives them, trained on real digits."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from alexnet.exporters import ExportRequest, export_weights
from alexnet.exporters.compare import synthetic_images
from alexnet.exporters.export import EXPORTERS
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import DEFAULT_WEIGHTS, Weights, load_weights

datasets = pytest.importorskip("sklearn.datasets")
onnxruntime = pytest.importorskip("onnxruntime")

SIDE = 16


def conv(name: str, below: str, outputs: int, kernel: int, groups: int = 1):
    sizes = {"kernel": [kernel] * 2, "stride": [1, 1], "padding": [kernel // 2] * 2}
    more = {"dilation": [1, 1], "groups": groups, "bias": True}
    fields = {"name": name, "op": "conv", "inputs": [below], "outputs": outputs}
    return {**fields, **sizes, **more}


def relu(below: str):
    return {"name": below.replace("/", "/relu_"), "op": "relu", "inputs": [below], "slope": 0.0}


def pool(name: str, below: str):
    sizes = {"kernel": [3, 3], "stride": [2, 2], "padding": [0, 0], "ceiling": True}
    return {"name": name, "op": "pool", "inputs": [below], "kind": "max", **sizes}


NODES = [
    conv("conv1/3x3", "input", 12, 3),
    relu("conv1/3x3"),
    {"name": "norm1/lrn", "op": "norm", "inputs": ["conv1/relu_3x3"], "size": 5, "alpha": 1e-3}
    | {"beta": 0.75, "k": 1.0, "region": "channels"},
    pool("pool1/3x3_s2", "norm1/lrn"),
    conv("fire2/squeeze1x1", "pool1/3x3_s2", 8, 1),
    relu("fire2/squeeze1x1"),
    conv("fire2/expand1x1", "fire2/relu_squeeze1x1", 8, 1),
    relu("fire2/expand1x1"),
    conv("fire2/expand3x3", "fire2/relu_squeeze1x1", 8, 3, groups=2),
    relu("fire2/expand3x3"),
    conv("fire2/depthwise", "fire2/relu_squeeze1x1", 8, 3, groups=8),
    relu("fire2/depthwise"),
    {"name": "fire2/concat", "op": "concat", "axis": 1}
    | {"inputs": ["fire2/relu_expand1x1", "fire2/relu_expand3x3", "fire2/relu_depthwise"]},
    pool("pool2/3x3_s2", "fire2/concat"),
    {"name": "flat", "op": "flatten", "inputs": ["pool2/3x3_s2"], "axis": 1, "end": 3},
    {"name": "loss3/classifier", "op": "linear", "inputs": ["flat"], "outputs": 10, "bias": True},
]
PRODUCTS = [node["name"] for node in NODES if node["op"] in ("conv", "linear")]


@functools.cache
def digits() -> SimpleNamespace:
    """Weights that read scikit-learn's digits, and images that they were not trained on."""
    data = datasets.load_digits()
    gray = np.kron(data.images * 15.9, np.ones((2, 2))).astype(np.uint8)
    images = np.repeat(gray[..., None], 3, axis=3)
    graph = {"version": 1, "name": "digits", "classes": 10, "nodes": NODES}
    network = build_model("graph", classes=10, image_px=SIDE, crop_px=SIDE, graph=graph)
    rule = Preprocessing(
        image_px=SIDE,
        crop_px=SIDE,
        mean=np.full(3, 78, dtype=np.float32),
        std=np.full(3, 96, dtype=np.float32),
    )
    x = torch.from_numpy((images.transpose(0, 3, 1, 2).astype(np.float32) - 78) / 96)
    y = torch.from_numpy(data.target).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    for step in range(60):
        rows = torch.arange(step * 100, step * 100 + 100) % 1200
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
        optimizer.step()
    weights = Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.eval().state_dict(),
        classes=tuple(map(str, range(10))),
        class_words={},
        preprocessing=rule,
    )
    return SimpleNamespace(weights=weights, images=images, labels=data.target)


def exported(tmp_path, to: str, name: str, weights=None):
    """Export digits, calibrated on training images and checked on the others."""
    found = digits()
    request = ExportRequest(
        precision="int8", calibration=lambda: iter(np.split(found.images[:128], 4))
    )
    held_out = [(found.images[1200:], found.labels[1200:])]
    return export_weights(
        weights or found.weights,
        request,
        to=to,
        out=tmp_path / name,
        batches=lambda: iter(held_out),
    )


@pytest.mark.parametrize(("to", "name"), [("onnx", "net.onnx"), ("openvino", "net.xml")])
def test_layers_with_a_slash_in_their_name_are_quantized_and_still_read_digits(tmp_path, to, name):
    if to == "openvino":
        pytest.importorskip("openvino")
    report = exported(tmp_path, to, name)
    assert report.quantized_share == 1.0
    assert report.top1_before > 0.85  # it learned to read
    assert abs(report.top1_after - report.top1_before) < 0.02
    assert report.same_class > 0.97 * report.images


def test_onnx_runtime_computes_all_of_them_on_8_bits(tmp_path):
    exported(tmp_path, "onnx", "net.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        str(tmp_path / "net.onnx"), options, providers=["CPUExecutionProvider"]
    )
    used = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert used.count("QLinearConv") + used.count("QGemm") == len(PRODUCTS)
    assert not {"Conv", "Gemm", "MatMul"} & set(used)


def test_openvino_computes_all_of_them_on_8_bits(tmp_path):
    openvino = pytest.importorskip("openvino")
    exported(tmp_path, "openvino", "net.xml")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = openvino.Core().compile_model(str(tmp_path / "net.xml"), "CPU", settings)
    precisions = {}
    for node in compiled.get_runtime_model().get_ordered_ops():
        about = node.get_rt_info()
        if about["layerType"].astype(str) in ("Convolution", "FullyConnected", "MatMul"):
            precisions[node.get_friendly_name()] = about["runtimePrecision"].astype(str)
    assert len(precisions) == len(PRODUCTS)
    assert set(precisions.values()) <= {"i8", "u8"}


def test_normalizations_and_luma_stay_in_full_precision(tmp_path):
    exported(tmp_path, "onnx", "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    (norm,) = (node for node in graph.node if node.op_type == "LRN")
    assert norm.name == "norm1/lrn"
    products = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert sorted(node.name for node in products) == sorted(PRODUCTS)
    for node in products:
        assert [makers[name] for name in node.input[:2]] == ["DequantizeLinear"] * 2


def test_every_int8_exporter_says_how_much_of_it_is():
    assert {name for name, each in EXPORTERS.items() if each.quantized_share} == {
        "onnx",
        "openvino",
    }


@pytest.mark.parametrize(("to", "name"), [("onnx", "net.onnx"), ("openvino", "net.xml")])
@pytest.mark.parametrize("crop_px", [57, 64])
def test_the_bundled_weights_go_out_in_8_bits_at_any_size(tmp_path, to, name, crop_px):
    if to == "openvino":
        pytest.importorskip("openvino")
    weights = load_weights(Path(DEFAULT_WEIGHTS)).resized(image_px=72, crop_px=crop_px)
    images = synthetic_images(72, 24)
    request = ExportRequest(precision="int8", calibration=lambda: iter([images[:16]]))
    report = export_weights(
        weights,
        request,
        to=to,
        out=tmp_path / name,
        batches=lambda: iter([(images[16:], None)]),
    )
    assert report.quantized_share == 1.0
    assert report.probability_shift < 0.05
