"""The whole report: what lies in the folder, drawn again from what was saved, bounded in size."""

import csv
import dataclasses
import math

import numpy as np
import pytest

from alexnet.errors import RunError
from alexnet.records import Baseline, Epoch
from alexnet.reporting import add_baselines, redraw_report, write_report
from alexnet.reporting.run import write
from alexnet.reporting.run.examples import choose_examples
from alexnet.reporting.run.saved import load_report_data
from alexnet.reporting.run.write import write_tables

TABLES = {"curves.csv", "confusion.csv", "per_class.csv", "predictions.csv"}
FIGURES = {"curves.png", "confusion.png", "filters.png", "mistakes.png", "correct.png"}


@pytest.fixture
def without_png(monkeypatch):
    """Spare the time that the PNG files take."""
    monkeypatch.setattr(write, "write_figures", lambda *_: [])


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_page_figures_tables_and_report_data_lie_in_the_report_folder(tmp_path, report_data_of):
    page = write_report(tmp_path / "run", report_data_of(n=8), png=True)
    assert page == tmp_path / "run" / "report" / "index.html"
    assert names(page.parent) == {"index.html", "data.npz"} | TABLES | FIGURES
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert all(f'href="{name}"' in text for name in TABLES | FIGURES)


def test_figures_are_written_as_png_only_where_asked_and_kept_up_to_date(tmp_path, report_data_of):
    page = write_report(tmp_path, report_data_of(n=8))
    assert names(page.parent) == {"index.html", "data.npz"} | TABLES
    assert ".png" not in page.read_text().split('class="files"')[1]
    redraw_report(tmp_path, png=True)
    assert names(page.parent) == {"index.html", "data.npz"} | TABLES | FIGURES
    (page.parent / "confusion.png").write_bytes(b"old")
    redraw_report(tmp_path)
    assert (page.parent / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert 'href="confusion.png"' in page.read_text()


def test_drawing_again_gives_the_same_page(tmp_path, report_data_of, epoch_of, without_png):
    nan = float("nan")
    data = report_data_of(
        n=120,
        classes=["<b>", "猫", "n01", "d\ud800"],
        class_words={"n01": "goldfish, Carassius"},
        epochs=[epoch_of(1), epoch_of(2, train_loss=nan, val_error=None, best=False)],
    )
    page = write_report(tmp_path, data)
    first = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    for name in first.keys() - {"data.npz"}:
        (page.parent / name).unlink()
    assert redraw_report(tmp_path) == page
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == first


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match=r"There is no run folder .*nowhere\. Name the folder that"):
        redraw_report(tmp_path / "nowhere")


def test_ten_thousand_images_of_two_hundred_classes_stay_small(
    tmp_path, report_data_of, without_png
):
    data = report_data_of(n=10_000, k=200, accuracy=0.5, side=64, epochs=[])
    page = write_report(tmp_path, data)
    assert page.stat().st_size < 2_000_000
    assert len((page.parent / "predictions.csv").read_text().splitlines()) == 10_001


def test_noisy_large_images_stay_in_their_budget(tmp_path, report_data_of, without_png):
    noise = np.random.default_rng(0).integers(0, 256, (300, 256, 256, 3), dtype=np.uint8)
    data = report_data_of(n=300, k=10, accuracy=0.3, image=lambda i: noise[i], epochs=[])
    page = write_report(tmp_path, data)
    assert page.stat().st_size < 3_500_000
    assert len(load_report_data(page.parent)[1].encoded) < len(choose_examples(data).items())


@pytest.fixture
def table_of(tmp_path, report_data_of):
    """Write the tables of some report data and read one of them with the csv module."""

    def table_of(name, data=None):
        assert name in write_tables(tmp_path, data or report_data_of())
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return table_of


def test_predictions_are_the_report_data_row_by_row(table_of, report_data_of):
    data = report_data_of()
    rows = table_of("predictions.csv", data)
    assert [row["path"] for row in rows] == list(data.paths)
    assert [row["label"] for row in rows] == [data.classes[k] for k in data.labels]
    assert [row["predicted"] for row in rows] == [data.classes[k] for k in data.predicted]
    assert [row["correct"] == "1" for row in rows] == data.correct.tolist()
    for row, predicted, label in zip(
        rows, data.predicted_probability, data.label_probability, strict=True
    ):
        assert float(row["probability"]) == float(predicted)
        assert float(row["label_probability"]) == float(label)


