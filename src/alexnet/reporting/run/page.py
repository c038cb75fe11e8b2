"""The page: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

from collections.abc import Sequence

from alexnet.reporting.charts.curves import draw_curves
from alexnet.reporting.html.markup import element
from alexnet.reporting.html.page import Section, document
from alexnet.reporting.run.confusion import draw_confusion
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import Album, Cases
from alexnet.reporting.run.galleries import draw_galleries
from alexnet.reporting.run.sections import (
    class_table,
    draw_filters,
    draw_ways,
    headline,
    repeat,
    what_was_done,
)

__all__ = ["draw_page"]


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
        *_ways(evidence),
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


def _ways(evidence: ReportEvidence) -> list[Section]:
    if not evidence.compared:
        return []
    crops = next((each["results"]["crops"] for each in evidence.compared if each["results"]), 1)
    views = "the centre crop" if crops == 1 else f"the mean of {crops} crops"
    explanation = f"The same pictures, the same split, {views} of each held-out picture."
    return [Section("ways", "Other ways", explanation, draw_ways(evidence.compared))]
