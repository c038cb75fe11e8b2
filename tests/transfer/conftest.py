"""Small weights that were never trained, and pictures of two classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import Weights, save_weights

CLASSES = ("ant", "bee", "crab")


def make_weights(
    classes: tuple[str, ...] = CLASSES, *, seed: int = 0, model: str = "cifar_26pct", fit="crop"
) -> Weights:
    """Weights of a small net on crops of 16 out of 20 pixels, with a mean image.

    `alexnet_small` needs larger pictures: crops of 24 out of 28.
    """
    side = 28 if model == "alexnet_small" else 20
    network = build_model(
        model, classes=len(classes), image_px=side, crop_px=side - 4, seed=seed, initialisation="he"
    )
    mean = np.random.default_rng(seed).random((side, side, 3), dtype=np.float32) * 255
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=classes,
        class_words={classes[0]: f"words of {seed}"},
        preprocessing=Preprocessing(
            image_px=side,
            crop_px=side - 4,
            fit=fit,
            mean=mean,
            scale=np.array([60, 61, 62], dtype=np.float32),
        ),
    )


@pytest.fixture
def saved(tmp_path) -> Callable[..., Path]:
    """Write weights of their own name: `saved("a", classes, seed=1)`."""

    def save(name: str, *arguments, **more) -> Path:
        path = tmp_path / f"{name}.safetensors"
        save_weights(path, make_weights(*arguments, **more))
        return path

    return save


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Train and val pictures of ants and bees, of odd sizes, one torn; not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(1)
    for split, count in (("train", 5), ("val", 2)):
        for name in ("ant", "bee"):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                size = (*draw.integers(17, 40, 2), 3)
                pixels = draw.integers(0, 256, size, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    (folder / "train" / "bee" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder
