"""The curve of a run as a small drawing for notebooks, drawn from its journal."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

__all__ = ["draw_curve", "read_errors"]

_WIDTH, _HEIGHT, _MARGIN = 420, 140, 28
_LARGEST_JOURNAL = 10_000_000  # bytes; a longer one is for the report, not for a cell
_COLORS = {"train": "#8a8a8a", "val": "#1f77b4"}


def read_errors(run_dir: str) -> dict[str, list[tuple[int, float]]]:
    """Return (epoch, error) of training and validation; nothing where the journal is gone."""
    errors: dict[str, list[tuple[int, float]]] = {"train": [], "val": []}
    try:
        journal = Path(run_dir, "journal.jsonl")
        if journal.stat().st_size > _LARGEST_JOURNAL:
            return errors
        lines = journal.read_text("utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return errors
    for line in lines:
        entry = _parse(line)
        for part, points in errors.items():
            error, epoch = entry.get(f"{part}_error"), entry.get("epoch")
            if entry.get("event") == "epoch" and isinstance(error, float | int) and epoch:
                points.append((int(epoch), float(error)))
    return errors


def _parse(line: str) -> dict[str, Any]:
    try:
        entry: Any = json.loads(line)
    except ValueError:  # the last line of a run that was cut off
        return {}
    return cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}


def draw_curve(errors: dict[str, list[tuple[int, float]]]) -> str:
    """Return error by epoch as SVG, in 0..100 %; an empty text where there is no epoch."""
    last = max((epoch for points in errors.values() for epoch, _ in points), default=0)
    if not last:
        return ""
    lines = [
        f'<polyline fill="none" stroke="{_COLORS[part]}" stroke-width="2" '
        f'points="{_positions(points, last)}"/>'
        for part, points in errors.items()
        if points
    ]
    labels = [
        _label(2, _MARGIN / 2 + 4, "100 %"),
        _label(2, _HEIGHT - _MARGIN + 4, "0 %"),
        _label(_WIDTH - 90, _HEIGHT - 8, f"epoch {last:,}"),
        _label(60, _HEIGHT - 8, "error: training", _COLORS["train"]),
        _label(170, _HEIGHT - 8, "validation", _COLORS["val"]),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="error by epoch">{"".join([*lines, *labels])}</svg>'
    )


def _positions(points: Sequence[tuple[int, float]], last: int) -> str:
    wide, high = _WIDTH - 2 * _MARGIN - 20, _HEIGHT - 1.5 * _MARGIN
    return " ".join(
        f"{_MARGIN + 20 + wide * (epoch - 1) / max(1, last - 1):.1f},"
        f"{_MARGIN / 2 + high * (1 - min(1.0, error)):.1f}"
        for epoch, error in points
        if math.isfinite(error)
    )


def _label(x: float, y: float, text: str, color: str = "#666") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="11" fill="{color}">{text}</text>'
