#!/usr/bin/env bash
# Weights that are not numbers give confident predictions as soon as a network is optimized.
#
# Expected: a filter of NaN makes every prediction NaN, in every program, since ReLU and max pooling pass
#   NaN on as in torch. Who looks for NaN at the end of a network notices broken weights.
# Instead: the same network says NaN in eager torch, and a class with high probability after
#   torch.jit.optimize_for_inference, in OpenVINO and in OpenCV: a ReLU that is fused into the
#   convolution before it makes zero of NaN, and the filter is simply gone. ONNX Runtime passes NaN on
#   through a ReLU and loses it in max pooling.
# Why here: a diverged training, a damaged copy or an untrusted file should end in an error and not in
#   80 % for a class. So this project does not use oneDNN's fused ReLU, and compares an export with
#   the weights before it keeps the file.
# Versions: torch 2.13.0 (CPU), openvino 2026.4.1, opencv-python-headless 4.14.0.94,
#   onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install torch==2.13.0 || exit 2
$install openvino==2026.4.1 opencv-python-headless==4.14.0.94 onnxruntime==1.32.0 onnx==1.23.2 \
    numpy==2.4.6 || exit 2

venv/bin/python -W ignore - <<'PYTHON'
import sys

import cv2
import numpy as np
import onnxruntime
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 8, 5), nn.ReLU(), nn.AvgPool2d(12), nn.Flatten(), nn.Linear(8, 4), nn.Softmax(1)
).eval()
with torch.no_grad():
    network[4].weight.mul_(100)
    network[0].weight[3] = float("nan")
x = torch.rand(1, 3, 16, 16)


def content(*nodes, source, target, constants=()):
    """Return the bytes of an ONNX file of some nodes, from x to y."""
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, source)
    y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, target)
    graph = helper.make_graph(nodes, "graph", [x_info], [y_info], constants)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def by_onnxruntime(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def by_openvino(model, x):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(openvino.Core().read_model(model), "CPU", settings)
    return np.array(compiled(x)[0])


def by_opencv(model, x):
    reader = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    reader.setInput(x)
    return reader.forward()


state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
exported = content(
    helper.make_node("Conv", ["x", "0.weight", "0.bias"], ["conv"], kernel_shape=[5, 5]),
    helper.make_node("Relu", ["conv"], ["relu"]),
    helper.make_node("AveragePool", ["relu"], ["pool"], kernel_shape=[12, 12]),
    helper.make_node("Flatten", ["pool"], ["row"]),
    helper.make_node("Gemm", ["row", "4.weight", "4.bias"], ["logits"], transB=1),
    helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    source=[1, 3, 16, 16],
    target=[1, 4],
    constants=[numpy_helper.from_array(array, name) for name, array in state.items()],
)
with torch.inference_mode():
    optimized = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(network)))
    found = {
        "torch": network(x).numpy(),
        "torch, optimize_for_inference": optimized(x).numpy(),
        "ONNX Runtime": by_onnxruntime(exported, x.numpy()),
        "OpenVINO": by_openvino(exported, x.numpy()),
        "OpenCV": by_opencv(exported, x.numpy()),
    }
honest = {"torch", "ONNX Runtime"}
holds = True
print("a filter of NaN before a ReLU: largest probability of four classes")
for name, probabilities in found.items():
    print(f"  {name:30} {probabilities.max():.1%}")
    holds &= bool(np.isnan(probabilities).all()) == (name in honest)
    holds &= name in honest or probabilities.max() > 0.5

pixels = np.array([[[[np.nan, 1], [1, 1]]]], np.float32)
pool = content(
    helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2]),
    source=[1, 1, 2, 2],
    target=[1, 1, 1, 1],
)
largest = {
    "torch": torch.max_pool2d(torch.from_numpy(pixels), 2).item(),
    "ONNX Runtime": by_onnxruntime(pool, pixels).item(),
}
print("the maximum of NaN, 1, 1 and 1:", *(f"{name} {each}," for name, each in largest.items()))
holds &= bool(np.isnan(largest["torch"])) and largest["ONNX Runtime"] == 1
sys.exit(0 if holds else "changed: other programs pass NaN on now")
PYTHON
