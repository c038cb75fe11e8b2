"""Counts, sizes and names as people say them, for every sentence of the package."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["bytes_in_words", "counted", "format_duration", "shortened", "some"]

_NAMED = 3
_LETTERS = 120


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 picture", "2,000 pictures", "3 classes"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def bytes_in_words(count: int) -> str:
    """Return a number of bytes in steps of 1,000: "184 MB"."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    if len(units) == 5:
        return counted(count, "byte")
    return f"{size:,.0f} {units[0]}" if size >= 100 else f"{size:.3g} {units[0]}"


def some(names: Iterable[str], most: int = _NAMED) -> str:
    """Return names in quotes: the first few, and how many more there are.

    Args:
        names: in the order in which they are named.
        most: how many of them are.
    """
    listed = [f'"{shortened(each)}"' for each in names]
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def shortened(name: object) -> str:
    """Return a name as it is, or the two ends of one of many letters."""
    text = str(name)
    half = _LETTERS // 2
    return text if len(text) <= _LETTERS else f"{text[:half]}...{text[-half:]}"


def format_duration(seconds: float) -> str:
    """Write 42 as "42 s", 190 as "3 min 10 s", 7260 as "2 h 1 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
