#!/usr/bin/env bash
# ONNX's reference evaluator normalizes as many channels as there are images in the batch.
#
# Expected: onnx.reference is the yardstick of the format. Where a runtime and the yardstick disagree on
#   an operator as old as LRN, the runtime is wrong; and what an image becomes does not depend on the
#   other images of its batch.
# Instead: sums of squares are taken for the first N channels, where N is the number of images. Every
#   later channel is divided by bias ** beta alone. One image through a layer of 96 channels has one
#   channel normalized; the same image among others has more; more images than channels are an
#   IndexError. The format's own tests of LRN have 5 images of 5 channels, which hides it.
# Why here: LRN is what distinguishes the network of 2012, and each reading of it has to be verified
#   against something. A test against the reference evaluator fails for correct exports, and who
#   debugs an export with it blames the file. Exports are verified against ONNX Runtime, OpenVINO and
#   a formula instead.
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 || exit 2

venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

SIZE, ALPHA, BETA, K = 5, 0.5, 0.75, 2.0
CHANNELS = 16

shape = ["N", CHANNELS, 6, 6]
node = helper.make_node("LRN", ["x"], ["y"], size=SIZE, alpha=ALPHA, beta=BETA, bias=K)
x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
y_info = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
graph = helper.make_graph([node], "lrn", [x_info], [y_info])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
runtime = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)
reference = ReferenceEvaluator(model)


def formula(x):
    reach = SIZE // 2
    windows = [x[:, max(0, c - reach) : c + reach + 1] for c in range(x.shape[1])]
    sums = np.stack([(each**2).sum(1) for each in windows], 1)
    return x / (K + ALPHA / SIZE * sums) ** BETA


def correct_channels(y, expected):
    close = np.isclose(y, expected, rtol=1e-4)
    return int(close.all(axis=(0, 2, 3)).sum())


images = np.random.default_rng(0).uniform(1, 3, (CHANNELS + 1, CHANNELS, 6, 6)).astype(np.float32)
holds = True
print(f"channels of {CHANNELS} that agree with the formula")
for count in (1, 4, CHANNELS):
    x = images[:count]
    by_runtime = correct_channels(runtime.run(None, {"x": x})[0], formula(x))
    y = reference.run(None, {"x": x})[0]
    by_reference = correct_channels(y, formula(x))
    holds &= by_runtime == CHANNELS and by_reference == count
    print(f"  {count:2} images: ONNX Runtime {by_runtime:2}, reference evaluator {by_reference:2}")

alone = reference.run(None, {"x": images[:1]})[0][0]
among = reference.run(None, {"x": images[:CHANNELS]})[0][0]
ratio = float((alone / among).max())
print(f"the first image alone and among {CHANNELS}: up to {ratio:.1f} times apart")
holds &= ratio > 1.5

try:
    reference.run(None, {"x": images})
    print(f"{CHANNELS + 1} images: no error")
    holds = False
except IndexError as error:
    print(f"{CHANNELS + 1} images: IndexError: {error}")
sys.exit(0 if holds else "changed: the reference evaluator normalizes otherwise now")
PYTHON
