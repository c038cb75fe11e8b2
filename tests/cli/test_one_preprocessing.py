"""Preprocessing is one: training's validation, `evaluate` and `predict` see the same numbers.

Pictures of every format and mode, of odd sizes, in batches that are not full.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet import evaluate, pack, predict, train
from alexnet.evaluation import BATCH
from alexnet.records import Results

COUNTS = {"train": 24, "val": 70}  # of each class; the validation is more than a batch of 128


def picture(draw: np.random.Generator, warm: bool, number: int) -> tuple[str, bytes]:
    """One picture file, its suffix and bytes: format, mode, size and turn go by the number."""
    height, width = (int(each) for each in draw.integers(19, 150, 2))
    if number % 10 == 9:
        height, width = 4 * height + 200, 4 * width + 200  # decoded at a part of its size
    tint = np.array([190, 120, 60] if warm else [60, 110, 180])
    noise = draw.normal(0, 45, (height, width, 3))
    image = Image.fromarray((tint + noise).clip(0, 255).astype(np.uint8))
    kind, options = "PNG", {}
    match number % 12:
        case 0 | 9:
            kind = "JPEG"
        case 1:
            kind, exif = "JPEG", Image.Exif()
            exif[0x0112] = 1 + number % 8
            options["exif"] = exif
        case 2:
            kind, image = "JPEG", image.convert("CMYK")
        case 3:
            kind, image = "JPEG", image.convert("L")
        case 4:
            image = image.quantize(32)
        case 5:
            image.putalpha(Image.fromarray(draw.integers(0, 256, (height, width), dtype=np.uint8)))
        case 6:
            grey = draw.integers(0, 65536, (height, width), dtype=np.uint16)
            image = Image.fromarray(grey)
        case 7:
            kind = "GIF"
            options = {"save_all": True, "append_images": [image.rotate(90)]}
        case 8:
            kind = "BMP"
        case 10:
            kind = "TIFF"
        case _:
            kind, options = "WEBP", {"quality": 60}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return kind.lower(), file.getvalue()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """train and val of two classes; names say nothing true of the format."""
    folder = tmp_path_factory.mktemp("odd") / "pictures"
    draw = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for warm, name in enumerate(("cold", "warm")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                suffix, data = picture(draw, bool(warm), number)
                shown = suffix if number % 2 else "jpg"
                (folder / split / name / f"{number}.{shown}").write_bytes(data)
    return folder


def validated(run: Path) -> tuple[float, float]:
    """Accuracy and loss that the training itself measured when it kept these weights."""
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    best = [line for line in lines if line.get("best")][-1]
    return 1 - best["val_error"], best["val_loss"]


def report_of(run: Path) -> dict[str, tuple[str, float]]:
    """Answer and probability of each picture, as the run's own report lists them."""
    with (run / "report" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["path"]: (row["answered"], float(row["probability"])) for row in rows}


def check_all_agree(run: Path, source: Path, named: list[Path], truth: list[str]) -> Results:
    """Hold training, `evaluate` and `predict` against each other, digit by digit."""
    found = evaluate(run, source)
    assert (found.top1, found.loss) == validated(run)
    kept = json.loads((run / "results.json").read_text())["results"]
    assert {**found.to_json(), "unreadable": []} == {**kept, "unreadable": []}
    rows = predict(run, *named).predictions
    right = [row.classes[0] == name for row, name in zip(rows, truth, strict=True)]
    assert sum(right) / len(right) == found.top1
    return found


CIFAR = {"model": "cifar_11pct", "mean": "central", "initialisation": "he", "lr": 0.002}
SMALL = {"model": "alexnet_small", "mean": "channel", "standardise": True, "lr": 0.01}


@pytest.mark.parametrize(
    ("fit", "changes"),
    [("crop", CIFAR), ("squash", SMALL), ("pad", CIFAR)],
    ids=["crop", "squash", "pad"],
)
def test_every_format_and_size(pictures, tmp_path, fit, changes):
    run = tmp_path / "run"
    train(
        pictures,
        run=run,
        cache="none",
        precision="fp32",
        threads=1,
        epochs=1,
        batch=32,
        schedule="constant",
        fit=fit,
        **changes,
    )
    listed = report_of(run)
    named = [pictures / path for path in listed]
    assert len(named) == 2 * COUNTS["val"] > BATCH
    found = check_all_agree(run, pictures, named, [path.parent.name for path in named])

    rows = predict(run, *named).predictions
    answers = [(row.classes[0], row.probabilities[0]) for row in rows]
    assert answers == [(name, pytest.approx(p, abs=0)) for name, p in listed.values()]

    side = 32 if changes["model"] == "cifar_11pct" else 64
    pack(pictures, tmp_path / "pack", image_px=side, fit=fit)
    assert evaluate(run, tmp_path / "pack") == found


def test_real_photographs(real_data, tmp_path):
    """As found: most of 500 x 375, a GIF, odd names; two batches of validation."""
    archive, run = real_data / "hymenoptera.tar", tmp_path / "run"
    train(
        archive,
        run=run,
        cache="none",
        precision="fp32",
        threads=1,
        model="cifar_26pct",
        initialisation="he",
        mean="channel",
        standardise=True,
        epochs=1,
        batch=32,
        lr=0.01,
        schedule="constant",
    )
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "files", filter="data")
    named = [tmp_path / "files" / path for path in report_of(run)]
    assert len(named) > BATCH
    truth = [path.parent.name for path in named]
    found = check_all_agree(run, archive, named, truth)
    assert found.images == len(named)
    folder = evaluate(run, tmp_path / "files")
    assert {**folder.to_json(), "unreadable": []} == {**found.to_json(), "unreadable": []}
