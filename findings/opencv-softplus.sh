#!/usr/bin/env bash
# Softplus of OpenCV's DNN module is infinite from 89 on.
#
# Expected: log(1 + exp(x)) is x itself, to the last bit, for every x above 17 or so. ONNX Runtime and torch
#   give that; the functions beside it in OpenCV that are built on exp (sigmoid, tanh, Mish) hold for any number.
# Instead: exp overflows at 88.8 in float32 and the result is inf. What follows turns it to nan, or to a
#   confident class. Nothing is raised, and small activations, which most tests have, are correct.
# Why here: cuda-convnet's neurons (softrelu) and Caffe's layers (BNLL) have it, SVM heads need it for their
#   probabilities, and what comes out of a few layers without normalization passes 89. In exported ONNX files
#   it is written as ReLU(x) + log(1 + exp(-|x|)), and not as the operator.
# Versions: opencv-python-headless 4.14.0.94, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    opencv-python-headless==4.14.0.94 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 || exit 2

venv/bin/python - <<'PYTHON'
import sys

import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

x = np.array([-100, 0, 50, 88, 89, 100, 1000], np.float32).reshape(1, 1, 1, -1)


def both(operator):
    """Return the output of ONNX Runtime and of OpenCV for one operator."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    node = helper.make_node(operator, ["x"], ["y"])
    graph = helper.make_graph([node], "one", [infos[0]], [infos[1]])
    opsets = [helper.make_opsetid("", 18)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    network.setInput(x)
    return session.run(None, {"x": x})[0].ravel(), network.forward().ravel()


holds = True
print(f"{'x':26}", *(f"{number:7g}" for number in x.ravel()))
for operator in ("Softplus", "Sigmoid", "Tanh", "Mish"):
    expected, found = both(operator)
    print(f"{operator:9} ONNX Runtime    ", *(f"{number:7.3g}" for number in expected))
    print(f"{'':9} OpenCV          ", *(f"{number:7.3g}" for number in found))
    finite = operator != "Softplus" or x.ravel() < 88.8
    holds &= bool(np.isfinite(expected).all())
    holds &= bool(np.array_equal(np.isfinite(found), np.broadcast_to(finite, found.shape)))
    holds &= bool(np.allclose(found[np.isfinite(found)], expected[np.isfinite(found)], atol=1e-4))
sys.exit(0 if holds else "changed: OpenCV's Softplus holds for large numbers now")
PYTHON
