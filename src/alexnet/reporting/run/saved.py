"""The evidence kept beside the page, so that the page can be drawn again without the source."""

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
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import Album

__all__ = ["EVIDENCE", "keep_evidence", "load_evidence"]

EVIDENCE = "evidence.npz"

_FORMAT = 1
_PLAIN = (
    *("title", "command", "split", "recipe", "classes", "class_words", "facts", "preprocessing"),
    *("split_sizes", "skipped", "notes", "no_filters"),
)


def keep_evidence(folder: Path, evidence: ReportEvidence, album: Album) -> None:
    """Write `evidence.npz`: labels, probabilities, filters, the shown pictures, and all words.

    Readable by `numpy.load` without pickle. `labels` (N,) int64, `probabilities` (N, K) float32;
    `words` is JSON in UTF-8 with everything that is not an array. About 4 K bytes a picture.
    """
    words: dict[str, Any] = {name: getattr(evidence, name) for name in _PLAIN}
    words |= {
        "format": _FORMAT,
        "paths": list(evidence.paths),
        "epochs": [each.to_json() for each in evidence.epochs],
        "results": evidence.results.to_json(),
        "compared": list(evidence.compared),
    }
    items = sorted(album.encoded)
    arrays: dict[str, NDArray[Any]] = {
        "labels": evidence.labels,
        "probabilities": evidence.probabilities,
        "words": _bytes(json.dumps(words).encode("ascii")),
        "shown": np.array(items, dtype=np.int64),
        "sizes": np.array([len(album.encoded[item]) for item in items], dtype=np.int64),
        "pictures": _bytes(b"".join(album.encoded[item] for item in items)),
    }
    if evidence.filters is not None:
        arrays["filters"] = evidence.filters
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    replace_file(folder / EVIDENCE, lambda out: out.write(file.getbuffer()))


def load_evidence(folder: Path) -> tuple[ReportEvidence, Album]:
    """Read what `keep_evidence` wrote.

    Raises:
        RunError: there is none, it is damaged, or a newer version wrote it.
    """
    path = folder / EVIDENCE
    try:
        with path.open("rb") as data, np.load(data, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        words: dict[str, Any] = json.loads(arrays["words"].tobytes())
        if words["format"] != _FORMAT:
            raise RunError(
                f"{path} was written by another version of alexnet (format {words['format']}; "
                f"this one reads {_FORMAT}). Use the version that wrote it."
            )
        return _evidence(words, arrays)
    except FileNotFoundError:
        raise RunError(
            f"{path} is not there, so there is nothing to draw a report from. "
            "A run writes it when it comes to its end: call the same train command again."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as cause:
        raise RunError(
            f"{path} is damaged ({cause}). Train again in another folder, or restore the file."
        ) from cause


def _evidence(
    words: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> tuple[ReportEvidence, Album]:
    album = _album(arrays["shown"].tolist(), arrays["sizes"], arrays["pictures"])
    plain = {name: words[name] for name in _PLAIN}
    plain["skipped"] = [(name, reason) for name, reason in plain["skipped"]]
    evidence = ReportEvidence(
        **plain,
        paths=words["paths"],
        compared=words.get("compared", []),
        epochs=[_epoch(each) for each in words["epochs"]],
        results=Results.from_json(words["results"]),
        labels=arrays["labels"],
        probabilities=arrays["probabilities"],
        filters=arrays.get("filters"),
        picture=album.picture,
    )
    return evidence, album


def _epoch(values: dict[str, Any]) -> Epoch:
    """Read an epoch; a figure that was not finite was written as null and is not a number."""
    figures = ("lr", "train_loss", "train_error", "images_per_s", "seconds")
    lost: dict[str, Any] = {name: float("nan") for name in figures if values[name] is None}
    return Epoch(**{**values, **lost})


def _album(items: Sequence[int], sizes: NDArray[Any], pictures: NDArray[Any]) -> Album:
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends][: len(ends)]
    data = pictures.tobytes()
    return Album(
        {item: data[start:end] for item, start, end in zip(items, starts, ends, strict=True)}
    )


def _bytes(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
