"""Single layers and whole weights as ONNX, asked through ONNX Runtime."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from alexnet.exporters import ExportRequest, open_onnx
from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.exporters.onnx.layers import write_layer
from alexnet.exporters.onnx.model import onnx_model
from alexnet.weights import Weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def asked_of_runtime(model, feeds):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0]


def ask_layer(layer, *inputs, half=False, plain=False):
    """Write one layer; return what ONNX Runtime makes of the inputs, and the nodes."""
    draft = Draft(half=half, plain=plain)
    values, feeds = [], {}
    for i, x in enumerate(inputs):
        name = draft.name(f"x{i}")
        shape = tuple(x.shape[1:])
        values.append(Value(draft.narrow(name, f"narrow{i}"), shape))
        feeds[name] = x.numpy()
    with torch.no_grad():
        wanted = layer(*inputs)
    made = draft.widen(write_layer(draft, "layer", layer.eval(), values), "wide")
    made = draft.node("Identity", [made], "given")
    model = draft.model(
        takes=("x0", "float32", inputs[0].shape[1:]), gives=(made, 1), title="test", metadata={}
    )
    for i, x in enumerate(inputs[1:], 1):
        kind = onnx.helper.make_tensor_value_info(f"x{i}", 1, ["N", *x.shape[1:]])
        model.graph.input.append(kind)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    for _ in wanted.shape:
        model.graph.output[0].type.tensor_type.shape.dim.add()
    found = asked_of_runtime(model, feeds)
    used = [node.op_type for node in model.graph.node]
    return SimpleNamespace(found=torch.from_numpy(found), wanted=wanted, operators=used)


@pytest.fixture
def ask():
    return ask_layer


@pytest.fixture
def hold(tmp_path):
    """Write weights and hold the file against them; return the model and the comparison."""
    from alexnet.exporters.compare import asked, compare, made_pictures, reference

    def hold(weights: Weights, **wishes):
        request = ExportRequest(**wishes)
        model = onnx_model(weights, request)
        onnx.checker.check_model(model, full_check=True)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        opened = open_onnx(tmp_path / "m.onnx")
        pictures = made_pictures(weights.preprocessing.image_px, 3)
        batches = iter([(pictures, None), (pictures[1:2], None)])  # any number of pictures
        rule = weights.preprocessing
        wanted, found = reference(weights, request), asked(opened, rule, request)
        return model, compare(wanted, found, batches, weights.classes)

    return hold
