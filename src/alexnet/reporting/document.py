"""The frame of every page: one HTML file with its own style and script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files as package_files

from alexnet.reporting.markup import Markup, element, raw

__all__ = ["document"]


def document(
    title: str,
    headline: Markup,
    sections: Sequence[tuple[str, str, str, Markup]],
    **body: str,
) -> str:
    """Return a whole page as text.

    Args:
        title: in the browser's tab.
        headline: a `<header>`.
        sections: name, title, explanation ("": none) and content of each.
        **body: attributes of `<body>`, as `element` takes them.
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
    links = [element("a", title, href=f"#{name}") for name, title, _, _ in sections]
    inside = element(
        "div",
        headline,
        element("nav", *links, aria_label="Sections"),
        element("main", *[_section(*each) for each in sections], id="main"),
        class_="page",
    )
    skip = element("a", "Skip to the figures", href="#main", class_="skip")
    whole = element("body", skip, inside, element("script", raw(script)), **body)
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


def _policy(script: str) -> str:
    """Allow the page its own script, styles and embedded pictures, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    own = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; {own}"


def _own(name: str) -> str:
    return package_files("alexnet.reporting").joinpath(name).read_text(encoding="utf-8").strip()
