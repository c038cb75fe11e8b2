"""Networks of other people as ONNX, by what torch says of their operators."""

from __future__ import annotations

import sys
import textwrap

import pytest

import alexnet
from alexnet.errors import WeightsError
from alexnet.exporters import ExportRequest
from alexnet.exporters.onnx.model import onnx_model
from alexnet.models import build_model

THEIRS = '''
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


class Plain(nn.Module):
    """As torchvision writes its own."""

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


class Odd(nn.Module):
    def __init__(self, classes, how):
        super().__init__()
        self.fc, self.how = nn.Linear(3, classes), how

    def forward(self, x):
        return self.fc(self.how(x.mean((2, 3))))


def strange(classes):
    return Odd(classes, lambda x: torch.cumsum(x, 1))


def together(classes):
    return Odd(classes, lambda x: x - x.mean(0))


def choosing(classes):
    return Odd(classes, lambda x: x if x.sum() > 0 else -x)


def tokens(classes):
    return Odd(classes, lambda x: x + torch.ones(1, 3).expand(x.shape[0], -1))


def whole(classes):
    return Odd(classes, lambda x: x.to(torch.int32).float())
'''


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Build a network of the module above."""
    (tmp_path / "theirs_to_export.py").write_text(textwrap.dedent(THEIRS))
    monkeypatch.syspath_prepend(tmp_path)

    def build(name: str):
        reference = f"theirs_to_export:{name}"
        with alexnet.trusting(reference):
            return build_model(reference, classes=5, image_px=40, crop_px=33, seed=3)

    yield build
    sys.modules.pop("theirs_to_export", None)


@pytest.mark.parametrize("name", ["many", "plain"])
def test_a_torch_module_answers_as_it_does_here(theirs, hold, weigh, name):
    network = theirs(name)
    with alexnet.trusting(network.model):
        model, found = hold(weigh(network), gives="logits")
        assert found.difference < 2e-5
        assert (found.pictures, found.largest > 0.05) == (4, True)
        _, found = hold(weigh(network), precision="fp16")
        assert found.difference < 0.02
    named = [node.name for node in model.graph.node]
    assert {"many": "stem.0", "plain": "features.3"}[name] in named
    assert "block.norm/scaled" not in named  # folded


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("strange", r'No rule says how "aten.cumsum.default" of the layer "cumsum"'),
        ("together", "takes pictures together|mixes pictures"),
        ("tokens", "expand.* mixes pictures with something else"),
        ("choosing", "cannot be taken apart into operators"),
        ("whole", r"it makes torch.int32 of its input"),
    ],
)
def test_what_cannot_be_written_is_told(theirs, weigh, name, said):
    network = theirs(name)
    with (
        alexnet.trusting(network.model),
        pytest.raises(WeightsError, match=f"(?s)({said}).*Choose --to torchscript"),
    ):
        onnx_model(weigh(network), ExportRequest())
