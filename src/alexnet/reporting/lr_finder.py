"""The picture of a learning-rate range test, as a page that opens from disk."""

from __future__ import annotations

from pathlib import Path

from alexnet.files import replace_file
from alexnet.records import TuneReport
from alexnet.reporting.charts.plot import Axis, Plot, Trace, Upright, axis_over, draw_plot
from alexnet.reporting.html.markup import Markup, bdi, element, number
from alexnet.reporting.html.page import Section, document

__all__ = ["write_range_page"]


def write_range_page(page: Path, report: TuneReport, source: str, command: str) -> Path:
    """Write the page: loss against rate, the suggestion and its reason.

    Args:
        page: the file to write.
        report: what the test saw.
        source: name of the pictures.
        command: what trains with this rate.

    Raises:
        RunError: the disk refuses.
    """
    sections = [
        Section(
            "picture",
            "Loss against rate",
            "Grey: each step. Dark: smoothed. The rate rises from left to right.",
            draw_plot(_plot(report)),
        ),
        Section("reason", "Why this rate", "", element("p", report.reason)),
        Section(
            "next",
            "Train with it",
            "",
            element("pre", element("code", command), class_="command"),
        ),
    ]
    text = document(f"{source} · learning rate", _headline(report, source), sections)
    replace_file(page, lambda file: file.write(text.encode()))
    return page


def _headline(report: TuneReport, source: str) -> Markup:
    words = element("p", "is the learning rate that the range test suggests.")
    return element(
        "header",
        element("p", f"alexnet tune lr · {report.model}", class_="eyebrow"),
        element("h1", bdi(source)),
        element(
            "div",
            element("p", element("span", f"{report.lr:g}"), class_="figure"),
            words,
            class_="result",
        ),
    )


def _plot(report: TuneReport) -> Plot:
    top = 1.15 * max(report.smoothed[0], min(report.smoothed))
    losses = [(r, min(v, top)) for r, v in zip(report.rates, report.losses, strict=True)]
    smoothed = [(r, min(v, top)) for r, v in zip(report.rates, report.smoothed, strict=True)]
    return Plot(
        title="The rate rises, step by step",
        sentence=report.reason,
        x=Axis("learning rate", report.rates[0], report.rates[-1], "log"),
        y=axis_over("training loss, nats", [value for _, value in (*losses, *smoothed)]),
        traces=[Trace(losses, "thin"), Trace(smoothed, "val")],
        uprights=[
            Upright(report.falls_from),
            Upright(report.lr, number(report.lr)),
            Upright(report.falls_to),
        ],
        width=840,
        height=340,
    )
