import csv
import dataclasses
import math

import pytest

from alexnet.records import Epoch
from alexnet.reporting.run.write import write_tables


@pytest.fixture
def table_of(tmp_path, evidence_of):
    """Write the tables of some evidence and read one of them with the csv module."""

    def table_of(name, evidence=None):
        assert name in write_tables(tmp_path, evidence or evidence_of())
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return table_of


def test_predictions_are_the_evidence_row_by_row(table_of, evidence_of):
    evidence = evidence_of()
    rows = table_of("predictions.csv", evidence)
    assert [row["path"] for row in rows] == list(evidence.paths)
    assert [row["true"] for row in rows] == [evidence.classes[k] for k in evidence.labels]
    assert [row["answered"] for row in rows] == [evidence.classes[k] for k in evidence.answered]
    assert [row["right"] == "1" for row in rows] == evidence.right.tolist()
    for row, answer, truth in zip(
        rows, evidence.answered_probability, evidence.true_probability, strict=True
    ):
        assert float(row["probability"]) == float(answer)
        assert float(row["probability_of_true"]) == float(truth)


def test_confusion_and_classes_are_the_results(table_of, evidence_of):
    evidence = evidence_of(class_words={"class 1": "the second, of four"})
    rows = table_of("confusion.csv", evidence)
    counts = [[int(row[name]) for name in evidence.classes] for row in rows]
    assert counts == evidence.results.confusion
    for row, score in zip(
        table_of("per_class.csv", evidence), evidence.results.per_class, strict=True
    ):
        assert (row["class"], int(row["images"])) == (score.name, score.images)
        assert float(row["recall"]) == score.recall
        assert float(row["precision"]) == score.precision
        assert row["words"] == evidence.class_words.get(score.name, "")


def test_curves_hold_every_figure_and_nothing_where_there_is_none(table_of, evidence_of, epoch_of):
    epochs = [epoch_of(1), epoch_of(2, val_error=None, train_loss=math.nan)]
    rows = table_of("curves.csv", evidence_of(epochs=epochs))
    assert list(rows[0]) == [field.name for field in dataclasses.fields(Epoch)]
    assert float(rows[0]["train_loss"]) == epochs[0].train_loss
    assert (rows[1]["val_error"], rows[1]["train_loss"]) == ("", "")


def test_no_text_is_a_formula_for_a_spreadsheet(table_of, evidence_of):
    names = ["=1+1", "@SUM(A1)", "-cmd", "\tx"]
    paths = [f"+{i}" for i in range(40)]
    evidence = evidence_of(classes=names, paths=paths, class_words={"-cmd": "=HYPERLINK(1)"})
    for name in ("predictions.csv", "confusion.csv", "per_class.csv"):
        for row in table_of(name, evidence):
            texts = [*row.keys(), *row.values()]
            assert not any(text.startswith(("=", "+", "@", "\t")) for text in texts)
            assert not any(text.startswith("-") and not _is_number(text) for text in texts)
    assert table_of("predictions.csv", evidence)[0]["path"] == "'+0"


def test_odd_names_come_back_whole(table_of, evidence_of):
    names = ['say "cheese", please', "two\nlines", "a\rreturn", "шапка 猫"]
    evidence = evidence_of(classes=names, paths=[f"ф{i}\r.png" for i in range(40)])
    rows = table_of("predictions.csv", evidence)
    assert [row["true"] for row in rows] == [names[k] for k in evidence.labels]
    assert rows[3]["path"] == "ф3\r.png"


def test_a_name_that_is_no_text_has_backslashes(table_of, evidence_of):
    rows = table_of("predictions.csv", evidence_of(paths=["caf\udce9.png"] * 40))
    assert rows[0]["path"] == "caf\\udce9.png"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
