#!/usr/bin/env bash
# safetensors saves the coefficients of scikit-learn's classifiers in scrambled order.
#
# Expected: load(save(arrays)) gives the arrays back, or save refuses what it cannot write: safetensors.torch
#   raises ValueError for a tensor that is not contiguous.
# Instead: safetensors.numpy writes the memory of an array as it lies under the shape that the array has.
#   What lies column by column (Fortran order) comes back with the right name, shape and type, and
#   with its numbers in other places. That is how scikit-learn hands out coef_ of LogisticRegression
#   and LinearSVC for several classes, and what .T makes of any matrix: a classifier that is right for
#   97 % of its images is right for one in ten once it was saved and loaded.
# Why here: classic classifiers on features are kept as safetensors instead of pickle, and weights
#   of other programs are transposed on their way. Every array is made contiguous here before it is
#   stored.
# Versions: safetensors 0.8.0, scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet \
    safetensors==0.8.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 || exit 2

venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
from safetensors.numpy import load, save
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC


def stored(array):
    return load(save({"weight": array}))["weight"]


holds = True
kernel = np.arange(5 * 5 * 3 * 8, dtype=np.float32).reshape(5, 5, 3, 8)
for name, array in {
    "as NumPy makes them": kernel,
    "transposed to (outputs, inputs, H, W)": kernel.transpose(3, 2, 0, 1),
    "the same, made contiguous": np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)),
}.items():
    back = stored(array)
    equal = np.array_equal(back, array)
    print(f"weights {name}: shape kept {back.shape == array.shape}, numbers kept {equal}")
    holds &= back.shape == array.shape and equal == array.flags.c_contiguous

images, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(images / 16, labels, stratify=labels, random_state=0)
for model in (LogisticRegression(max_iter=500), LinearSVC(random_state=0)):
    model.fit(x, y)
    before = model.score(x_test, y_test)
    model.coef_ = stored(model.coef_)
    after = model.score(x_test, y_test)
    print(f"{type(model).__name__} on digits: accuracy {before:.1%}, saved and loaded {after:.1%}")
    holds &= before > 0.9 and after < 0.3
sys.exit(0 if holds else "changed: arrays in other orders are kept, or coefficients lie otherwise")
PYTHON
