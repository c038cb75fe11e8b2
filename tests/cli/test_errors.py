from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("trian", r'There is no verb "trian"\. Did you mean "train"\? Verbs: train, evaluate, '),
        ("trian --help", r'There is no verb "trian"\. Did you mean "train"\?'),
        ("--jsn", r'alexnet has no option "--jsn"\. Did you mean "--json".*\? See: alexnet --help'),
        ("train", r"train needs SOURCE\. See: alexnet train --help"),
        ("features w s", r"features needs --out\. See: alexnet features --help"),
        (
            "train s --epoch 3",
            r'train has no option "--epoch"\. Did you mean "--epochs"\? See: alexnet train --help',
        ),
        ("train s --quit", r'train has no option "--quit"\. Did you mean "--quiet"\?'),
        ("train s --xyz=3", r'train has no option "--xyz"\. See: '),
        ("train s --epochs ten", r'--epochs must be a whole number; got "ten"\.'),
        ("train s --lr fast", r'--lr must be a number or "auto"; got "fast"\.'),
        ("train s --flip=maybe", r'--flip must be true or false; got "maybe"\.'),
        (
            "train s --resize-mode sqash",
            r'--resize-mode must be "crop", "squash" or "pad"; got "sqash"\. Did you mean "squash"',
        ),
        ("evaluate w s --crops 3", r'--crops must be 1, 5 or 10; got "3"\.'),
        ("train s --epochs", r"--epochs needs a value\."),
        ("train s --epochs 1 --epochs 2", r"--epochs is given twice\. Give it once\."),
        ("train s t", r'train does not know what to do with "t": it has all it takes\.'),
    ],
)
def test_parse_errors(alexnet, words, sentence):
    said = alexnet(*words.split())
    assert (said.code, said.out) == (2, "")
    assert re.match(f"error: {sentence}", said.err), said.err
    assert said.err.count("\n") == 1
