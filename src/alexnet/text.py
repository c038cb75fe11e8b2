"""Numbers, sizes, times and names as people write them, for every sentence of the package."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

__all__ = [
    "FEW_IMAGES",
    "describe_reliability",
    "escape_unprintable",
    "format_arithmetic",
    "format_bytes",
    "format_count",
    "format_duration",
    "format_number",
    "format_setting",
    "join_words",
    "quote_names",
    "shorten",
]

FEW_IMAGES = 100
"""An accuracy that was measured on fewer says little: its interval is about 20 points wide."""

_WIDE = 0.1  # of an interval; a narrow one of few images is near 0 or 100 %
_MAX_NAMES = 3
_MAX_LETTERS = 120
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls, formats (directions, invisible marks), lone surrogates, ends of
lines and paragraphs."""

_JOINERS = frozenset("\u200c\u200d")  # words of Persian and Hindi, and emoji, have them


def escape_unprintable(text: str, *, keep: str = "") -> str:
    r"""Return what a terminal shows as it stands: nothing in it is a command, or is not seen.

    Class and file names, layer names and a server's words come from outside. Escape sequences,
    line breaks, marks of direction and lone surrogates in them are written as Python writes them
    in a string (`\x1b`, `\n`, `\u202e`); all other text is as it was. What is printed goes
    through here; JSON, CSV and messages of errors keep names exactly.

    Args:
        text: any text.
        keep: characters that stay, such as the line breaks of a traceback.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char in keep or not _is_unprintable(char) else _escaped(char) for char in text
    )


def _is_unprintable(char: str) -> bool:
    return unicodedata.category(char) in _UNPRINTABLE and char not in _JOINERS


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def format_count(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 image", "2,000 images", "3 classes"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def describe_reliability(images: int, low: float, high: float) -> str:
    """Return a sentence on how far an accuracy can be trusted, measured on so many images.

    Args:
        images: on which it was measured.
        low: lower end of its 95 % confidence interval, in 0..1.
        high: upper end.
    """
    if images >= FEW_IMAGES:
        return (
            f"Measured on {images:,} images, so the true accuracy on images like these is between "
            f"{100 * low:.1f} and {100 * high:.1f} % with 95 % confidence."
        )
    doubt = "the figure says" if high - low >= _WIDE else "a few points of difference say"
    return (
        f"{format_count(images, 'image')}: the true accuracy on images like these may be anything "
        f"from {100 * low:.0f} to {100 * high:.0f} % (95 % confidence), so {doubt} little."
    )


def format_arithmetic(precision: str, convolutions: str) -> str:
    """Return "fp32 by Winograd" where convolutions are computed in that form, else the precision.

    Args:
        precision: "fp32" or "bf16".
        convolutions: their form in fp32, "torch" or "winograd".
    """
    by_winograd = (precision, convolutions) == ("fp32", "winograd")
    return f"{precision} by Winograd" if by_winograd else precision


def format_bytes(count: int) -> str:
    """Return a number of bytes in steps of 1,000: "184 MB"."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    if len(units) == 5:
        return format_count(count, "byte")
    return f"{size:,.0f} {units[0]}" if size >= 100 else f"{size:.3g} {units[0]}"


def format_duration(seconds: float) -> str:
    """Write 42 as "42 s", 190 as "3 min 10 s", 7260 as "2 h 1 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_number(value: float | None) -> str:
    """Write a loss or a rate in at most four figures: 0.0123, 5.48×10⁻⁵; None or NaN is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    digits, _, power = f"{value:.4g}".partition("e")
    if not power:
        return digits
    return f"{'' if digits == '1' else digits + '×'}10{str(int(power)).translate(_SUPERSCRIPTS)}"


def format_setting(value: object) -> str:
    """Write a field of a recipe: "yes", "none", "3, 5", 0.01."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_format_all(cast("Sequence[object]", value))) or "none"
    return format_number(value) if isinstance(value, float) else str(value)


def _format_all(values: Sequence[object]) -> Iterator[str]:
    """Yield the values of nested lists, in order."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _format_all(cast("Sequence[object]", value))
        else:
            yield format_setting(value)


def join_words(parts: Sequence[str]) -> str:
    """Join with commas and a last "and"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def quote_names(names: Iterable[str], most: int = _MAX_NAMES) -> str:
    """Return names in quotes: the first few, and how many more there are.

    Args:
        names: in the order in which they are named.
        most: how many of them are.
    """
    quoted = [f'"{shorten(name)}"' for name in names]
    more = f" and {len(quoted) - most:,} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more


def shorten(name: object, most: int = _MAX_LETTERS) -> str:
    """Return a name as it is, or the two ends of one of more than `most` letters."""
    text = str(name)
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"
