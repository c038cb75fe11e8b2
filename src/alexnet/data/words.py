"""Sizes and counts in words."""

from __future__ import annotations

__all__ = ["bytes_in_words", "counted"]


def bytes_in_words(count: int) -> str:
    """Return a number of bytes as people say it, in steps of 1,000: "184 MB"."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    if len(units) == 5:
        return counted(count, "byte")
    return f"{size:,.0f} {units[0]}" if size >= 100 else f"{size:.3g} {units[0]}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "2,000 pictures"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
