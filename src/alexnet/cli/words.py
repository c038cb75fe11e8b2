"""Numbers with their nouns."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """Write "1 picture" and "2,000 pictures"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