def test_confusion_and_classes_are_the_results(table_of, report_data_of):
    data = report_data_of(class_words={"class 1": "the second, of four"})
    rows = table_of("confusion.csv", data)
    counts = [[int(row[name]) for name in data.classes] for row in rows]
    assert counts == data.results.confusion
    for row, score in zip(table_of("per_class.csv", data), data.results.per_class, strict=True):
        assert (row["class"], int(row["images"])) == (score.name, score.images)
        assert float(row["recall"]) == score.recall
        assert float(row["precision"]) == score.precision
        assert row["words"] == data.class_words.get(score.name, "")


def test_curves_hold_every_figure_and_nothing_where_there_is_none(
    table_of, report_data_of, epoch_of
):
    epochs = [epoch_of(1), epoch_of(2, val_error=None, train_loss=math.nan)]
    rows = table_of("curves.csv", report_data_of(epochs=epochs))
    assert list(rows[0]) == [field.name for field in dataclasses.fields(Epoch)]
    assert float(rows[0]["train_loss"]) == epochs[0].train_loss
    assert (rows[1]["val_error"], rows[1]["train_loss"]) == ("", "")


def test_no_text_is_a_formula_for_a_spreadsheet(table_of, report_data_of):
    names = ["=1+1", "@SUM(A1)", "-cmd", "\tx"]
    paths = [f"+{i}" for i in range(40)]
    data = report_data_of(classes=names, paths=paths, class_words={"-cmd": "=HYPERLINK(1)"})
    for name in ("predictions.csv", "confusion.csv", "per_class.csv"):
        for row in table_of(name, data):
            texts = [*row.keys(), *row.values()]
            assert not any(text.startswith(("=", "+", "@", "\t")) for text in texts)
            assert not any(text.startswith("-") and not _is_number(text) for text in texts)
    assert table_of("predictions.csv", data)[0]["path"] == "'+0"


def test_odd_names_come_back_whole(table_of, report_data_of):
    names = ['say "cheese", please', "two\nlines", "a\rreturn", "шапка 猫"]
    data = report_data_of(classes=names, paths=[f"ф{i}\r.png" for i in range(40)])
    rows = table_of("predictions.csv", data)
    assert [row["label"] for row in rows] == [names[k] for k in data.labels]
    assert rows[3]["path"] == "ф3\r.png"


def test_a_name_that_is_no_text_has_backslashes(table_of, report_data_of):
    rows = table_of("predictions.csv", report_data_of(paths=["caf\udce9.png"] * 40))
    assert rows[0]["path"] == "caf\\udce9.png"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def baselines(data) -> list[dict]:
    results = data.results
    return [
        Baseline(
            name="from scratch", weights=None, results=None, seconds=3.0, remark="It <stood> still."
        ).to_json(),
        Baseline(name="fine-tuned", weights="w", results=results, seconds=75.2).to_json(),
    ]


def test_baselines_stand_first_and_are_saved(report_data_of, tmp_path, without_png):
    data = report_data_of()
    write_report(tmp_path, data)
    page = tmp_path / "report" / "index.html"
    assert 'id="baselines"' not in page.read_text()
    assert add_baselines(tmp_path, baselines(data)) == page
    text = page.read_text()
    assert text.index('id="baselines"') < text.index('id="training"')
    assert "the center crop of each held-out image" in text
    assert "It &lt;stood&gt; still." in text
    assert f"{100 * data.results.top1:.1f}" in text[text.index('id="baselines"') :]
    assert "75\u202fs" in text
    page.unlink()
    redraw_report(tmp_path)
    assert page.read_text() == text


def test_without_a_report_there_is_nothing_to_add_baselines_to(tmp_path):
    with pytest.raises(RunError, match="nothing to draw a report from"):
        add_baselines(tmp_path, [])


def test_a_record_reads_its_own_json(report_data_of):
    records = [Baseline.from_json(each) for each in baselines(report_data_of())]
    assert [each.to_json() for each in records] == baselines(report_data_of())
    assert records[0].results is None
