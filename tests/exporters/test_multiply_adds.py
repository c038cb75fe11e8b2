"""The share of multiply-adds on 8 bits, of files whose products are counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from alexnet.exporters import ExportRequest, write_onnx, write_openvino
from alexnet.exporters.compare import synthetic_images
from alexnet.exporters.multiply_adds import onnx_quantized_share, openvino_quantized_share
from alexnet.models import HeadedNetwork, build_model, make_head
from alexnet.models.summary import summarize_network
from alexnet.nn import ResponseNorm

onnx = pytest.importorskip("onnx")


def hand_made(quantized: set[str]):
    """Make two grouped convolutions, a product of matrices and a Gemm, some between 8 bits."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    draw = np.random.default_rng(0)
    nodes, tensors = [], []

    def eight_bits(name: str) -> str:
        for operator, output in (
            ("QuantizeLinear", f"{name}_q"),
            ("DequantizeLinear", f"{name}_d"),
        ):
            inputs = [name if operator == "QuantizeLinear" else f"{name}_q", "scale", "zero"]
            nodes.append(helper.make_node(operator, inputs, [output]))
        return f"{name}_d"

    def product(operator: str, x: str, name: str, shape: tuple[int, ...], **more: object) -> str:
        tensors.append(numbers.from_array(draw.normal(size=shape).astype(np.float32), f"{name}.w"))
        inputs = [x, f"{name}.w"]
        if name in quantized:
            inputs = [eight_bits(each) for each in inputs]
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **more))
        return name

    tensors.append(numbers.from_array(np.float32(0.1), "scale"))
    tensors.append(numbers.from_array(np.int8(0), "zero"))
    x = product("Conv", "x", "grouped", (12, 2, 3, 3), group=2)  # (12, 4, 4), 18 each: 3,456
    x = product("Conv", x, "depthwise", (12, 1, 3, 3), group=12, strides=[2, 2])  # (12, 1, 1): 108
    nodes.append(helper.make_node("Reshape", [x, "shape"], ["rows"]))
    tensors.append(numbers.from_array(np.array([0, 2, 6], dtype=np.int64), "shape"))
    x = product("MatMul", "rows", "product", (6, 20))  # (2, 20), 6 each: 240
    nodes.append(helper.make_node("Flatten", [x], ["flat"], axis=1))
    x = product("Gemm", "flat", "fc", (3, 40), transB=1)  # (3), 40 each: 120
    graph = helper.make_graph(
        nodes,
        "by hand",
        [helper.make_tensor_value_info("x", 1, ["N", 4, 6, 6])],
        [helper.make_tensor_value_info(x, 1, ["N", 3])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


COUNTS = {"grouped": 3456, "depthwise": 108, "product": 240, "fc": 120}


@pytest.mark.parametrize(
    "quantized", [set(), {"grouped"}, {"depthwise", "fc"}, {"product"}, set(COUNTS)]
)
def test_the_share_is_that_of_the_products_counted_by_hand(tmp_path, quantized):
    onnx.save(hand_made(quantized), tmp_path / "net.onnx")
    wanted = sum(COUNTS[name] for name in quantized) / sum(COUNTS.values())
    assert onnx_quantized_share(tmp_path / "net.onnx") == pytest.approx(wanted)
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().read_model(tmp_path / "net.onnx")
    openvino.save_model(model, tmp_path / "net.xml", compress_to_fp16=False)
    assert openvino_quantized_share(tmp_path / "net.xml") == pytest.approx(wanted)


def int8(side: int, **more) -> ExportRequest:
    return ExportRequest(
        precision="int8", calibration=lambda: iter([synthetic_images(side, 4)]), **more
    )


def summary_shapes(network):
    return ((layer.name, layer.output) for layer in summarize_network(network).layers)


def shares(weights, request, folder) -> list[float]:
    write_onnx(weights, request, folder / "net.onnx")
    found = [onnx_quantized_share(folder / "net.onnx")]
    pytest.importorskip("openvino")
    write_openvino(weights, request, folder / "net.xml")
    return [*found, openvino_quantized_share(folder / "net.xml")]


@pytest.mark.parametrize("name", ["cifar_11pct", "cifar_18pct", "mlp"])
def test_every_product_of_our_networks_is_quantized(weigh, tmp_path, name):
    weights = weigh(build_model(name, classes=3, initialization="he"))
    assert shares(weights, int8(weights.preprocessing.image_px), tmp_path) == [1.0, 1.0]


def test_sums_of_a_normalization_that_is_written_out_stay_in_float32(weigh, tmp_path):
    """They are products too, and the share says that these are on 32 bits."""
    network = build_model("cifar_11pct", classes=3, initialization="he")
    weights = weigh(network)
    side = weights.preprocessing.image_px
    outputs = dict(summary_shapes(network))
    products, bands = summarize_network(network).multiply_adds, 0
    for name, layer in network.named_children():
        if isinstance(layer, ResponseNorm):
            channels, rows, columns = outputs[name]
            bands += channels * (channels // layer.towers) * rows * columns
    wanted = products / (products + bands)
    assert 0.5 < wanted < 0.99
    found = shares(weights, int8(side, plain_operators=True), tmp_path)
    assert found == pytest.approx([wanted] * 2)


def test_a_head_stays_in_float32(weigh, tmp_path):
    body = build_model("cifar_26pct", classes=3, initialization="he")
    layer = body.features_layer
    features = math.prod(dict(summary_shapes(body))[layer])
    settings = {"kind": "logistic", "layer": layer, "features": features, "classes": 3}
    head = make_head(settings)
    halves = {name: torch.full(tensor.shape, 0.5) for name, tensor in head.state_dict().items()}
    head.load_state_dict(halves, assign=True)
    weights = weigh(HeadedNetwork(body, head))
    products = summarize_network(body).multiply_adds - 3 * features  # without its own last layer
    wanted = products / (products + 3 * features)
    found = shares(weights, int8(weights.preprocessing.image_px), tmp_path)
    assert found == pytest.approx([wanted] * 2)
