"""The page: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files as package_files
from typing import NamedTuple

from alexnet.reporting.album import Album
from alexnet.reporting.cases import Cases
from alexnet.reporting.confusion import draw_confusion
from alexnet.reporting.curves import draw_curves
from alexnet.reporting.evidence import ReportEvidence
from alexnet.reporting.galleries import draw_galleries
from alexnet.reporting.markup import Markup, element, raw
from alexnet.reporting.sections import (
    class_table,
    draw_filters,
    headline,
    repeat,
    what_was_done,
)

__all__ = ["Section", "document", "draw_page"]

_CRISP_PX = 48  # pictures up to this side are shown enlarged, every pixel a square
_SHOWN_PX = 104  # about how large a picture is shown


class Section(NamedTuple):
    """A part of a page, with a margin that explains it."""

    name: str  # to link to
    title: str
    explanation: str
    content: Markup


def draw_page(evidence: ReportEvidence, cases: Cases, album: Album, files: Sequence[str]) -> str:
    """Draw the whole page.

    Args:
        evidence: what was asked, done and found.
        cases: which pictures to show.
        album: those pictures.
        files: names of the files beside the page, to link to.
    """
    return document(
        f"{evidence.title} · alexnet report",
        headline(evidence),
        _sections(evidence, cases, album, files),
        side_px=album.side_px,
    )


def document(title: str, header: Markup, sections: Sequence[Section], *, side_px: int) -> str:
    """Return a page: one HTML text with its style, its script and its pictures inside.

    Args:
        title: of the window.
        header: what stands above the sections.
        sections: in order.
        side_px: the longest side of the pictures in them.
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
    body = element(
        "body",
        element("a", "Skip to the figures", href="#main", class_="skip"),
        element(
            "div",
            header,
            element("nav", *links, aria_label="Sections"),
            element("main", *[_section(*each) for each in sections], id="main"),
            class_="page",
        ),
        element("script", raw(script)),
        **_picture_size(side_px),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _sections(
    evidence: ReportEvidence, cases: Cases, album: Album, files: Sequence[str]
) -> list[Section]:
    """Return the sections in order."""
    curves = (
        draw_curves(evidence.epochs, evidence.recipe, len(evidence.classes))
        if evidence.epochs
        else element("p", "No training was recorded here.", class_="empty")
    )
    return [
        Section(
            "curves",
            "Training",
            (
                "Train figures are taken on the way, with augmentation and dropout; validation "
                "figures after each epoch, without. The ring marks the epoch that was kept."
            ),
            curves,
        ),
        Section(
            "confusion",
            "What is mixed up",
            "Each row is a true class, each column an answer.",
            draw_confusion(evidence, cases, album),
        ),
        Section(
            "classes",
            "Classes",
            (
                "Recall: how many of a class were found. Precision: how many answers of a class "
                "were right. Worst recall first."
            ),
            class_table(evidence),
        ),
        Section(
            "pictures",
            "Pictures",
            "Wrong answers first: where the network is sure and wrong, look at the label too.",
            draw_galleries(evidence, cases, album),
        ),
        Section(
            "filters",
            "First layer",
            "What the first convolution looks for in the picture.",
            draw_filters(evidence),
        ),
        Section("done", "What was done", "", what_was_done(evidence)),
        Section(
            "repeat", "Once more", "The same command makes the same run.", repeat(evidence, files)
        ),
    ]


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
    return package_files("alexnet.reporting").joinpath(name).read_text(encoding="utf-8").strip()
