"""Torch modules of others as ONNX: torch's exporter between our preprocessing and softmax."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
import torch

import alexnet
from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters import ExportRequest, open_openvino, write_openvino
from alexnet.exporters.onnx.model import onnx_model
from alexnet.models import build_model

pytest.importorskip("onnxscript")

MODULES = '''
import torch
from torch import nn
from torch.nn import functional as F

from alexnet.nn import LocallyConnected, ResponseNorm


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(c)
        self.relu = nn.ReLU(inplace=True)
        nn.init.normal_(self.norm.running_mean)
        nn.init.uniform_(self.norm.running_var, 1, 3)

    def forward(self, x):
        y = self.norm(self.conv(x))
        self.relu(y)  # changed in place
        return x + y.mul_(2)


class Many(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2), nn.BatchNorm2d(16), nn.ReLU6(True),
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        )
        self.own, self.lrn, self.block = ResponseNorm(5), nn.LocalResponseNorm(5), Block(16)
        self.local = LocallyConnected(16, 16, positions=8, kernel=3, padding=1)
        nn.init.normal_(self.local.weight, 0, 0.1)
        self.act = nn.Sequential(
            nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.GELU("tanh"), nn.Hardsigmoid(), nn.ELU(),
            nn.LeakyReLU(), nn.Softplus(), nn.Hardtanh(-1, 2),
        )
        self.mean, self.drop = nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.Dropout(inplace=True)
        self.parts, self.norm = nn.AdaptiveAvgPool2d((3, 2)), nn.LayerNorm(96)
        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(96, classes))
        self.register_buffer("shift", torch.linspace(-1, 1, 96))

    def forward(self, x):
        y = self.local(self.block(self.own(self.stem(x))))
        y = self.mean(self.lrn(self.act(y)))
        a, b = y.chunk(2, 1)
        y = torch.cat([b, a], 1).transpose(2, 3)[:, :, 1:]
        y = self.parts(F.pad(y, (1, 1), value=0.5)) * torch.sigmoid(y.mean((2, 3), keepdim=True))
        y = y - y.amax((2, 3), keepdim=True) + 0.5 * y.sum((2, 3))[:, :, None, None].sqrt()
        y = self.norm(y.reshape(y.shape[0], -1)) + self.shift.abs() * 2
        return self.fc(self.drop(torch.softmax(y, 1) * y.clamp(max=1.5)))


def many(classes):
    return Many(classes)


class Residual(nn.Module):
    """As torchvision writes its ResNet."""

    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.blocks = nn.Sequential(Block(16), Block(16))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(16, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.blocks(self.stem(x))), 1))


class Pools(nn.Module):
    """Every rule of torch's pools, also where no window of ONNX's own says it everywhere alike."""

    def __init__(self, classes):
        super().__init__()
        self.pools = nn.ModuleList([
            nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, ceil_mode=True),
            nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
            nn.AvgPool2d((3, 5), (2, 3), (1, 2), count_include_pad=False),
            nn.AvgPool2d(2, 3, 1, ceil_mode=True),
            nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d((5, 3), 3, (2, 0), ceil_mode=True),
            nn.MaxPool2d(3, 1, 1, dilation=2), nn.MaxPool2d((2, 3), 2, 1, dilation=(1, 3)),
            nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True),
        ])
        self.rows, self.norm = nn.MaxPool1d(3, 2, 1, ceil_mode=True), ResponseNorm(3, alpha=0.1)
        self.fc = nn.Linear(3 * len(self.pools) + 3, classes)
        weight = torch.linspace(-1, 1, self.fc.weight.numel())
        self.fc.weight.data.copy_(weight.reshape(self.fc.weight.shape))

    def forward(self, x):
        lower = x - 3  # the largest of a window is below zero, so that zeros of padding would show
        parts = [pool(lower).mean((2, 3)) for pool in self.pools]
        parts.append(self.rows(self.norm(lower.flatten(2))).mean(2))
        return self.fc(torch.cat(parts, 1))


def pools(classes):
    return Pools(classes)


def residual(classes):
    return Residual(classes)


class Plain(nn.Module):
    """As torchvision writes its AlexNet."""

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 5, 2, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 8, 3, padding="same"), nn.ReLU(inplace=True),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(288, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def plain(classes):
    return Plain(classes)


def normalized(classes):
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, 2), nn.ReLU(), ResponseNorm(5, alpha=0.1), nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(), nn.Linear(8, classes),
    )


class Odd(nn.Module):
    def __init__(self, classes, how):
        super().__init__()
        self.fc, self.how = nn.Linear(3, classes), how

    def forward(self, x):
        return self.fc(self.how(x.mean((2, 3))))


def cumulative(classes):
    return Odd(classes, lambda x: torch.cumsum(x, 1))


def batch_mean(classes):
    return Odd(classes, lambda x: x - x.mean(0))


def data_dependent(classes):
    return Odd(classes, lambda x: x if x.sum() > 0 else -x)


def class_token(classes):
    return Odd(classes, lambda x: x + torch.ones(1, 3).expand(x.shape[0], -1))


def integers(classes):
    return Odd(classes, lambda x: x.to(torch.int32).float())
'''


@pytest.fixture
def external(tmp_path, monkeypatch):
    """Build a network of the module above."""
    (tmp_path / "modules_to_export.py").write_text(textwrap.dedent(MODULES))
    monkeypatch.syspath_prepend(tmp_path)

    def build(name: str):
        reference = f"modules_to_export:{name}"
        with alexnet.trusting(reference):
            return build_model(reference, classes=5, image_px=40, crop_px=33, seed=3)

    yield build
    sys.modules.pop("modules_to_export", None)


@pytest.mark.parametrize(
    "name", [pytest.param("many", marks=pytest.mark.slow), "plain", "residual"]
)
def test_half_precision_is_near(external, export_and_compare, weigh, name):
    network = external(name)
    with alexnet.trusting(network.model):
        _, found = export_and_compare(weigh(network), precision="fp16", input_type="tensor")
    assert found.difference < 0.02


@pytest.mark.parametrize("name", ["many", "plain", "residual"])
def test_a_torch_module_predicts_as_it_does_here(external, export_and_compare, weigh, name):
    network = external(name)
    with alexnet.trusting(network.model):
        model, found = export_and_compare(weigh(network), output_type="logits")
        assert found.difference < 1e-5
        assert (found.images, found.max_abs_value > 0.05) == (4, True)
    nodes = {node.name for node in model.graph.node}
    assert {"many": "act.0", "plain": "features.3", "residual": "avgpool"}[name] in nodes
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}  # folded


def test_pools_are_written_as_every_program_reads_them(external, export_and_compare, weigh):
    openvino, cv2 = pytest.importorskip("openvino"), pytest.importorskip("cv2")
    network = external("pools")
    weights = weigh(network)
    with alexnet.trusting(network.model):
        model, found = export_and_compare(weights, output_type="logits", input_type="tensor")
        assert found.difference < 1e-5
    for node in model.graph.node:
        settings = {each.name: each for each in node.attribute}
        if node.op_type in ("AveragePool", "MaxPool"):
            assert not ("ceil_mode" in settings and settings["ceil_mode"].i)
            assert not ("dilations" in settings and max(settings["dilations"].ints) > 1)
            counted = "count_include_pad" in settings and settings["count_include_pad"].i
            assert not (counted and any(settings["pads"].ints))
    x = np.random.default_rng(0).normal(size=(1, 3, 33, 33)).astype(np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(x)).numpy()
    data = model.SerializeToString()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino.Core().read_model(data), "CPU", exact)
    np.testing.assert_allclose(compiled(x)[0], wanted, rtol=1e-4, atol=1e-4)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    net.setInput(x)
    np.testing.assert_allclose(net.forward(), wanted, rtol=1e-4, atol=1e-4)


def test_sums_of_our_normalization_stay_in_full_precision(external, weigh, tmp_path):
    from alexnet.exporters import write_onnx
    from alexnet.exporters.compare import synthetic_images

    onnx = pytest.importorskip("onnx")
    network = external("normalized")
    request = ExportRequest(precision="int8", calibration=lambda: iter([synthetic_images(40, 2)]))
    with alexnet.trusting(network.model):
        write_onnx(weigh(network), request, tmp_path / "net.onnx")
    nodes = onnx.load(tmp_path / "net.onnx").graph.node
    makers = {name: node.op_type for node in nodes for name in node.output}
    products = [node for node in nodes if node.op_type in ("Conv", "Gemm")]
    quantized = [makers.get(node.input[1]) == "DequantizeLinear" for node in products]
    assert sorted(quantized) == [False, True, True]


@pytest.mark.parametrize("name", ["cumulative", "batch_mean", "class_token", "integers"])
def test_operators_beyond_those_of_our_layers(external, export_and_compare, weigh, name):
    network = external(name)
    with alexnet.trusting(network.model):
        _, found = export_and_compare(weigh(network), output_type="logits")
    assert found.difference < 1e-5


@pytest.mark.parametrize("name", ["plain", "residual"])
def test_openvino_reads_them(external, write_and_compare, weigh, name):
    pytest.importorskip("openvino")
    network = external(name)
    with alexnet.trusting(network.model):
        found = write_and_compare(write_openvino, open_openvino, weigh(network), "net.xml")
    assert (found.images, found.difference < 1e-4) == (4, True)


def test_what_torch_cannot_export_is_an_error(external, weigh):
    network = external("data_dependent")
    words = r"(?s)torch cannot export modules_to_export:data_dependent to ONNX \(.*--to torchscript"
    with alexnet.trusting(network.model), pytest.raises(WeightsError, match=words):
        onnx_model(weigh(network), ExportRequest())


def test_without_onnxscript_is_an_error(external, weigh, monkeypatch):
    network = external("plain")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    words = r'package onnxscript: pip install "alexnet\[export'
    with alexnet.trusting(network.model), pytest.raises(AlexNetError, match=words):
        onnx_model(weigh(network), ExportRequest())
