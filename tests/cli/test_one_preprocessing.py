"""Validation during training, `evaluate` and `predict` preprocess alike, bit for bit.

Images of every format and mode, of odd sizes, in several batches of which the last is not full.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet import evaluate, pack, predict, train
from alexnet.evaluation import evaluate_pack, evaluate_weights
from alexnet.records import Results

COUNTS = {"train": 12, "val": 12}  # of each class: every format once
BATCH = 16  # of evaluation, in place of its own 128


def image(draw: np.random.Generator, warm: bool, number: int) -> tuple[str, bytes]:
    """Return an image file, its suffix and bytes; format, mode, size and orientation vary."""
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
            gray = draw.integers(0, 65536, (height, width), dtype=np.uint16)
            image = Image.fromarray(gray)
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
def images(tmp_path_factory) -> Path:
    """A folder with train and val of two classes; every second suffix is wrong."""
    folder = tmp_path_factory.mktemp("odd") / "images"
    draw = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for warm, name in enumerate(("cold", "warm")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                suffix, data = image(draw, bool(warm), number)
                shown = suffix if number % 2 else "jpg"
                (folder / split / name / f"{number}.{shown}").write_bytes(data)
    return folder


def validation_of(run: Path) -> tuple[float, float]:
    """Return accuracy and loss of the best weights as the training measured them.

    The loss is that at the temperature; before it, it is the best epoch's to the last digit.
    """
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    best = [line for line in lines if line.get("best")][-1]
    calibration = json.loads((run / "results.json").read_text())["calibration"]
    assert calibration["loss_before"] == best["val_loss"]
    return 1 - best["val_error"], calibration["loss_after"]


def reported_predictions(run: Path) -> dict[str, tuple[str, float]]:
    """Return the predicted class and its probability of each image, as the report lists them."""
    with (run / "report" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["path"]: (row["predicted"], float(row["probability"])) for row in rows}


def compare_all(run: Path, source: Path, named: list[Path], truth: list[str]) -> Results:
    """Compare training, `evaluate` and `predict`; return the results."""
    found = evaluate(run, source, batch_size=BATCH)
    assert (found.top1, found.loss) == validation_of(run)
    kept = json.loads((run / "results.json").read_text())["results"]
    assert {**found.to_json(), "unreadable": []} == {**kept, "unreadable": []}
    rows = predict(run, *named, batch_size=BATCH).predictions
    right = [row.classes[0] == name for row, name in zip(rows, truth, strict=True)]
    assert sum(right) / len(right) == found.top1
    return found


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Let the training validate in batches of which these few images fill more than one."""
    for function in (evaluate_pack, evaluate_weights):
        monkeypatch.setitem(function.__kwdefaults__, "batch_size", BATCH)
    # As many images as need the compiled kernels, whose last bits are others.
    monkeypatch.setattr("alexnet.commands.without_torch._FEW_CROPS", 0)


CIFAR = {"model": "cifar_11pct", "mean": "central", "initialization": "he", "lr": 0.002}
SMALL = {"model": "alexnet_small", "mean": "channel", "normalize": True, "lr": 0.01}


@pytest.mark.parametrize(
    ("resize_mode", "changes"),
    [("crop", CIFAR), ("squash", SMALL), ("pad", CIFAR)],
    ids=["crop", "squash", "pad"],
)
def test_every_format_and_size(images, tmp_path, resize_mode, changes):
    run = tmp_path / "run"
    train(
        images,
        run_dir=run,
        cache="none",
        precision="fp32",
        threads=1,
        epochs=1,
        batch_size=8,
        schedule="constant",
        resize_mode=resize_mode,
        **changes,
    )
    listed = reported_predictions(run)
    named = [images / path for path in listed]
    assert len(named) == 2 * COUNTS["val"] > BATCH
    results = compare_all(run, images, named, [path.parent.name for path in named])

    rows = predict(run, *named, batch_size=BATCH).predictions
    predicted = [(row.classes[0], row.probabilities[0]) for row in rows]
    assert predicted == [(name, pytest.approx(p, abs=0)) for name, p in listed.values()]

    side = 32 if changes["model"] == "cifar_11pct" else 64
    pack(images, tmp_path / "pack", image_px=side, resize_mode=resize_mode)
    assert evaluate(run, tmp_path / "pack", batch_size=BATCH) == results


def copy_some(archive: Path, target: Path) -> None:
    """Copy the first photographs of each folder of an archive, and the GIF."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as copy:
        counts = Counter[str]()
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            folder = member.name.rpartition("/")[0]
            if member.isfile() and (counts[folder] < 12 or member.name.endswith(".gif")):
                counts[folder] += 1
                copy.addfile(member, source.extractfile(member))


def test_real_photographs(real_data, tmp_path):
    """Most of 500 x 375, a GIF, odd names; two batches of validation."""
    archive, run = tmp_path / "few.tar", tmp_path / "run"
    copy_some(real_data / "hymenoptera.tar", archive)
    train(
        archive,
        run_dir=run,
        cache="none",
        precision="fp32",
        threads=1,
        model="cifar_26pct",
        initialization="he",
        mean="channel",
        normalize=True,
        epochs=1,
        batch_size=8,
        lr=0.01,
        schedule="constant",
    )
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "files", filter="data")
    named = [tmp_path / "files" / path for path in reported_predictions(run)]
    assert len(named) > BATCH
    truth = [path.parent.name for path in named]
    found = compare_all(run, archive, named, truth)
    assert found.images == len(named)
    folder = evaluate(run, tmp_path / "files", batch_size=BATCH)
    assert {**folder.to_json(), "unreadable": []} == {**found.to_json(), "unreadable": []}
