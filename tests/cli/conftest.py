"""A command line in this process, and verbs made for a test."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.cli.main import main
from alexnet.cli.verbs import VERBS, Verb

CLASSES = ("ant", "bee")


@dataclass(frozen=True)
class Said:
    """What a command line answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def alexnet(capsys) -> Callable[..., Said]:
    """Call the program as `alexnet("train", "photos", "--epochs", "3")`."""

    def call(*words: object) -> Said:
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture
def make_verb(monkeypatch) -> Callable[..., None]:
    """Make a function a verb of its own name; its record is printed as it is."""

    def make(function: Callable[..., object]) -> None:
        name = function.__name__
        module = types.ModuleType(f"alexnet.cli.{name}")
        setattr(module, name, function)
        module.show = lambda record, console: console.print(record.path)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        verb = Verb(name, "Made for a test.", f"{module.__name__}:show")
        monkeypatch.setitem(VERBS, name, verb)

    return make


def write_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write pictures of two classes, one dark and one bright: `count` of each."""
    rng = np.random.default_rng(seed)
    for k, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(160 * k, 160 * k + 90, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


@dataclass(frozen=True)
class Trained:
    """A run, and the folder of pictures that it was trained on."""

    run: Path
    pictures: Path

    @property
    def held_out(self) -> list[str]:
        """Paths, relative to the pictures, that the run did not train on."""
        rows = (self.run / "split.csv").read_text().splitlines()[1:]
        return [row.split(",")[0] for row in rows if row.endswith(",val")]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """A small net trained on a folder without splits; not to be changed."""
    from alexnet import train

    place = tmp_path_factory.mktemp("trained")
    write_pictures(place / "photos", 8)
    train(
        place / "photos",
        run=place / "run",
        cache="none",
        precision="fp32",
        model="mlp",
        image_px=16,
        crop_px=16,
        activation="relu",
        lr=0.01,
        epochs=2,
        threads=1,
        batch=4,
        schedule="constant",
        val_fraction=0.25,
    )
    return Trained(place / "run", place / "photos")
