"""The report data saved beside the page, so that it can be drawn again without the source."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import RunError
from alexnet.files import replace_file
from alexnet.records import Epoch, Results
from alexnet.reporting.run.data import ReportData
from alexnet.reporting.thumbnails import Thumbnails

__all__ = ["FILE_NAME", "load_report_data", "read_report_data", "save_report_data"]

FILE_NAME = "data.npz"

_FORMAT = 2
_PLAIN = (
    *("title", "command", "split", "recipe", "classes", "class_words", "facts", "preprocessing"),
    *("split_sizes", "skipped", "notes", "no_filters", "baselines", "ways", "why"),
)
_ADDED: dict[str, Any] = {"ways": (), "why": ""}  # that older files lack


def save_report_data(folder: Path, data: ReportData, thumbnails: Thumbnails) -> None:
    """Write `data.npz`: labels, probabilities, filters, the shown images, and all words.

    Readable by `numpy.load` without pickle. `labels` (N,) int64, `probabilities` (N, K) float32;
    `words` is JSON in UTF-8 with everything that is not an array. About 4 K bytes an image.
    """
    words: dict[str, Any] = {name: getattr(data, name) for name in _PLAIN}
    words |= {
        "format": _FORMAT,
        "paths": list(data.paths),
        "epochs": [epoch.to_json() for epoch in data.epochs],
        "results": data.results.to_json(),
        "baselines": list(data.baselines),
    }
    items = sorted(thumbnails.encoded)
    arrays: dict[str, NDArray[Any]] = {
        "labels": data.labels,
        "probabilities": data.probabilities,
        "words": _bytes(json.dumps(words).encode("ascii")),
        "shown": np.array(items, dtype=np.int64),
        "sizes": np.array([len(thumbnails.encoded[item]) for item in items], dtype=np.int64),
        "images": _bytes(b"".join(thumbnails.encoded[item] for item in items)),
    }
    if data.filters is not None:
        arrays["filters"] = data.filters
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    replace_file(folder / FILE_NAME, lambda out: out.write(file.getbuffer()))


def read_report_data(folder: Path) -> ReportData:
    """Read what the page in a report folder was drawn from.

    Raises:
        RunError: see `load_report_data`.
    """
    return load_report_data(folder)[0]


def load_report_data(folder: Path) -> tuple[ReportData, Thumbnails]:
    """Read what `save_report_data` wrote.

    Raises:
        RunError: there is none, it is damaged, or another version wrote it.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        words: dict[str, Any] = json.loads(arrays["words"].tobytes())
        if words["format"] != _FORMAT:
            raise RunError(
                f"{path} was written by another version of alexnet (format {words['format']}; "
                f"this one reads {_FORMAT}). Use the version that wrote it."
            )
        return _report_data(words, arrays)
    except FileNotFoundError:
        raise RunError(
            f"{path} is not there, so there is nothing to draw a report from. "
            "A run writes it when it comes to its end: call the same train command again."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as cause:
        raise RunError(
            f"{path} is damaged ({cause}). Train again in another folder, or restore the file."
        ) from cause


def _report_data(
    words: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> tuple[ReportData, Thumbnails]:
    thumbnails = _thumbnails(arrays["shown"].tolist(), arrays["sizes"], arrays["images"])
    plain = {name: words[name] for name in _PLAIN if name in words or name not in _ADDED}
    plain["skipped"] = [(name, reason) for name, reason in plain["skipped"]]
    data = ReportData(
        **plain,
        paths=words["paths"],
        epochs=[_epoch(values) for values in words["epochs"]],
        results=Results.from_json(words["results"]),
        labels=arrays["labels"],
        probabilities=arrays["probabilities"],
        filters=arrays.get("filters"),
        image=thumbnails.image,
    )
    return data, thumbnails


def _epoch(values: dict[str, Any]) -> Epoch:
    """Read an epoch; a figure that was not finite was written as null and is not a number."""
    figures = ("lr", "train_loss", "train_error", "images_per_s", "seconds")
    lost: dict[str, Any] = {name: float("nan") for name in figures if values[name] is None}
    return Epoch(**{**values, **lost})


def _thumbnails(items: Sequence[int], sizes: NDArray[Any], images: NDArray[Any]) -> Thumbnails:
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends][: len(ends)]
    encoded = images.tobytes()
    return Thumbnails(
        {item: encoded[start:end] for item, start, end in zip(items, starts, ends, strict=True)}
    )


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
