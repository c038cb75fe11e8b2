"""The frame of every page: one HTML file with its own style and script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files as package_files
from typing import NamedTuple

from alexnet.reporting.html.markup import Markup, element, raw

__all__ = ["Section", "document"]

_CRISP_PX = 48  # pictures up to this side are shown enlarged, every pixel a square
_SHOWN_PX = 104  # about how large a picture is shown


class Section(NamedTuple):
    """A part of a page, with a margin that explains it."""

    name: str  # to link to
    title: str
    explanation: str
    content: Markup


def document(title: str, headline: Markup, sections: Sequence[Section], *, side_px: int = 0) -> str:
    """Return a whole page as text.

    Args:
        title: in the browser's tab.
        headline: a `<header>`.
        sections: in order.
        side_px: the longest side of the pictures in them; 0: there are none.
    """
    style, script = _own("page.css"), _own("page.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", raw(style)),
    )
    links = [element("a", each.title, href=f"#{each.name}") for each in sections]
    inside = element(
        "div",
        headline,
        element("nav", *links, aria_label="Sections"),
        element("main", *[_section(*each) for each in sections], id="main"),
        class_="page",
    )
    skip = element("a", "Skip to the figures", href="#main", class_="skip")
    whole = element("body", skip, inside, element("script", raw(script)), **_picture_size(side_px))
    return f"<!doctype html>\n{element('html', head, whole, lang='en')}\n"


def _section(name: str, title: str, explanation: str, content: Markup) -> Markup:
    about = element("p", explanation) if explanation else None
    heading = element("h2", title, id=f"{name}-title")
    return element(
        "section",
        element("div", heading, about, class_="about"),
        element("div", content, class_="content"),
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _picture_size(side: int) -> dict[str, str]:
    """Return how pictures are shown: small ones enlarged by a whole factor, pixel for pixel."""
    if 0 < side <= _CRISP_PX:
        shown = side * max(1, round(_SHOWN_PX / side))
        return {"class_": "crisp", "style": f"--picture:{shown}px"}
    return {"style": f"--picture:{max(_SHOWN_PX, min(side, 128))}px"}


def _policy(script: str) -> str:
    """Allow the page its own script, styles and embedded pictures, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    own = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; {own}"


def _own(name: str) -> str:
    return (
        package_files("alexnet.reporting.html").joinpath(name).read_text(encoding="utf-8").strip()
    )
