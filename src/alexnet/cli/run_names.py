"""What runs, studies and pages are called where the user names no place: date, source, model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["RUNS", "dated_name", "new_folder", "source_name"]

RUNS = Path("runs")
"""The folder of all of them."""


def source_name(source: Path) -> str:
    """Return a source's name without what says its kind: "photos" for photos.tar.gz."""
    return source.resolve().name.split(".")[0] or "pictures"


def dated_name(source: Path, model: str) -> str:
    """Return a name with the day in front; of a model in files, the first one's name."""
    plain = re.sub(r"[^\w.-]+", "-", Path(model.partition(",")[0]).name)
    return f"{time.strftime('%Y-%m-%d')}-{source_name(source)}-{plain.removesuffix('.cfg')}"


def new_folder(name: str, is_free: Callable[[Path], bool]) -> Path:
    """Return a folder of this name among the runs, or with the first number that is free."""
    tries = (name if n == 1 else f"{name}-{n}" for n in range(1, 10_000))
    return RUNS / next(each for each in tries if is_free(RUNS / each))
