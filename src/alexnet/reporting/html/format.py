"""How values are written on a page: percents, text from outside; numbers as in `alexnet.text`."""

from __future__ import annotations

import math
import re

__all__ = ["NARROW", "escape_controls", "percent"]

NARROW = "\u202f"  # the narrow no-break space that stands before a unit

# Control characters, lone surrogates, non-characters, and the marks that turn a line of text round.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def escape_controls(text: str) -> str:
    """Write characters that cannot be seen or held as Python does: a backslash and a code."""
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in 0..1: 0.987 is "98.7 %"; what is not there is a dash."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{100 * share:.{digits}f}{NARROW}%"
