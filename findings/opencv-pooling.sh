#!/usr/bin/env bash
# OpenCV 4's DNN module reads two attributes of ONNX pooling and acts as if they were not there.
#
# Expected: a reader that cannot do an attribute refuses the file, as this one does for an even LRN window
#   ("supports only positive odd values").
# Instead: AveragePool with count_include_pad = 1 is computed as if it were 0: at each border the mean is
#   of the pixels inside alone, up to four times as large in a corner with windows of 2. MaxPool with
#   dilations gives the maps of an undilated window, which even have another size. Nothing is raised.
#   Zeros by a Pad node before an AveragePool without padding are computed correctly, so that is how
#   a counted padding has to be written for every reader.
# Why here: OpenCV is what many people run a small classifier with. OpenCV 5 computes both, and no longer
#   reads the files of Caffe, for which people stay with 4. Caffe's mean pooling counts its padding,
#   and a spatial response normalization sums with it: a file for every reader has Pad and
#   AveragePool there, and never the attribute.
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
from onnx import TensorProto, helper, numpy_helper

x = np.random.default_rng(0).uniform(1, 2, (1, 4, 9, 9)).astype(np.float32)


def both(*nodes, side, constants=()):
    """Return the output of ONNX Runtime and of OpenCV for a graph from x to y."""
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, side, side])
    graph = helper.make_graph(nodes, "pooling", [x_info], [y_info], constants)
    opsets = [helper.make_opsetid("", 17)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    network = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
    network.setInput(x)
    return session.run(None, {"x": x})[0], network.forward()


def mean_pool(source, kernel, pad, counted):
    return helper.make_node(
        "AveragePool", [source], ["y"], kernel_shape=[kernel] * 2, pads=[pad] * 4,
        count_include_pad=int(counted),
    )


holds = True
for kernel, side in ((3, 9), (2, 10)):
    right, plain = both(mean_pool("x", kernel, 1, False), side=side)
    holds &= bool(np.allclose(plain, right, rtol=1e-4))
    expected, found = both(mean_pool("x", kernel, 1, True), side=side)
    as_uncounted = np.array_equal(found, plain)
    print(
        f"mean of {kernel} x {kernel}, counted padding: up to {(found / expected).max():.2f} times "
        f"too large, same bits as uncounted: {as_uncounted}"
    )
    holds &= as_uncounted and (found / expected).max() > 2
    pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
    padded = helper.make_node("Pad", ["x", "pads"], ["padded"])
    again, found = both(padded, mean_pool("padded", kernel, 0, False), side=side, constants=[pads])
    correct = bool(np.allclose(found, expected, rtol=1e-4) and np.allclose(again, expected))
    print(f"  zeros by a Pad node instead: correct in both: {correct}")
    holds &= correct

node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], dilations=[2, 2])
expected, found = both(node, side=5)
undilated = both(helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3]), side=7)[0]
same = found.shape == undilated.shape and np.array_equal(found, undilated)
print(
    f"maximum with dilation 2: maps of {found.shape[2:]} where the file declares {expected.shape[2:]}, "
    f"same bits as without dilation: {same}"
)
holds &= same
sys.exit(0 if holds else "changed: OpenCV reads these attributes now")
PYTHON
