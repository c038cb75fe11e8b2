"""The page of a learning-rate range test, which opens from disk."""

from __future__ import annotations

from pathlib import Path

from alexnet.records import TuneReport
from alexnet.reporting.charts.painter import (
    CORRECT,
    NARROW_PX,
    SOFT,
    WIDE_PX,
    Chart,
    chart_style,
    name_upright_axis,
    new_chart,
    number_ticks,
    to_svg,
)
from alexnet.reporting.html.render import render, write_page
from alexnet.text import format_number

__all__ = ["write_lr_finder_report"]


def write_lr_finder_report(page: Path, report: TuneReport, source: str, command: str) -> Path:
    """Write the page: loss over learning rate, the suggestion and its reason.

    Args:
        page: the file to write.
        report: what the test measured.
        source: name of the images.
        command: what trains with this rate.

    Raises:
        RunError: the disk refuses.
    """
    title = "The rate rises, step by step"
    drawn = Chart(title, _draw(report, WIDE_PX), _draw(report, NARROW_PX))
    text = render("lr_finder.html", report=report, source=source, words=command, drawn=drawn)
    return write_page(page, text)


def _draw(report: TuneReport, width: int) -> str:
    """Draw the losses; those above the start are cut off, since they only explode from there."""
    top = 1.15 * max(report.smoothed_losses[0], min(report.smoothed_losses))
    with chart_style(seed=f"range test {width}"):
        axes = new_chart(width, 340)
        axes.set_xscale("log")
        axes.plot(report.lrs, report.losses, color=SOFT, linewidth=1, alpha=0.55)
        axes.plot(report.lrs, report.smoothed_losses, color=CORRECT)
        for rate in (report.fall_start_lr, report.lr, report.fall_end_lr):
            axes.axvline(rate, color=SOFT, linestyle=(0, (1, 3)), linewidth=1)
        axes.set_xlim(report.lrs[0], report.lrs[-1])
        low = min(*report.losses, *report.smoothed_losses)
        axes.set_ylim(max(0, low - 0.06 * (top - low)), top + 0.06 * (top - low))
        axes.annotate(
            format_number(report.lr),
            (report.lr, 1),
            (5, -10),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=SOFT,
        )
        axes.set_xlabel("learning rate")
        name_upright_axis(axes, "training loss, nats")
        number_ticks(axes.xaxis)
        number_ticks(axes.yaxis)
        return to_svg(axes, f"Loss over learning rate. {report.reason}")
