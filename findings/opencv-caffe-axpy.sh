#!/usr/bin/env bash
# OpenCV 4's reader of Caffe multiplies the wrong input of an Axpy layer, and says nothing.
#
# Expected: Axpy with the inputs a, x and y gives a * x + y, a one number for each channel: that is its name
#   in linear algebra, and what the layer computes with which SE-ResNets were trained and published.
# Instead: a * y + x. The scale that a squeeze-and-excitation block has computed goes to the shortcut, and not
#   to the residual that it was computed from. Sizes are the same both ways, so nothing is raised.
# Why here: OpenCV 4 is what is left of Caffe's readers, and people compare with it. The importer of Caffe's
#   files computes a * x + y; who compares an SE network finds two programs apart, and this is why.
# Versions: opencv-python-headless 4.14.0.94, numpy 2.4.6; 2026-11-30
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

NETWORK = """
input: "shortcut"
input_dim: [1, 3, 6, 6]
layer { name: "residual" type: "Power" bottom: "shortcut" top: "residual"
        power_param { scale: 2 shift: 1 } }
layer { name: "scale" type: "Pooling" bottom: "shortcut" top: "scale"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "sum" type: "Axpy" bottom: "scale" bottom: "residual" bottom: "shortcut" top: "sum" }
"""

shortcut = np.random.default_rng(0).uniform(-2, 2, (1, 3, 6, 6)).astype(np.float32)
residual = 2 * shortcut + 1
scale = shortcut.mean((2, 3), keepdims=True)
network = cv2.dnn.readNetFromCaffe(np.frombuffer(NETWORK.encode(), np.uint8))
network.setInput(shortcut)
parts = dict(zip(("scale", "residual"), network.forward(["scale", "residual"]), strict=True))
assert np.allclose(parts["scale"], scale, atol=1e-5)
assert np.allclose(parts["residual"], residual, atol=1e-5)
network.setInput(shortcut)
found = network.forward("sum")

print("largest difference of Axpy(scale, residual, shortcut) from")
differences = {}
for name, wanted in (
    ("scale * residual + shortcut", scale * residual + shortcut),
    ("scale * shortcut + residual", scale * shortcut + residual),
):
    differences[name] = float(np.abs(found - wanted).max())
    print(f"  {name}: {differences[name]:.6f}")
first, second = differences.values()
sys.exit(0 if first > 0.1 and second < 1e-4 else "changed: OpenCV multiplies the second input now")
PYTHON
