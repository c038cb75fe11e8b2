#!/usr/bin/env bash
# OpenVINO saves weights that half precision cannot hold as 65504, without a word.
#
# Expected: compress_to_fp16 rounds weights to half precision. A number beyond its range becomes infinite,
#   as in NumPy and torch, which the first prediction shows; or the tensor is kept in float32; or
#   somebody says so.
# Instead: each such number is saved as 65504, which is finite and looks plausible. A tensor is
#   kept in float32 only where about three of four of its numbers are beyond the range: one with more
#   large numbers is saved correctly, one with fewer is not. Variances of a BatchNormalization are cut
#   the same way.
# Why here: networks that see bytes, as Caffe's do, have activations in the thousands, and variances and
#   biases to match. `alexnet export --to onnx --precision fp16` refuses what half precision cannot
#   hold; for OpenVINO, which rounds by itself, such numbers have to be looked for before.
# Versions: openvino 2026.4.1, onnx 1.23.2, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6 || exit 2

venv/bin/python - <<'PYTHON'
import os
import sys
import tempfile

import numpy as np
import openvino
from onnx import TensorProto, helper, numpy_helper

holds = True


def saved_and_run(node, constants, x):
    """Save a graph of one node with fp16 weights; return what the file gives, and words said meanwhile."""
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    kept = [numpy_helper.from_array(each, name) for name, each in constants.items()]
    graph = helper.make_graph([node], "graph", [x_info], [y_info], kept)
    opsets = [helper.make_opsetid("", 17)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    with tempfile.TemporaryFile() as said:
        streams = os.dup(1), os.dup(2)
        sys.stdout.flush()
        os.dup2(said.fileno(), 1), os.dup2(said.fileno(), 2)
        try:
            model = openvino.Core().read_model(content)
            openvino.save_model(model, "model.xml", compress_to_fp16=True)
            compiled = openvino.compile_model(
                "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            )
            y = np.array(compiled(x)[0])
        finally:
            sys.stdout.flush()
            os.dup2(streams[0], 1), os.dup2(streams[1], 2)
        said.seek(0)
        return y, len(said.read().split())


def biases(values):
    values = np.array(values, np.float32)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    weights = np.zeros((len(values), 3), np.float32)
    y, words = saved_and_run(node, {"w": weights, "b": values}, np.ones((1, 3), np.float32))
    print(
        f"  biases {values.tolist()} -> {y[0].tolist()}, predicted class {y[0].argmax()}, "
        f"words said: {words}"
    )
    return y[0], words


print("a layer of three or four classes, whose biases alone decide")
with np.errstate(over="ignore"):
    print(f"  70000 in half precision by NumPy: {np.float32(70000).astype(np.float16)}")
y, words = biases([70000, 90000, 1])
holds &= y.tolist() == [65504, 65504, 1] and y.argmax() == 0 and words == 0
y, words = biases([70000, 90000, 80000, 1])
holds &= y.tolist() == [70000, 90000, 80000, 1]

print("a batch normalization of three channels with variance 1e6, 1e5 and 1, input 1000")
node = helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["y"])
variance = np.array([1e6, 1e5, 1], np.float32)
zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
constants = {"scale": ones, "shift": zeros, "mean": zeros, "variance": variance}
y, words = saved_and_run(node, constants, np.full((1, 3, 2, 2), 1000, np.float32))
found, expected = y[0, :, 0, 0], 1000 / np.sqrt(variance + 1e-5)
print("  expected", *(f"{each:.2f}" for each in expected), "found", *(f"{each:.2f}" for each in found))
holds &= bool(np.allclose(found[:2], 1000 / np.sqrt(65504), rtol=1e-3)) and words == 0
holds &= bool(np.isclose(found[2], expected[2], rtol=1e-3))
sys.exit(0 if holds else "changed: OpenVINO saves large weights otherwise now")
PYTHON
