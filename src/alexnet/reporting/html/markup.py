"""HTML that cannot be broken into: whatever is not markup already is escaped.

Class names, paths and words come from folders that anybody may have filled.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence

__all__ = [
    "NARROW",
    "Markup",
    "bdi",
    "element",
    "join",
    "list_in_words",
    "number",
    "percent",
    "plain",
    "raw",
]

_VOID = frozenset({"br", "img", "meta"})
# Control characters, lone surrogates, non-characters, and the marks that turn a line of text round.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class Markup(str):
    """Text that is HTML already. Made by `element`, `join` and `raw` alone."""

    __slots__ = ()


Child = str | int | None


def raw(text: str) -> Markup:
    """Take text as HTML: for the package's own style sheet, script and drawings only."""
    return Markup(text)


def join(*parts: Child) -> Markup:
    """Put parts one after the other; plain text is escaped, None leaves nothing."""
    return Markup("".join(map(_escaped, parts)))


def element(tag: str, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Make an element; children and the values of attributes are escaped.

    Args:
        tag: name of the element.
        *children: inside, in order; plain text is escaped, None leaves nothing.
        **attributes: by name, `class_` for class and `data_x` for data-x; None and False leave
            the attribute out, True writes its name alone.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(*children)}</{tag}>")


def bdi(text: str, **attributes: str | int | float | bool | None) -> Markup:
    """Show somebody's text without letting its writing direction reach what stands beside it."""
    return element("bdi", text, **attributes)


def plain(text: str) -> str:
    """Write characters that cannot be seen or held as Python does: a backslash and a code."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def _escaped(part: Child) -> str:
    if part is None:
        return ""
    return part if isinstance(part, Markup) else html.escape(plain(str(part)), quote=True)


def _attribute(name: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(plain(str(value)))}"'


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
