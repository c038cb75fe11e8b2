from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rich.console import Console

from alexnet.cli.console.training import render_train
from alexnet.evaluation import compute_metrics
from alexnet.records import TrainReport

RESULTS = compute_metrics(
    np.eye(8)[np.arange(80) % 8], np.arange(80) % 8, [f"c{i}" for i in range(8)]
)
REPORT = TrainReport(
    run_dir="runs/[cats]",
    weights="runs/[cats]/weights.safetensors",
    report="runs/[cats]/report/index.html",
    continued=False,
    already_finished=False,
    stop_reason="10 epochs are done",
    split="val",
    results=RESULTS,
    epochs=10,
    best_epoch=7,
    seconds=3725.0,
    images_per_s=1234.5,
    peak_memory_mb=512.4,
    skipped=0,
)


@pytest.fixture
def printed():
    def printed(**changes):
        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            render_train(dataclasses.replace(REPORT, **changes), console)
        return capture.get()

    return printed


def test_accuracy_comes_first(printed):
    lines = printed(images_per_s=20.0, peak_memory_mb=None).splitlines()
    assert lines == [
        "100.00% accuracy on 80 val images (95 % interval 95.42% to 100.00%, center crop)",
        "100.00% top-5 accuracy",
        (
            "100.00% balanced accuracy (mean over classes); "
            'always the largest class, "c0", would be right on 12.50%'
        ),
        (
            "80 images: the true accuracy on images like these may be anything from 95 to 100 % "
            "(95 % confidence), so a few points of difference say little."
        ),
        "10 epochs, best 7; ended because 10 epochs are done. 20 images/s, 1 h 2 min in all.",
        "weights  runs/[cats]/weights.safetensors",
        "report   runs/[cats]/report/index.html",
    ]


def test_peak_memory(printed):
    assert "1 h 2 min in all, at most 512 MB.\n" in printed()


def test_finished_run(printed):
    assert printed(already_finished=True).startswith("This run is finished; nothing was left to do")


def test_without_held_out_images(printed):
    text = printed(results=None, split=None, report=None, peak_memory_mb=None, seconds=75.0)
    assert text.startswith("No images were held out, so nothing was evaluated.\n")
    assert "1 min 15 s in all.\n" in text
    assert "report " not in text


def test_skipped_images(printed):
    assert "3 images could not be read: see runs/[cats]/skipped.csv" in printed(skipped=3)


def test_figures_of_folds_are_of_cross_validated_images(printed):
    first = printed(split="cross-validation").splitlines()[0]
    assert first.startswith("100.00% accuracy on 80 cross-validated images (95 % interval")
