"""Single layers and whole weights as ONNX, run by ONNX Runtime."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from alexnet.exporters import ExportRequest, open_onnx
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.layers import write_layer
from alexnet.exporters.onnx.model import onnx_model
from alexnet.weights import Weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run_model(model, feeds):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0]


def run_layer(layer, *inputs, half=False, plain=False):
    """Write one layer; return what ONNX Runtime makes of the inputs, and the nodes."""
    graph = OnnxGraph(half=half, plain=plain)
    values, feeds = [], {}
    for i, x in enumerate(inputs):
        name = graph.name(f"x{i}")
        shape = tuple(x.shape[1:])
        values.append(Value(graph.to_compute_dtype(name, f"input{i}"), shape))
        feeds[name] = x.numpy()
    with torch.no_grad():
        wanted = layer(*inputs)
    made = graph.to_float32(write_layer(graph, "layer", layer.eval(), values), "float32")
    made = graph.node("Identity", [made], "output")
    model = graph.model(
        input=("x0", "float32", inputs[0].shape[1:]), output=(made, 1), title="test", metadata={}
    )
    for i, x in enumerate(inputs[1:], 1):
        kind = onnx.helper.make_tensor_value_info(f"x{i}", 1, ["N", *x.shape[1:]])
        model.graph.input.append(kind)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    for _ in wanted.shape:
        model.graph.output[0].type.tensor_type.shape.dim.add()
    found = run_model(model, feeds)
    used = [node.op_type for node in model.graph.node]
    return SimpleNamespace(
        found=torch.from_numpy(found), wanted=wanted, operators=used, model=model, feeds=feeds
    )


def run_with_openvino(said):
    """Return what OpenVINO makes of the same file and inputs."""
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().read_model(said.model.SerializeToString())
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return torch.from_numpy(np.array(compiled(said.feeds)[0]))


def run_with_opencv(said):
    """Return what OpenCV makes of the same file and its only input."""
    cv2 = pytest.importorskip("cv2")
    net = cv2.dnn.readNetFromONNX(np.frombuffer(said.model.SerializeToString(), np.uint8))
    net.setInput(said.feeds["x0"])
    return torch.from_numpy(net.forward().copy())


@pytest.fixture
def run_one_layer():
    return run_layer


@pytest.fixture
def export_and_compare(tmp_path):
    """Write weights, compare the file with them; return the model and the comparison."""
    from alexnet.exporters.compare import (
        compare,
        exported_predictor,
        reference_predictor,
        synthetic_images,
    )

    def export_and_compare(weights: Weights, **options):
        request = ExportRequest(**options)
        model = onnx_model(weights, request)
        onnx.checker.check_model(model, full_check=True)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        opened = open_onnx(tmp_path / "m.onnx")
        images = synthetic_images(weights.preprocessing.image_px, 3)
        batches = iter([(images, None), (images[1:2], None)])  # any number of images
        rule = weights.preprocessing
        wanted, found = (
            reference_predictor(weights, request),
            exported_predictor(opened, rule, request),
        )
        return model, compare(wanted, found, batches, weights.classes)

    return export_and_compare
