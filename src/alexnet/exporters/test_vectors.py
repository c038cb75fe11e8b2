"""Test vectors: images, what the preprocessing makes of them, and what the weights predict.

For whoever writes the preprocessing again in another language: a page says every step, and the
files let each step be compared with ours.

Legend: n images, S side of the stored image, c side of the crop, K classes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.exporters.compare import reference_predictor, synthetic_images
from alexnet.exporters.request import ExportRequest, prepare_input
from alexnet.exporters.test_vectors_page import render_readme
from alexnet.files import replace_file, write_json
from alexnet.images import Preprocessing, UnreadableImage, decode
from alexnet.weights import Weights

__all__ = ["write_test_vectors"]

_MAX_IMAGES = 8
_SAMPLES = ((0, 0), (0.25, 0.75), (0.5, 0.5), (1, 1))  # row and column, as parts of the side


def write_test_vectors(
    folder: Path,
    weights: Weights,
    request: ExportRequest,
    images: Sequence[tuple[str, bytes]] | None,
) -> None:
    """Write test vectors into a folder, which is made where it is missing.

    Args:
        folder: gets `README.md`, `vectors.json`, `images/`, `stored/`, `inputs.npy`,
            `outputs.npy` and, where the mean is an image, `mean.npy`.
        weights: what predicts.
        request: whether the outputs are probabilities or logits.
        images: name and bytes of image files, of which the first readable ones are taken;
            None: synthetic ones.

    Raises:
        RunError: the disk refuses.
    """
    rule = weights.preprocessing
    originals = _decoded(images) if images else []
    originals = originals or _synthetic(rule)
    stored = np.stack([_stored(pixels, rule) for _, pixels in originals])
    inputs = prepare_input(stored, rule, "tensor")
    outputs = reference_predictor(weights, request)(stored)
    rows: list[dict[str, Any]] = []
    for i, (name, pixels) in enumerate(originals):
        paths = {"image": f"images/{i}.png", "stored": f"stored/{i}.png"}
        _write(folder / paths["image"], _png(pixels))
        _write(folder / paths["stored"], _png(stored[i]))
        rows.append({**paths, "original": name, **_row(inputs[i], outputs[i], weights.classes)})
    _write(folder / "inputs.npy", _npy(inputs))
    _write(folder / "outputs.npy", _npy(outputs))
    mean = rule.center_mean
    if mean is not None and mean.ndim == 3:
        _write(folder / "mean.npy", _npy(mean))
    vectors = {
        "model": weights.model,
        "digest": weights.digest,
        "output": request.output_type,
        "classes": list(weights.classes),
        "preprocessing": rule.to_json(),
        "images": rows,
    }
    write_json(folder / "vectors.json", vectors)
    _write(folder / "README.md", render_readme(weights, request, len(originals)).encode())


def _decoded(images: Sequence[tuple[str, bytes]]) -> list[tuple[str, NDArray[np.uint8]]]:
    """Decode the first images that can be read."""
    decoded: list[tuple[str, NDArray[np.uint8]]] = []
    for name, data in images:
        try:
            decoded.append((name, decode(data, name)))
        except UnreadableImage:
            continue
        if len(decoded) == _MAX_IMAGES:
            break
    return decoded


def _synthetic(rule: Preprocessing) -> list[tuple[str, NDArray[np.uint8]]]:
    """Make images of other shapes than the stored one: wide, high, small, and of its size."""
    side = rule.image_px
    large = synthetic_images(2 * side + 3, 3)
    wide, high = large[0, : side + 7], large[1, :, : side + side // 2]
    return [
        ("synthetic, wide", np.ascontiguousarray(wide)),
        ("synthetic, high", np.ascontiguousarray(high)),
        ("synthetic, small", np.ascontiguousarray(large[2, : side // 2 + 1, : side // 2 + 2])),
        ("synthetic, of its size", synthetic_images(side, 1)[0]),
    ]


def _stored(pixels: NDArray[np.uint8], rule: Preprocessing) -> NDArray[np.uint8]:
    """Return an image as the preprocessing stores the PNG file that is written of it."""
    return rule.read(_png(pixels), "a test vector")


def _row(
    inputs: NDArray[Any], outputs: NDArray[np.float32], classes: Sequence[str]
) -> dict[str, Any]:
    """Return what one image comes to, in few numbers."""
    last = inputs.shape[-1] - 1
    positions = [(round(row * last), round(column * last)) for row, column in _SAMPLES]
    best = np.argsort(-outputs, kind="stable")[:5].tolist()
    return {
        "input_means": [float(mean) for mean in inputs.mean((1, 2), dtype=np.float64)],
        "input_samples": [
            {"channel": c, "row": row, "column": column, "value": float(inputs[c, row, column])}
            for c in range(3)
            for row, column in positions
        ],
        "top5": [{"class": classes[i], "output": float(outputs[i])} for i in best],
        "outputs": [float(value) for value in outputs],
    }


def _png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    replace_file(path, lambda file: file.write(data))
