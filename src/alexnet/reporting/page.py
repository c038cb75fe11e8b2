"""The page: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

from collections.abc import Sequence

from alexnet.reporting.album import Album
from alexnet.reporting.cases import Cases
from alexnet.reporting.confusion import draw_confusion
from alexnet.reporting.curves import draw_curves
from alexnet.reporting.document import document
from alexnet.reporting.evidence import ReportEvidence
from alexnet.reporting.galleries import draw_galleries
from alexnet.reporting.markup import Markup, element
from alexnet.reporting.sections import (
    class_table,
    draw_filters,
    headline,
    repeat,
    what_was_done,
)

__all__ = ["draw_page"]

_CRISP_PX = 48  # pictures up to this side are shown enlarged, every pixel a square
_SHOWN_PX = 104  # about how large a picture is shown


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
        **_picture_size(album),
    )


def _sections(
    evidence: ReportEvidence, cases: Cases, album: Album, files: Sequence[str]
) -> list[tuple[str, str, str, Markup]]:
    """Return name, title, explanation and content of each section."""
    curves = (
        draw_curves(evidence.epochs, evidence.recipe, len(evidence.classes))
        if evidence.epochs
        else element("p", "No training was recorded here.", class_="empty")
    )
    return [
        (
            "curves",
            "Training",
            (
                "Train figures are taken on the way, with augmentation and dropout; validation "
                "figures after each epoch, without. The ring marks the epoch that was kept."
            ),
            curves,
        ),
        (
            "confusion",
            "What is mixed up",
            "Each row is a true class, each column an answer.",
            draw_confusion(evidence, cases, album),
        ),
        (
            "classes",
            "Classes",
            (
                "Recall: how many of a class were found. Precision: how many answers of a class "
                "were right. Worst recall first."
            ),
            class_table(evidence),
        ),
        (
            "pictures",
            "Pictures",
            "Wrong answers first: where the network is sure and wrong, look at the label too.",
            draw_galleries(evidence, cases, album),
        ),
        (
            "filters",
            "First layer",
            "What the first convolution looks for in the picture.",
            draw_filters(evidence),
        ),
        ("done", "What was done", "", what_was_done(evidence)),
        ("repeat", "Once more", "The same command makes the same run.", repeat(evidence, files)),
    ]


def _picture_size(album: Album) -> dict[str, str]:
    """Return how pictures are shown: small ones enlarged by a whole factor, pixel for pixel."""
    side = album.side_px
    if 0 < side <= _CRISP_PX:
        shown = side * max(1, round(_SHOWN_PX / side))
        return {"class_": "crisp", "style": f"--picture:{shown}px"}
    return {"style": f"--picture:{max(_SHOWN_PX, min(side, 128))}px"}
