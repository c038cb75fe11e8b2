"""What models that Caffe trained are worth here, and how far they are from OpenCV's reader.

    python benchmarks/imported_models.py FOLDER_OF_MODELS CIFAR10_ZIP

The folder holds the CIFAR-10 models and the digits model that Caffe's own examples trained, with
their descriptions and cifar10_mean.binaryproto; the archive has the test images.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from alexnet import evaluate, import_, load_weights, open_source
from alexnet.evaluation import crop_view_tensor, crop_views

MODELS = {
    "cifar10_quick": ("cifar10_quick.prototxt", "cifar10_quick_iter_5000.caffemodel"),
    "cifar10_full": ("cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel"),
    "lenet": ("lenet.prototxt", "lenet_iter_10000.caffemodel"),
}
COMPARED = 1000  # images


def main(folder: Path, archive: Path) -> None:
    """Print a row for each model, with and without the mean."""
    print("| model | mean image | right answers | 95 % | loss | seconds | differs from OpenCV by |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        for name, (text, trained) in MODELS.items():
            files = folder / text, folder / trained
            for mean in (True, False) if name != "lenet" else (False,):
                print(row(name, files, archive, Path(place) / "w.safetensors", mean), flush=True)


def row(name: str, files: tuple[Path, Path], archive: Path, out: Path, mean: bool) -> str:
    """Import a model, measure it and hold it against OpenCV's reader."""
    digits = name == "lenet"
    import_(
        *files,
        out=out,
        order="rgb",
        mean=str(files[0].parent / "cifar10_mean.binaryproto") if mean else None,
        scale=1 / 256 if digits else None,
        classes=None if digits else archive,
    )
    figures = "| | | | "
    if not digits:
        start = time.perf_counter()
        found = evaluate(out, archive, split="test")
        seconds = time.perf_counter() - start
        low, high = found.top1_interval.low, found.top1_interval.high
        figures = (
            f"| {found.top1:.2%} | {low:.2%} to {high:.2%} | {found.loss:.4f} | {seconds:.1f} "
        )
    distance = difference(files, archive, out)
    words = "yes" if mean else "no"
    return f"| {name} | {words} {figures}| {distance:.1e} |"


def difference(files: tuple[Path, Path], archive: Path, out: Path) -> float:
    """Return the largest difference of any probability over some test images."""
    weights = load_weights(out)
    rule, network = weights.preprocessing, weights.network()
    source = open_source(archive)
    chosen = np.flatnonzero(source.splits == 3)[:: max(1, 10_000 // COMPARED)]
    stored = np.stack([rule.read(source.read(i), source.paths[i]) for i in chosen])
    x = crop_view_tensor(stored, rule, crop_views(rule, 1)[0])
    with torch.inference_mode():
        ours = network(x).softmax(1).numpy()
        shown = network.gray(x) if hasattr(network, "gray") else x
    reader = cv2.dnn.readNetFromCaffe(*map(str, files))
    largest = 0.0
    for image, answer in zip(shown.numpy(), ours, strict=True):
        reader.setInput(np.ascontiguousarray(image[None]))
        largest = max(largest, float(np.abs(reader.forward().reshape(-1) - answer).max()))
    return largest


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
