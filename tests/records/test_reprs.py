"""A record is a line in a console and a table in a notebook, however much it holds."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from alexnet.evaluation import compute_metrics
from alexnet.records import Interval, Prediction, Predictions, TrainReport
from alexnet.records.curve import draw_curve, read_errors


def results(classes=1000):
    draw = np.random.default_rng(0)
    probabilities = draw.dirichlet(np.ones(classes), size=classes).astype(np.float32)
    names = tuple(f"class {k}" for k in range(classes))
    return compute_metrics(probabilities, np.arange(classes), names, crops=1)


def report(run_dir="gone", **more):
    fields = {"weights": "w", "report": None, "continued": False, "already_finished": False}
    fields |= {"stop_reason": "done", "split": "val", "results": None, "epochs": 3}
    fields |= {"best_epoch": 2, "seconds": 1.0, "images_per_s": 1.0, "peak_memory_mb": None}
    return TrainReport(run_dir=str(run_dir), skipped=0, **{**fields, **more})


def test_a_short_record_is_written_in_full():
    assert repr(Interval(low=0.25, high=0.5)) == "Interval(low=0.25, high=0.5)"
    row = Prediction(path="a.jpg", classes=["ant", "bee"], probabilities=[0.75, 0.25])
    assert "classes=['ant', 'bee'], probabilities=[0.75, 0.25]" in repr(row)


def test_records_with_a_row_for_each_image_or_class_are_short():
    rows = [Prediction(path=f"{i}.jpg", classes=["a"], probabilities=[1.0]) for i in range(5000)]
    for record in (results(), Predictions(predictions=rows, crops=1), report(results=results())):
        assert len(repr(record)) < 1500
        assert len(record._repr_html_()) < 15_000
    assert "<5,000 items>" in repr(Predictions(predictions=rows, crops=1))


def test_a_long_text_is_shown_by_both_ends():
    text = repr(Prediction(path="a" * 9999 + "z"))
    assert len(text) < 300
    assert "z'" in text


def test_a_table_names_classes_and_reasons_and_escapes_them():
    rows = [
        Prediction(path="<b>.jpg", classes=["n01"], probabilities=[0.931]),
        Prediction(path="bad.jpg", error="it is a text & no image"),
        Prediction(path="odd.jpg", classes=["n01"], probabilities=[0.2], rejected=True),
    ]
    html = Predictions(predictions=rows, crops=1, class_words={"n01": "tench"})._repr_html_()
    table = ElementTree.fromstring(html)
    cells = [[cell.text for cell in row] for row in table][1:]
    assert cells[0] == ["<b>.jpg", "tench", "93.1 %"]
    assert cells[1][:2] == ["bad.jpg", "it is a text & no image"]
    assert cells[2][1] == "none of these"


def test_a_training_is_shown_with_its_curve(tmp_path):
    epochs = [
        {"event": "epoch", "epoch": k, "train_error": 1 / k, "val_error": v}
        for k, v in ((1, 0.8), (2, None), (3, 0.4))
    ]
    lines = [json.dumps(each) for each in [{"event": "begin"}, *epochs]]
    (tmp_path / "journal.jsonl").write_text("\n".join([*lines, '{"event": "epo']))
    html = report(tmp_path)._repr_html_()
    svg = ElementTree.fromstring(html[html.index("<svg") :])
    curves = [each.get("points").split() for each in svg if each.tag.endswith("polyline")]
    assert [len(points) for points in curves] == [3, 2]  # training, validation
    y = [float(point.split(",")[1]) for point in curves[0]]
    assert y == sorted(y)  # the error falls, so the line goes down


@pytest.mark.parametrize("journal", [None, "", "[]\n3\n", '{"event": "epoch"}\n', "\0\xff"])
def test_no_curve_without_epochs(tmp_path, journal):
    if journal is not None:
        (tmp_path / "journal.jsonl").write_text(journal)
    assert draw_curve(read_errors(str(tmp_path))) == ""
    assert "<svg" not in report(tmp_path)._repr_html_()
