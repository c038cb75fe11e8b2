"""Names from outside on a terminal: whatever they hold, nothing of it is a command or is hidden."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.cli.screen import escape_record, show_work, stderr_console, stdout_console
from alexnet.errors import SourceError
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.progress import track
from alexnet.records import Prediction, Predictions
from alexnet.weights import Weights, save_weights

HOSTILE = (
    "a\x1b[2J\x1b]0;t\x07\x08\x7f\x9b31m\n\r\tx\x85\u2028\u2029\u202e\u2066\u200f\u061c\ufeff\u200b"
)
"""Escape sequences in 7 and 8 bits, bell, backspace, ends of lines, directions, hidden marks."""

SHOWN = (
    r"a\x1b[2J\x1b]0;t\x07\x08\x7f\x9b31m\n\r\tx"
    r"\x85\u2028\u2029\u202e\u2066\u200f\u061c\ufeff\u200b"
)
NOT_UTF8 = os.fsdecode(b"b\xe9\x9b[bold]:cat:")

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")


def unsafe(text: str) -> list[str]:
    """What a terminal would take for a command, or would not show; ends of lines are its own."""
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return [char for char in text if char != "\n" and unicodedata.category(char) in kinds]


@pytest.fixture
def odd(tmp_path, monkeypatch) -> Path:
    """A folder of labeled images in which every name is hostile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in (HOSTILE, NOT_UTF8):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for i in range(6):
            pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}{HOSTILE}.png", "PNG")
    return Path("images")


@pytest.fixture
def weights(tmp_path) -> Path:
    """Weights whose names are hostile, a NUL among them."""
    network = build_model("mlp", classes=2, image_px=16, crop_px=16, activation="relu")
    path = tmp_path / f"w{HOSTILE}.safetensors"
    save_weights(
        path,
        Weights(
            model=network.model,
            arguments=network.arguments,
            state=network.state_dict(),
            classes=(HOSTILE, NOT_UTF8),
            class_words={HOSTILE: f"words\0{HOSTILE}"},
            preprocessing=Preprocessing(image_px=16, crop_px=16),
        ),
    )
    return path


TRAIN = (
    *("--model", "mlp", "--image-px", 16, "--crop-px", 16, "--activation", "relu", "--epochs", 1),
    *("--batch-size", 4, "--precision", "fp32", "--threads", 1, "--cache", "none"),
)
OUT = f"out{HOSTILE}"

CALLS = {
    "predict": ("predict", "WEIGHTS", "images"),
    "predict of what is not there": ("predict", "WEIGHTS", "images", f"no{HOSTILE}.png"),
    "evaluate": ("evaluate", "WEIGHTS", "images", "--split", "all"),
    "features": ("features", "WEIGHTS", "images", "--out", f"{OUT}.npz"),
    "check": ("check", "images", "--report", OUT, "--exclude-to", f"{OUT}.csv"),
    "pack": ("pack", "images", OUT, "--image-px", 8, "--quarantine", "aside"),
    "cache": ("cache",),
    "describe": ("describe", "WEIGHTS"),
    "export": ("export", "WEIGHTS", "--to", "safetensors", "--out", f"{OUT}.safetensors"),
    "export, ONNX": ("export", "WEIGHTS", "--to", "onnx", "--out", "o.onnx", "--test-vectors", "t"),
    "export, TorchScript": ("export", "WEIGHTS", "--to", "torchscript", "--out", "o.pt"),
    "train": ("train", "images", "--run-dir", OUT, *TRAIN),
    "search": ("search", "images", "--trials", 1, "--dry-run", *TRAIN[:-2], "--cache", "none"),
}


@linux
@pytest.mark.parametrize("words", CALLS.values(), ids=CALLS)
def test_names_of_files_classes_and_weights_are_escaped_by_every_verb(words, odd, weights, alexnet):
    if words[0] not in ("train", "search"):  # where it would be a reason to stop
        (odd / HOSTILE / f"not{HOSTILE}.png").write_bytes(b"no image")
    said = alexnet(*(weights if word == "WEIGHTS" else word for word in words))
    assert said.code == 0, said.err
    assert unsafe(said.out + said.err) == []
    assert "\0" not in said.out + said.err


