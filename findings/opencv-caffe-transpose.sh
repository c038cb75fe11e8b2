#!/usr/bin/env bash
# OpenCV 4's reader of Caffe takes a fully connected layer's transposed weights as if they were not.
#
# Expected: `inner_product_param { transpose: true }` says that the weights lie as inputs x outputs, and
#   Caffe multiplies accordingly.
# Instead: the field is not looked at. The numbers are taken row by row for outputs x inputs, whatever shape the
#   file gives them: their count is right, so nothing is raised, and every output is another sum.
# Why here: `import` reads the field, and a network that has it is held against OpenCV by people who compare; the two
#   are apart by everything, and OpenCV's is the wrong one.
# Versions: opencv-python-headless 4.14.0.94, numpy 2.4.6; 2026-12-01
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    opencv-python-headless==4.14.0.94 numpy==2.4.6 || exit 2

venv/bin/python - <<'PYTHON'
import sys

import cv2
import numpy as np

INPUTS, OUTPUTS = 5, 3
NETWORK = """
input: "data"
input_dim: [1, 5, 1, 1]
layer { name: "sum" type: "InnerProduct" bottom: "data" top: "sum"
        inner_product_param { num_output: 3 bias_term: false transpose: %s } }
"""


def message(number, content):
    """Return a field of protobuf's that holds bytes; all lengths here are under 128."""
    return bytes([number << 3 & 127 | 2]) + bytes([len(content)]) + content


def model(weights):
    """Return a file of one layer with one array, by the fields of caffe.proto."""
    shape = message(1, bytes(weights.shape))  # BlobShape.dim
    array = message(5, weights.astype("<f4").tobytes()) + message(7, shape)  # BlobProto
    layer = message(1, b"sum") + message(2, b"InnerProduct") + message(7, array)
    return b"\xa2\x06" + bytes([len(layer)]) + layer  # NetParameter.layer, number 100


def forward(transpose, weights):
    text = NETWORK % ("true" if transpose else "false")
    network = cv2.dnn.readNetFromCaffe(
        np.frombuffer(text.encode(), np.uint8), np.frombuffer(model(weights), np.uint8)
    )
    network.setInput(data)
    return network.forward("sum").ravel()


draw = np.random.default_rng(0)
data = draw.normal(size=(1, INPUTS, 1, 1)).astype(np.float32)
weights = draw.normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
wanted = weights @ data.ravel()
plain = np.abs(forward(False, weights) - wanted).max()
transposed = forward(True, np.ascontiguousarray(weights.T))
as_rows = weights.T.reshape(OUTPUTS, INPUTS) @ data.ravel()

print("largest difference of OpenCV's outputs from the layer's")
print(f"  weights as outputs x inputs:                   {plain:.6f}")
print(f"  the same weights transposed, and said to be:   {np.abs(transposed - wanted).max():.6f}")
print(f"  ... from the numbers read row by row:          {np.abs(transposed - as_rows).max():.6f}")
holds = plain < 1e-5 and np.abs(transposed - as_rows).max() < 1e-5
holds &= bool(np.abs(transposed - wanted).max() > 0.1)
sys.exit(0 if holds else "changed: OpenCV reads transpose now")
PYTHON
