"""Other ways to the same classifier, beside each other on the page of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alexnet.reporting.markup import Markup, element
from alexnet.reporting.words import NARROW, percent

__all__ = ["draw_ways"]


def draw_ways(compared: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw a row for each way: its share of right answers with the interval, and what it took.

    Args:
        compared: plain values, as `Compared.to_json()` gives them.
    """
    columns = ("way", "right", "95 % interval", "balanced", "taught in")
    head = [element("th", name, scope="col") for name in columns]
    rows = [_row(each) for each in compared]
    table = element("table", element("thead", element("tr", *head)), element("tbody", *rows))
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label="Ways")


def _row(way: Mapping[str, Any]) -> Markup:
    results, remark = way["results"], way["remark"]
    note = element("small", f" {remark}") if remark else None
    name = element("th", way["name"], note, scope="row")
    if not results:
        return element("tr", name, *[element("td", "–") for _ in range(4)])
    interval = results["top1_interval"]
    cells = (
        percent(results["top1"]),
        f"{percent(interval['low'])} to {percent(interval['high'])}",
        percent(results["balanced_accuracy"]),
        f"{way['seconds']:,.0f}{NARROW}s",
    )
    return element("tr", name, *[element("td", cell) for cell in cells])
