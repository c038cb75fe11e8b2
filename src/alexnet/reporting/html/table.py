"""A table of the page that the reader sorts by any column, and scrolls where it is long."""

from __future__ import annotations

from collections.abc import Sequence

from alexnet.reporting.html.markup import Markup, element

__all__ = ["sortable_table"]

_LONG = 30  # rows; more scroll in a frame of their own


def sortable_table(
    columns: Sequence[str], rows: Sequence[Markup], *, kind: str, label: str, unnamed: str = ""
) -> Markup:
    """Put rows under a head of columns; the page's script sorts by those that have a name.

    Args:
        columns: names; "" for one whose cells are drawn.
        rows: "tr" elements; cells that sort by a number have it as `data_v`.
        kind: class of the table.
        label: what it shows, for those who hear the page.
        unnamed: what the column without a name shows, for them.
    """
    hidden = element("span", unnamed, class_="unseen")
    head = [element("th", name or hidden, scope="col", data_sort=name or None) for name in columns]
    table = element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_=f"{kind} sortable",
    )
    long = " long" if len(rows) > _LONG else ""
    return element("div", table, class_=f"scroll{long}", tabindex=0, role="group", aria_label=label)
