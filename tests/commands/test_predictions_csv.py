from __future__ import annotations

import csv
import os

from alexnet.commands.predict import write_predictions
from alexnet.records import Prediction

ROWS = [
    Prediction(path="a.png", classes=["bee", "=cat"], probabilities=[0.75, 0.25]),
    Prediction(path="-b.png", classes=["bee"], probabilities=[1 / 3], rejected=True),
    Prediction(path=os.fsdecode(b"caf\xe9.png"), error="it is cut off"),
]


def test_each_place_is_a_pair_of_columns(tmp_path):
    write_predictions(tmp_path / "p.csv", ROWS)
    with (tmp_path / "p.csv").open(newline="", errors="surrogateescape") as file:
        first, second, third = csv.DictReader(file)
    assert list(first) == [
        *("path", "prediction", "error"),
        *("class_1", "probability_1", "class_2", "probability_2"),
    ]
    assert (first["prediction"], first["class_1"], first["probability_1"]) == ("bee", "bee", "0.75")
    assert (second["prediction"], second["probability_1"]) == ("none of these", "0.333333333")
    assert (second["class_2"], second["probability_2"]) == ("", "")
    assert (third["prediction"], third["error"]) == ("", "it is cut off")


def test_nothing_is_a_formula_for_a_spreadsheet(tmp_path):
    write_predictions(tmp_path / "p.csv", ROWS)
    lines = (tmp_path / "p.csv").read_bytes().splitlines()
    assert b",'=cat," in lines[1]
    assert lines[2].startswith(b"'-b.png,")


def test_names_keep_the_bytes_that_they_have_on_disk(tmp_path):
    write_predictions(tmp_path / "p.csv", ROWS)
    assert b"\ncaf\xe9.png," in (tmp_path / "p.csv").read_bytes()


def test_no_rows_are_a_head(tmp_path):
    write_predictions(tmp_path / "p.csv", [])
    assert (tmp_path / "p.csv").read_bytes() == b"path,prediction,error\r\n"
