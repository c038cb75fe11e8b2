"""Write the page of a check, and all findings beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data import Source
from alexnet.errors import RunError, SourceError
from alexnet.files import replace_file, write_json
from alexnet.findings import CheckReport
from alexnet.images import decode
from alexnet.reporting.album import make_album
from alexnet.reporting.check_page import draw_check, shown_pictures

__all__ = ["refuse_other", "write_check"]

_DATA = "check.json"
_PAGE = "index.html"
_MOST_PX = 128  # of a picture in the page
_BUDGET = 3_000_000  # bytes of encoded pictures; base64 adds a third


def write_check(folder: Path, report: CheckReport, source: Source) -> Path:
    """Write `index.html`, which needs nothing else, and `check.json`; return the page.

    Args:
        folder: made where missing; the files of an earlier check are replaced.
        report: what was found.
        source: where the pictures are, to show some hundreds of them at most.

    Raises:
        RunError: the folder holds something else, or the disk refuses.
    """
    refuse_other(folder)
    write_json(folder / _DATA, report.to_json())
    paths = shown_pictures(report)
    wanted = set(paths)
    place = {path: i for i, path in enumerate(source.paths) if path in wanted}
    album = make_album(
        lambda item: _small(source, place.get(paths[item])), range(len(paths)), budget=_BUDGET
    )
    pictures = {paths[item]: data for item, data in album.encoded.items()}
    text = draw_check(report, pictures, side_px=album.side_px)
    replace_file(folder / _PAGE, lambda file: file.write(text.encode()))
    return folder / _PAGE


def refuse_other(folder: Path) -> None:
    """Raise RunError where a folder is none, or holds something else than a check."""
    strange = folder.is_dir() and any(folder.iterdir()) and not (folder / _DATA).is_file()
    if strange or (folder.exists() and not folder.is_dir()):
        raise RunError(
            f"{folder} holds something else than a check. Name a new or an empty folder with "
            "--report."
        )


def _small(source: Source, index: int | None) -> NDArray[np.uint8] | None:
    """Return a picture in its own proportions, small; None where it is not to be had."""
    if index is None:
        return None
    try:
        pixels = decode(source.read(index), source.paths[index])
    except SourceError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    return np.array(image)
