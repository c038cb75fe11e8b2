from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rich.console import Console

from alexnet.cli.console.training import render_train
from alexnet.evaluation import measure
from alexnet.records import TrainReport

RESULTS = measure(np.eye(8)[np.arange(80) % 8], np.arange(80) % 8, [f"c{i}" for i in range(8)])
REPORT = TrainReport(
    run="runs/[cats]",
    weights="runs/[cats]/weights.safetensors",
    report="runs/[cats]/report/index.html",
    continued=False,
    already_finished=False,
    ended="10 epochs are done",
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


def test_the_figure_comes_first_then_where_everything_lies(printed):
    lines = printed(images_per_s=20.0, peak_memory_mb=None).splitlines()
    assert lines == [
        "100.00% right on 80 val pictures (95 % interval 95.42% to 100.00%, one centre crop)",
        "100.00% have the right class among the first five",
        "10 epochs, best 7; ended because 10 epochs are done. 20 images/s, 1 h 2 min in all.",
        "weights  runs/[cats]/weights.safetensors",
        "report   runs/[cats]/report/index.html",
    ]


def test_memory_is_said_where_it_is_known(printed):
    assert "1 h 2 min in all, at most 512 MB.\n" in printed()


def test_a_finished_run_says_so(printed):
    assert printed(already_finished=True).startswith("This run is finished; nothing was left to do")


def test_without_held_out_pictures_nothing_was_measured(printed):
    text = printed(results=None, split=None, report=None, peak_memory_mb=None, seconds=75.0)
    assert text.startswith("No pictures were held out, so nothing was measured.\n")
    assert "1 min 15 s in all.\n" in text
    assert "report " not in text


def test_skipped_pictures_are_counted(printed):
    assert "3 pictures could not be read: see runs/[cats]/skipped.csv" in printed(skipped=3)
