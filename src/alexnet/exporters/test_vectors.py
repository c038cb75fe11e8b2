"""Test vectors: pictures, what the preprocessing makes of them, and what the weights answer.

For whoever writes the preprocessing again in another language: a page says every step, and the
files let each step be held against ours.

Legend: n pictures, S side of the stored picture, c side of the crop, K classes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.exporters.compare import made_pictures, reference
from alexnet.exporters.request import ExportRequest, handed_over
from alexnet.exporters.test_vectors_page import page
from alexnet.files import replace_file, write_json
from alexnet.images import Preprocessing, UnreadablePicture, decode
from alexnet.weights import Weights

__all__ = ["write_vectors"]

_MOST = 8
_PROBES = ((0, 0), (0.25, 0.75), (0.5, 0.5), (1, 1))  # row and column, as shares of the side


def write_vectors(
    folder: Path,
    weights: Weights,
    request: ExportRequest,
    pictures: Sequence[tuple[str, bytes]] | None,
) -> None:
    """Write test vectors into a folder, which is made where it is missing.

    Args:
        folder: gets `README.md`, `vectors.json`, `pictures/`, `stored/`, `numbers.npy`,
            `answers.npy` and, where the mean is an image, `mean.npy`.
        weights: what answers.
        request: whether it answers with probabilities or logits.
        pictures: name and bytes of picture files, of which the first readable ones are taken;
            None: some that are made here.

    Raises:
        RunError: the disk refuses.
    """
    rule = weights.preprocessing
    found = _upright(pictures) if pictures else []
    found = found or _made(rule)
    stored = np.stack([_stored(each, rule) for _, each in found])
    numbers = handed_over(stored, rule, "numbers")
    answers = reference(weights, request)(stored)
    rows: list[dict[str, Any]] = []
    for i, (name, pixels) in enumerate(found):
        places = {"picture": f"pictures/{i}.png", "stored": f"stored/{i}.png"}
        _write(folder / places["picture"], _png(pixels))
        _write(folder / places["stored"], _png(stored[i]))
        rows.append({**places, "made_of": name, **_said(numbers[i], answers[i], weights.classes)})
    _write(folder / "numbers.npy", _npy(numbers))
    _write(folder / "answers.npy", _npy(answers))
    mean = rule.central_mean
    if mean is not None and mean.ndim == 3:
        _write(folder / "mean.npy", _npy(mean))
    about = {
        "model": weights.model,
        "digest": weights.digest,
        "gives": request.gives,
        "classes": list(weights.classes),
        "preprocessing": rule.to_json(),
        "pictures": rows,
    }
    write_json(folder / "vectors.json", about)
    _write(folder / "README.md", page(weights, request, len(found)).encode())


def _upright(pictures: Sequence[tuple[str, bytes]]) -> list[tuple[str, NDArray[np.uint8]]]:
    """Decode the first pictures that can be read."""
    found: list[tuple[str, NDArray[np.uint8]]] = []
    for name, data in pictures:
        try:
            found.append((name, decode(data, name)))
        except UnreadablePicture:
            continue
        if len(found) == _MOST:
            break
    return found


def _made(rule: Preprocessing) -> list[tuple[str, NDArray[np.uint8]]]:
    """Make pictures of other shapes than the stored one: wide, high, small, and of its size."""
    side = rule.image_px
    whole = made_pictures(2 * side + 3, 3)
    wide, high = whole[0, : side + 7], whole[1, :, : side + side // 2]
    return [
        ("made, wide", np.ascontiguousarray(wide)),
        ("made, high", np.ascontiguousarray(high)),
        ("made, small", np.ascontiguousarray(whole[2, : side // 2 + 1, : side // 2 + 2])),
        ("made, of its size", made_pictures(side, 1)[0]),
    ]


def _stored(pixels: NDArray[np.uint8], rule: Preprocessing) -> NDArray[np.uint8]:
    """Return a picture as the preprocessing stores the PNG file that is written of it."""
    return rule.read(_png(pixels), "a test vector")


def _said(
    numbers: NDArray[Any], answers: NDArray[np.float32], classes: Sequence[str]
) -> dict[str, Any]:
    """Return what one picture comes to, in few numbers."""
    last = numbers.shape[-1] - 1
    places = [(round(row * last), round(column * last)) for row, column in _PROBES]
    best = np.argsort(-answers, kind="stable")[:5].tolist()
    return {
        "number_means": [float(each) for each in numbers.mean((1, 2), dtype=np.float64)],
        "number_probes": [
            {"channel": c, "row": row, "column": column, "value": float(numbers[c, row, column])}
            for c in range(3)
            for row, column in places
        ],
        "best": [{"class": classes[i], "answer": float(answers[i])} for i in best],
        "answers": [float(each) for each in answers],
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
