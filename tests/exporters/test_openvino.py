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


def test_what_it_cannot_do_is_an_error(tmp_path, weigh, monkeypatch):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match=r"two files, NAME.xml and NAME.bin; got net.onnx"):
        write_openvino(weights, ExportRequest(), tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(AlexNetError, match=r'need openvino: pip install "alexnet\[export\]"'):
        write_openvino(weights, ExportRequest(), tmp_path / "net.xml")
