"""How the training went: loss, error and rate over the epochs, as drawings and as a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alexnet.records import Epoch
from alexnet.reporting.charts.line_chart import Chart, Line, draw_chart
from alexnet.reporting.html.markup import Markup, element, join, list_in_words, number, percent

__all__ = ["cuts_of", "draw_curves", "epoch_table", "falls_far"]

_COLUMNS = ("epoch", "rate", "train loss", "train error", "val. loss", "val. error", "images/s")
_FAR = 30  # from the largest loss to the smallest: above it the axis is logarithmic
_ROWS = 200  # most rows of the table in the page; curves.csv has them all


def draw_curves(epochs: Sequence[Epoch], recipe: Mapping[str, Any], classes: int) -> Markup:
    """Draw loss, error and rate, and put the figures in a table that can be unfolded.

    Args:
        epochs: at least one, in order.
        recipe: fields of the recipe; its schedule says whether a falling rate is a cut.
        classes: K; the top-5 error is drawn above 5 classes.
    """
    cuts = cuts_of(epochs, recipe)
    charts = (_loss(epochs, cuts), _error(epochs, cuts, classes), _rate(epochs, cuts))
    return join(
        element("div", *map(draw_chart, charts), _readout(epochs), class_="charts"),
        element("details", element("summary", "Every epoch in figures"), epoch_table(epochs)),
    )


def cuts_of(epochs: Sequence[Epoch], recipe: Mapping[str, Any]) -> list[int]:
    """Return the epochs from which on the rate is lower; none where it falls all the time."""
    if recipe.get("schedule") not in ("plateau", "steps"):
        return []
    pairs = itertools.pairwise(epochs)
    return [after.epoch for before, after in pairs if after.lr < before.lr * (1 - 1e-9)]


def falls_far(epochs: Sequence[Epoch]) -> bool:
    """Whether the losses span so much that a linear axis would show a line along its foot."""
    losses = _finite(loss for each in epochs for loss in (each.train_loss, each.val_loss))
    known = [each for each in losses if each is not None]
    return bool(known) and 0 < _FAR * min(known) < max(known)


def epoch_table(epochs: Sequence[Epoch]) -> Markup:
    """Write the epochs as a table, thinned evenly where they are many."""
    step = -(-len(epochs) // _ROWS)
    shown = [each for i, each in enumerate(epochs) if i % step == 0 or i == len(epochs) - 1]
    head = element("tr", *[element("th", name, scope="col") for name in _COLUMNS])
    rows = [_row(each) for each in shown]
    table = element(
        "table", element("thead", head), element("tbody", *rows), class_="figures", id="epochs"
    )
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label="Epochs")


def _row(epoch: Epoch) -> Markup:
    first = element("th", epoch.epoch, scope="row")
    cells = [element("td", each) for each in _figures(epoch)]
    return element("tr", first, *cells, class_="best" if epoch.best else None)


def _figures(epoch: Epoch) -> list[str]:
    """Write what stands under `_COLUMNS`, without the epoch itself."""
    speed = epoch.images_per_s
    return [
        number(epoch.lr),
        number(epoch.train_loss),
        percent(epoch.train_error, 2),
        number(epoch.val_loss),
        percent(epoch.val_error, 2),
        f"{speed:,.0f}" if math.isfinite(speed) else "–",
    ]


def _readout(epochs: Sequence[Epoch]) -> Markup:
    """Write the figures of the kept epoch; the script shows those under the pointer instead."""
    kept = next((each for each in reversed(epochs) if each.best), epochs[-1])
    rows = zip(_COLUMNS[1:], _figures(kept), strict=True)
    terms = [element("div", element("dt", name), element("dd", value)) for name, value in rows]
    which = "the weights that were kept" if kept.best else "the last one"
    heading = element("p", f"Epoch {kept.epoch}", element("span", which), class_="which")
    return element("div", heading, element("dl", *terms), class_="readout")


def _loss(epochs: Sequence[Epoch], cuts: Sequence[int]) -> Chart:
    train = _finite(each.train_loss for each in epochs)
    val = _finite(each.val_loss for each in epochs)
    sentence = f"Training loss from {number(train[0])} to {number(train[-1])}"
    if val[-1] is not None:
        sentence += f", validation loss from {number(val[0])} to {number(val[-1])}"
    logarithmic = falls_far(epochs)
    return Chart(
        title="Loss, nats" + (", in powers of ten" if logarithmic else ""),
        sentence=f"{sentence}.",
        x=[each.epoch for each in epochs],
        lines=[Line("train", "train", train), Line("validation", "val", val)],
        logarithmic=logarithmic,
        marks=cuts,
    )


def _error(epochs: Sequence[Epoch], cuts: Sequence[int], classes: int) -> Chart:
    train = _finite(each.train_error for each in epochs)
    val = _finite(each.val_error for each in epochs)
    lines = [Line("train", "train", train), Line("validation", "val", val)]
    if classes > 5:
        top5 = _finite(each.val_top5_error for each in epochs)
        lines.append(Line("val. top-5", "val faint", top5))
    kept = [(each.epoch, v) for each, v in zip(epochs, val, strict=True) if each.best]
    best = next(((epoch, v) for epoch, v in reversed(kept) if v is not None), None)
    sentence = f"Training error from {percent(train[0])} to {percent(train[-1])}"
    if best:
        sentence += f"; best validation error {percent(best[1])} after epoch {best[0]}"
    return Chart(
        title="Error, share of wrong answers",
        sentence=f"{sentence}.",
        x=[each.epoch for each in epochs],
        lines=lines,
        unit="percent",
        marks=cuts,
        ring=best,
    )


def _rate(epochs: Sequence[Epoch], cuts: Sequence[int]) -> Chart:
    rates = _finite(each.lr for each in epochs)
    logarithmic = bool(cuts) and all(rates)
    sentence = f"From {number(rates[0])} to {number(rates[-1])}"
    if cuts:
        sentence += f", cut at epoch {list_in_words([str(cut) for cut in cuts])}"
    return Chart(
        title="Learning rate" + (", dotted where it was cut" if cuts else ""),
        sentence=f"{sentence}.",
        x=[each.epoch for each in epochs],
        lines=[Line("", "rate steps" if cuts else "rate", rates)],
        logarithmic=logarithmic,
        marks=cuts,
        height=170,
    )


def _finite(values: Iterable[float | None]) -> list[float | None]:
    return [v if v is not None and math.isfinite(v) else None for v in values]