ERRORS = {
    "train": ("train", HOSTILE),
    "train, option": ("train", "images", f"--x{HOSTILE}"),
    "train, value": ("train", "images", "--epochs", HOSTILE),
    "train, recipe": ("train", "images", "--recipe", HOSTILE),
    "train, exclude": ("train", "images", "--exclude", HOSTILE),
    "evaluate": ("evaluate", HOSTILE, "images"),
    "predict": ("predict", "small-200", HOSTILE),
    "features": ("features", HOSTILE, "images", "--out", HOSTILE),
    "finetune": ("finetune", HOSTILE, "images"),
    "search": ("search", "images", "--trials", 1, "--vary", HOSTILE),
    "tune": ("tune", "lr", HOSTILE),
    "pack": ("pack", HOSTILE, HOSTILE),
    "check": ("check", HOSTILE),
    "cache": ("cache", "--clear", HOSTILE),
    "describe": ("describe", HOSTILE),
    "import": ("import", f"{HOSTILE}.prototxt", f"{HOSTILE}.caffemodel", "--out", HOSTILE),
    "export": ("export", HOSTILE, "--to", "onnx", "--out", HOSTILE),
    "weights": ("weights", "get", HOSTILE),
    "bench": ("bench", "--threads", HOSTILE),
    "demo": ("demo", HOSTILE),
    "no verb": (HOSTILE,),
}


@linux
@pytest.mark.parametrize("words", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_names_in_errors_are_escaped_by_every_verb(words, debug, odd, alexnet, bundled):
    said = alexnet(*words, *(["--debug"] if debug else []))
    assert (said.code, said.out) == (2, "")
    assert unsafe(said.err) == []
    assert r"\x1b" in said.err or words[0] in ("weights", "cache")
    assert debug or said.err.count("\n") == 1


@linux
def test_json_and_csv_keep_names_exactly(odd, weights, alexnet):
    said = alexnet("predict", weights, odd, "--csv", "p.csv", "--json")
    rows = json.loads(said.out)["predictions"]
    assert rows[0]["path"].startswith("images/") and HOSTILE in rows[0]["path"]
    assert {row["classes"][0] for row in rows if row["classes"]} <= {HOSTILE, NOT_UTF8}
    with Path("p.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        paths = [row[0] for row in csv.reader(file)][1:]
    assert paths == [row["path"] for row in rows]


def test_tables_and_lines_show_escapes(capsys):
    rows = [Prediction(path=HOSTILE, classes=["[bold]:cat:"], probabilities=[0.5])]
    record = escape_record(Predictions(predictions=rows, crops=1, reject_below=None, csv=None))
    console = stdout_console()
    console.print(record.predictions[0].path)
    console.print(record.predictions[0].classes[0])
    assert capsys.readouterr().out == f"{SHOWN}\n[bold]:cat:\n"
    assert rows[0].path == HOSTILE, "the record itself is as it was"


def test_log_lines_bars_and_notes_are_escaped():
    from rich.console import Console

    terminal = Console(file=io.StringIO(), force_terminal=True, width=400, color_system=None)
    with show_work(terminal, quiet=False), track(f"packing {HOSTILE}", 2) as advance:
        import logging

        logging.getLogger("alexnet.x").warning("Odd: %s", HOSTILE)
        advance(1, note=f"{HOSTILE}.png")
    text = terminal.file.getvalue()
    assert f"Odd: {SHOWN}" in text
    for part in ("\x07", "\x9b", "\u202e", "\x1b[2J\x1b]"):
        assert part not in text


def test_a_sentence_of_any_length_ends(alexnet, make_verb):
    def fail() -> None:
        """Fail."""
        raise SourceError("x" * 10**6)

    make_verb(fail)
    assert len(alexnet("fail").err) < 20_000


def test_the_console_of_errors_takes_no_markup(capsys):
    stderr_console().print("[bold]x[/bold] :cat:")
    assert capsys.readouterr().err == "[bold]x[/bold] :cat:\n"
