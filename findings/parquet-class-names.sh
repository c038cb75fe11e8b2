#!/usr/bin/env bash
# Hugging Face's load_dataset names the classes of every Parquet file as the first one does.
#
# Expected: each Parquet file that datasets wrote carries the names of its classes. Where a test set lacks a
#   class, its numbers mean other names than those of the training set: load_dataset maps them by name,
#   or refuses, as concatenate_datasets does with the very same two sets.
# Instead: load_dataset takes the names of the first file for all of them, also across splits. The numbers
#   of the others stay and change their meaning: cats of a test set without birds are loaded as
#   birds. Nothing is raised or logged, and an accuracy that is measured on it means nothing.
# Why here: users bring Parquet tables of images from there, training and test in a file each, and compare
#   figures with those measured there. Tables are read by the text of their labels here, and the names
#   of the classes travel with the weights; a table should hold names and not numbers.
# Versions: datasets 5.2.0, huggingface_hub 2.4.0, pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet datasets==5.2.0 \
    huggingface_hub==2.4.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6 || exit 2

export HF_HUB_OFFLINE=1 HF_HOME=$folder/home
venv/bin/python -W ignore - <<'PYTHON'
import sys

import datasets
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, load_dataset

datasets.disable_progress_bars()


def written(file, names):
    """Write two rows of each class; the text column says what each row truly shows."""
    truth = [name for name in names for _ in range(2)]
    features = Features({"truth": Value("string"), "label": ClassLabel(names=names)})
    made = Dataset.from_dict({"truth": truth, "label": truth}, features=features)
    made.to_parquet(file)
    return made


def named(split):
    label = split.features["label"]
    return [(truth, label.int2str(number)) for truth, number in zip(split["truth"], split["label"])]


train = written("train.parquet", ["bird", "cat", "dog"])
test = written("test.parquet", ["cat", "dog"])
holds = True

alone = load_dataset("parquet", data_files={"test": "test.parquet"}, cache_dir="alone")["test"]
print("the test file alone: ", *(f"{truth} as {name}," for truth, name in named(alone)))
holds &= all(truth == name for truth, name in named(alone))

files = {"train": "train.parquet", "test": "test.parquet"}
both = load_dataset("parquet", data_files=files, cache_dir="both")
print("beside a training set:", *(f"{truth} as {name}," for truth, name in named(both["test"])))
holds &= all(truth == name for truth, name in named(both["train"]))
holds &= all(truth != name for truth, name in named(both["test"]))

one = load_dataset("parquet", data_files=list(files.values()), split="train", cache_dir="one")
wrong = sum(truth != name for truth, name in named(one))
print(f"both files as one split: {wrong} of {len(one)} rows under a wrong name")
holds &= wrong == 4

try:
    concatenate_datasets([train, test])
    print("concatenate_datasets of the same two: no error")
    holds = False
except ValueError as error:
    print(f"concatenate_datasets of the same two: ValueError: {str(error)[:60]}...")
sys.exit(0 if holds else "changed: names of classes are kept apart, mapped or refused now")
PYTHON
