#!/usr/bin/env bash
# A fold whose held-out images are all right is calibrated to certainty, and votes instead of doubting.
#
# Expected: CalibratedClassifierCV(method="temperature") finds one temperature for each fold; on few images
#   the folds of one set get temperatures of one size, as method="sigmoid" does, whose targets are
#   (N + 1) / (N + 2) and 1 / (N + 2) after Platt, so that no number of right images means certainty.
# Instead: targets are 1 and 0. Where a classifier is right on all images of its fold, the loss falls with
#   every larger scale, and the search stops where rounding stops it: logits are multiplied by 196 beside
#   1.7 and 1.9 for the other two folds of 150 handwritten digits. That fold then gives 0 or 1 for digits
#   that it never saw, also for digits of no class that it knows, and the mean of the folds carries a third
#   of certainty. Accuracy says nothing of it.
# Why here: heads on some dozens of images of each class are right on whole folds as a rule, and
#   probabilities decide what `predict --reject-below` lets through. Temperatures here have Platt's targets.
# Versions: scikit-learn 1.9.1, numpy 2.4.6; 2026-12-01
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install numpy==2.4.6 scikit-learn==1.9.1 || exit 2

cat >digits.py <<'PYTHON'
import sys

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

images, labels = load_digits(return_X_y=True)
images = images / 16
known = np.concatenate([np.flatnonzero(labels == digit)[:30] for digit in range(5)])
strangers = images[labels >= 5]
model = LogisticRegression(max_iter=2000)


def fitted(method):
    return CalibratedClassifierCV(model, method=method, cv=3).fit(images[known], labels[known])


tempered = fitted("temperature").calibrated_classifiers_
scales = [float(fold.calibrators[0].beta_) for fold in tempered]
certain = [float((fold.predict_proba(strangers).max(axis=1) > 0.9999).mean()) for fold in tempered]
for scale, share in zip(scales, certain):
    print(f"  temperature: logits times {scale:6.1f}, certain of {share:.0%} of digits it does not know")
platt = fitted("sigmoid").calibrated_classifiers_
shares = [float((fold.predict_proba(strangers).max(axis=1) > 0.9999).mean()) for fold in platt]
print(f"  sigmoid:     certain of at most {max(shares):.0%} of them in any fold")
holds = max(scales) > 20 * np.median(scales) and max(certain) > 0.9 and max(shares) == 0
sys.exit(0 if holds else "changed: folds that are all right are not taken for certainty any more")
PYTHON
echo "150 handwritten digits of five kinds, three folds"
venv/bin/python -W ignore digits.py
