#!/usr/bin/env bash
# Hugging Face's imagefolder takes the class "bullet train" for a split and drops all other classes.
#
# Expected: a folder of one folder for each class, without folders for splits, is one split of all images,
#   each with a label from its folder's name.
# Instead: words in the names of class folders are read as names of splits. If one class is called
#   "bullet train", "test tube" or "dev board", its images become the split train, test or validation,
#   and the images of every other class are left out. Since one folder is left, no label is made
#   either. Nothing is said; ImageNet has a class of that name. "testtube" and "trainer" are safe: the
#   word has to stand alone between spaces, hyphens or underscores.
# Why here: a folder for each class is the first thing that this project reads, and the same folder is
#   what users compare it on. Only whole names (train, val, validation, test) count as splits here,
#   and class folders beside them are an error with both readings.
# Versions: datasets 5.2.0, huggingface_hub 2.4.0, pyarrow 26.0.1, pandas 3.1.1, pillow 13.0.0,
#   numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet datasets==5.2.0 \
    huggingface_hub==2.4.0 pyarrow==26.0.1 pandas==3.1.1 pillow==13.0.0 numpy==2.4.6 || exit 2

export HF_HUB_OFFLINE=1 HF_HOME=$folder/home
venv/bin/python -W ignore - <<'PYTHON'
import sys
from pathlib import Path

import datasets
import numpy as np
from PIL import Image

datasets.disable_progress_bars()
EACH = 5  # images of each class
SETS = {
    ("tram", "steam locomotive", "freight car"): ("train", 3),
    ("tram", "bullet train", "freight car"): ("train", 1),
    ("beaker", "test tube", "petri dish"): ("test", 1),
    ("server", "dev_board", "laptop"): ("validation", 1),
    ("crash-test dummy", "mannequin"): ("test", 1),
    ("beaker", "testtube", "trainer"): ("train", 3),
}

holds = True
for number, (classes, (split, kept)) in enumerate(SETS.items()):
    root = Path(f"set{number}")
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(EACH):
            pixels = np.full((8, 8, 3), 40 * label + i, np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:04}.png")
    found = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=f"cache{number}")
    (only,) = found
    labels = getattr(found[only].features.get("label"), "names", "no label")
    print(f"{len(classes) * EACH} images of {list(classes)}:")
    print(f"  {found[only].num_rows} in split {only}, {labels}")
    holds &= only == split and found[only].num_rows == kept * EACH
    holds &= (labels == "no label") == (kept == 1)
sys.exit(0 if holds else "changed: names of classes are no names of splits any more")
PYTHON
