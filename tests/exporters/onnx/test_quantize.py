"""int8: ranges observed on images, rounding in the graph, nearly the same predictions."""

from __future__ import annotations

import sys

import onnx
import pytest

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters import open_onnx, open_openvino, write_onnx, write_openvino
from alexnet.exporters.compare import synthetic_images
from alexnet.models import build_model


def calibration(side: int, *counts: int):
    return lambda: (synthetic_images(side, count) for count in counts)


@pytest.mark.parametrize("input_type", ["image", "tensor"])
def test_it_predicts_nearly_as_the_weights_do(write_and_compare, weigh, tmp_path, input_type):
    weights = weigh(build_model("alexnet_small", classes=3, initialization="he"))
    options = {"input_type": input_type, "precision": "int8", "calibration": calibration(64, 3, 2)}
    found = write_and_compare(write_onnx, open_onnx, weights, "int8.onnx", **options)
    assert (found.images, found.probability_shift < 0.1) == (4, True)
    write_and_compare(write_onnx, open_onnx, weights, "fp32.onnx")
    sizes = [(tmp_path / f"{each}.onnx").stat().st_size for each in ("fp32", "int8")]
    assert sizes[1] < 0.27 * sizes[0]
    model = onnx.load(tmp_path / "int8.onnx")
    about = {each.key: each.value for each in model.metadata_props}
    assert (about["precision"], about["digest"]) == ("int8", weights.digest)
    kinds = {each.name: each.data_type for each in model.graph.initializer}
    assert kinds["conv3.weight_quantized"] == onnx.TensorProto.INT8


def test_normalizations_stay_as_they_are(write_and_compare, weigh, tmp_path):
    weights = weigh(build_model("cifar_11pct", classes=3, initialization="he"))
    options = {"precision": "int8", "calibration": calibration(32, 6), "plain_operators": True}
    found = write_and_compare(write_onnx, open_onnx, weights, "int8.onnx", **options)
    assert found.probability_shift < 0.1
    numbers = [each.name for each in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    assert "norm1/band" in numbers
    assert "conv1.weight_quantized" in numbers


def test_openvino_reads_it(write_and_compare, weigh):
    weights = weigh(build_model("cifar_26pct", classes=3, initialization="he"))
    options = {"precision": "int8", "calibration": calibration(32, 6)}
    found = write_and_compare(write_openvino, open_openvino, weights, "int8.xml", **options)
    assert (found.images, found.probability_shift < 0.1) == (4, True)


def test_it_needs_images_and_a_package(write_and_compare, weigh, monkeypatch):
    weights = weigh(build_model("mlp", classes=3))
    with pytest.raises(WeightsError, match=r"int8 needs images .* with --calibrate SOURCE"):
        write_and_compare(write_onnx, open_onnx, weights, precision="int8")
    with pytest.raises(WeightsError, match="There is no image to observe the ranges"):
        write_and_compare(
            write_onnx, open_onnx, weights, precision="int8", calibration=lambda: iter(())
        )
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AlexNetError, match=r'ONNX Runtime: pip install "alexnet\[export\]"'):
        write_and_compare(
            write_onnx, open_onnx, weights, precision="int8", calibration=calibration(32, 1)
        )
