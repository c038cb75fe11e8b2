"""How numbers are written for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["NARROW", "list_in_words", "number", "percent"]

NARROW = "\u202f"  # the narrow no-break space that stands before a unit

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in 0..1: 0.987 is "98.7 %"; what is not there is a dash."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{100 * share:.{digits}f}{NARROW}%"


def number(value: float | None) -> str:
    """Write a loss or a rate in at most four figures: 0.0123, 5.48×10⁻⁵; nothing is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    digits, _, power = f"{value:.4g}".partition("e")
    if not power:
        return digits
    return f"{'' if digits == '1' else digits + '×'}10{str(int(power)).translate(_RAISED)}"


def list_in_words(parts: Sequence[str]) -> str:
    """Join with commas and a last "and"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
