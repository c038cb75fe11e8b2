"""HTML that cannot be broken into: whatever is not markup already is escaped.

Class names, paths and words come from folders that anybody may have filled.
"""

from __future__ import annotations

import html
import re

__all__ = ["Markup", "bdi", "element", "join", "plain", "raw"]

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
