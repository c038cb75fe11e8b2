#!/usr/bin/env bash
# torch.onnx.export drops the divisor of an average pooling.
#
# Expected: AvgPool2d(2, divisor_override=1), a sum over windows, is written as a mean and a multiplication, or
#   the export is refused, as it is for what ONNX has no operator for.
# Instead: both exporters write a plain AveragePool. Every output is divided by the size of the window and not
#   by the divisor: a quarter of what the module computes. No error, and no warning that names it.
# Why here: external torch modules are exported with the same call elsewhere, and sums over windows
#   are how energy pooling and local normalization are written in torch. `export --to onnx` writes the graph
#   itself, and multiplies.
# Versions: torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet torch==2.13.0 \
    onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6 || exit 2

venv/bin/python -W ignore - 2>log.txt <<'PYTHON' || { tail -n 3 log.txt >&2; exit 1; }
import sys

import numpy as np
import onnx
import onnxruntime
import torch

x = torch.rand((1, 2, 6, 6), generator=torch.Generator().manual_seed(0)) + 1
holds = True
for divisor in (None, 1, 3):
    module = torch.nn.AvgPool2d(2, divisor_override=divisor).eval()
    wanted = module(x).numpy()
    for dynamo in (True, False):
        torch.onnx.export(module, (x,), "pool.onnx", dynamo=dynamo, verbose=False)
        nodes = [node.op_type for node in onnx.load("pool.onnx").graph.node]
        session = onnxruntime.InferenceSession("pool.onnx", providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        ratio = found / wanted
        print(f"divisor {divisor}, dynamo={dynamo}: {nodes}, {ratio.min():.3f} of what torch gives")
        holds &= bool(np.allclose(ratio, (divisor or 4) / 4, rtol=1e-5))
sys.exit(0 if holds else "changed: the divisor is exported or refused now")
PYTHON
