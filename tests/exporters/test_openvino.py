"""OpenVINO: two files that its runtime answers from."""

from __future__ import annotations

import json
import sys

import pytest

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters import ExportRequest, open_openvino, write_openvino
from alexnet.models import build_model

openvino = pytest.importorskip("openvino")


def test_it_answers_as_the_weights_do(held, weigh, sixth_layer, tmp_path):
    local = weigh(build_model("cifar_11pct", classes=3, initialisation="he"))
    found = held(write_openvino, open_openvino, local, "local.xml", gives="logits")
    assert (found.pictures, found.difference < 1e-4) == (4, True)
    about = openvino.Core().read_model(tmp_path / "local.xml").get_rt_info(["alexnet", "classes"])
    assert json.loads(about.astype(str)) == ["class 0", "class 1", "class 2"]

    wishes = {"takes": "numbers", "plain_operators": True}
    found = held(write_openvino, open_openvino, weigh(sixth_layer), "sixth.xml", **wishes)
    assert (found.pictures, found.difference < 1e-4) == (4, True)


def test_half_precision_halves_the_file(held, weigh, tmp_path):
    weights = weigh(build_model("cifar_18pct", classes=3, initialisation="he"))
    for precision, bound in (("fp32", 1e-4), ("fp16", 0.01)):
        wishes = {"precision": precision, "gives": "logits"}
        found = held(write_openvino, open_openvino, weights, f"{precision}.xml", **wishes)
        assert found.difference < bound
    sizes = [(tmp_path / f"{each}.bin").stat().st_size for each in ("fp32", "fp16")]
    assert sizes[1] < 0.55 * sizes[0]


def test_what_it_cannot_do_is_told(tmp_path, weigh, monkeypatch):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match=r"two files, NAME.xml and NAME.bin; net.onnx ends"):
        write_openvino(weights, ExportRequest(), tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(AlexNetError, match=r'need openvino: pip install "alexnet\[export\]"'):
        write_openvino(weights, ExportRequest(), tmp_path / "net.xml")
