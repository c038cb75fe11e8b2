"""How far the predictions of a cached graph are from torch's, on ten thousand images.

    python benchmarks/quick_predictions.py ../shared/data/hymenoptera.tar ../shared/data/grocery.tar

Files of real photographs, whole and cut at random, are written again as JPEG, PNG, WebP and GIF, in
color and gray, of sides from 20 to 1,200 pixels. Each is read and predicted twice: as
`alexnet predict` does with torch, and as it does without. Prints the largest difference of a stored
pixel and of a probability, and how often another class is the first.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from alexnet import load_weights
from alexnet.data import image_mask, list_files
from alexnet.evaluation import Member, average_crop_views, make_predictor
from alexnet.evaluation.graph_cache import PROBABILITIES
from alexnet.evaluation.graph_predictions import GraphPredictor
from alexnet.exporters.onnx.cached import keep_graph
from alexnet.images import resize
from alexnet.weights.mapped import map_weights
from startup import write_weights
from turns import keep

FORMATS = (("JPEG", {"quality": 90}), ("PNG", {}), ("WEBP", {"quality": 85}), ("GIF", {}))
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", type=Path, help="archives or folders of images")
    parser.add_argument("--weights", default="small-200", help="or: paper, random ones")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--cache", type=Path, help="an empty folder for the graph")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = arguments.weights
        if path == "paper":
            path = str(write_weights(Path(scratch, "paper.safetensors")))
        found = compare(path, arguments.sources, arguments.images)
    print(
        "| images | pixels that differ | largest difference | another class |\n"
        + "| --- " * 4
        + "|"
    )
    print("| {images:,} | {pixels} | {probability:.2g} | {classes} |".format(**found))
    print(keep(f"quick_predictions, {Path(arguments.weights).stem}", found))
    sys.exit(found["pixels"] > 0 or found["classes"] > 0 or found["probability"] > 1e-5)


def compare(path: str, sources: list[Path], count: int) -> dict[str, float]:
    """Predict both ways; return the largest differences."""
    mapped, weights = map_weights(path), load_weights(path)
    network, rule = weights.network(), weights.preprocessing
    member = Member(network, rule)
    by_torch = make_predictor(member, compiled=False)
    mapped = type(mapped)(**{**vars(mapped), "settled": True})
    keep_graph(mapped, PROBABILITIES, network, rule)
    graph = GraphPredictor.open(mapped, PROBABILITIES)
    assert graph is not None, "there is no graph"
    pixels = classes = 0
    probability = 0.0
    files = make_files(sources, count)
    for start in range(0, count, BATCH):
        batch = [next(files) for _ in range(min(BATCH, count - start))]
        read = np.stack([rule.read(data, "image") for data in batch])
        expected = average_crop_views(member, read, by_torch, crops=1)
        with_numpy(True)
        (found,) = graph.batches(Files(batch), np.arange(len(batch)), crops=1)
        pixels += int((np.stack([rule.read(each, "image") for each in batch]) != read).sum())
        with_numpy(False)
        probability = max(probability, float(np.abs(found.numbers - expected).max()))
        classes += int((found.numbers.argmax(1) != expected.argmax(1)).sum())
        if start % 1000 == 0:
            print(f"{start:,} images: {probability:.2g}", file=sys.stderr, flush=True)
    return {"images": count, "pixels": pixels, "probability": probability, "classes": classes}


class Files:
    """Image files in memory, as `predict` reads them."""

    def __init__(self, files: list[bytes]) -> None:
        self.files = files
        self.paths = [f"image {n}" for n in range(len(files))]

    def read(self, index: int) -> bytes:
        return self.files[index]


def with_numpy(chosen: bool) -> None:
    """Resize as in a process that has not loaded torch, or by torch."""
    resize._kernels = SimpleNamespace(get=lambda: None)  # which both take for many images
    resize._loads_torch = not chosen
    resize.sys = SimpleNamespace(modules={}) if chosen else sys


def make_files(sources: list[Path], count: int):
    """Yield image files: whole photographs, and parts of them of any size and format."""
    draw = np.random.default_rng(2012)
    listings = [list_files(source) for source in sources]
    places = [(each, i) for each in listings for i in np.flatnonzero(image_mask(each)).tolist()]
    for number in range(count):
        listing, index = places[int(draw.integers(len(places)))]
        data = listing.read(index)
        if number % 5 == 0:
            yield data
            continue
        image = Image.open(io.BytesIO(data)).convert("L" if number % 7 == 0 else "RGB")
        side = draw.integers(
            20, [each + 1 for each in (max(21, image.width), max(21, image.height))]
        )
        left, top = (
            int(draw.integers(max(1, full - part + 1)))
            for full, part in zip(image.size, side.tolist(), strict=True)
        )
        part = image.crop(
            (left, top, min(image.width, left + side[0]), min(image.height, top + side[1]))
        )
        if number % 11 == 0:
            part = part.resize((part.width * 3, part.height * 3))
        name, options = FORMATS[number % len(FORMATS)]
        buffer = io.BytesIO()
        part.save(buffer, name, **options)
        yield buffer.getvalue()


if __name__ == "__main__":
    main()
