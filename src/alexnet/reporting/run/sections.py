"""The parts of the page that are words and tables: headline, classes, filters, recipe, command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.evaluation import wilson
from alexnet.images import Preprocessing
from alexnet.recipe import Recipe
from alexnet.records import ClassScore
from alexnet.reporting.html.markup import NARROW, Markup, bdi, element, join, number, percent
from alexnet.reporting.html.table import sortable_table
from alexnet.reporting.run.evidence import ReportEvidence
from alexnet.reporting.run.examples import as_data_uri, as_png
from alexnet.reporting.run.galleries import filter_columns, filter_grid
from alexnet.text import counted

__all__ = [
    "HEADLINE_FACTS",
    "class_table",
    "draw_filters",
    "draw_ways",
    "headline",
    "preprocessing_in_words",
    "repeat",
    "what_was_done",
]

HEADLINE_FACTS = ("pictures", "training time", "images/s", "machine")

_SPLITS = {"all": "", "train": "training ", "val": "validation "}
_SKIPPED = 50  # named in the page; skipped.csv of the run folder names all


def headline(evidence: ReportEvidence) -> Markup:
    """Say what was asked and what came out, with the interval, before anything else."""
    results = evidence.results
    low, high = results.top1_interval.low, results.top1_interval.high
    model = [str(evidence.recipe["model"])] if "model" in evidence.recipe else []
    digits = element("span", f"{100 * results.top1:.1f}", element("small", f"{NARROW}%"))
    kind = _SPLITS.get(evidence.split, f"{evidence.split} ")
    sentence = element(
        "p",
        f"of {counted(results.images, kind + 'picture')} answered right.",
        element("br"),
        f"95{NARROW}% interval {100 * low:.1f} to {percent(high)}.",
    )
    return element(
        "header",
        element("p", " · ".join(["alexnet report", *model]), class_="eyebrow"),
        element("h1", bdi(evidence.title)),
        element("div", element("p", digits, class_="figure"), sentence, class_="result"),
        _interval_bar(evidence),
        _definitions(_headline_facts(evidence), "facts"),
        *[element("p", note, class_="note") for note in _all_notes(evidence)],
    )


def class_table(evidence: ReportEvidence) -> Markup:
    """List the classes, the worst recall first; the script sorts by any column."""
    scores = sorted(
        enumerate(evidence.results.per_class),
        key=lambda pair: (pair[1].recall is None, pair[1].recall or 0.0, -pair[1].images),
    )
    return sortable_table(
        ("class", "recall", "", "precision", "pictures"),
        [_class_row(evidence, k, score) for k, score in scores],
        kind="classes",
        label="Classes",
        unnamed="95 % interval of the recall",
    )


def draw_filters(evidence: ReportEvidence) -> Markup:
    """Show the first layer's kernels, or say why there are none."""
    if evidence.filters is None or not len(evidence.filters):
        return element("p", evidence.no_filters, class_="empty")
    f, _, k, _ = evidence.filters.shape
    grid = filter_grid(evidence.filters)
    columns = min(filter_columns(f), f)
    picture = element(
        "img",
        src=as_data_uri(as_png(grid)),
        alt=f"{counted(f, 'kernel')} of the first layer, {k} by {k} pixels, in rows of {columns}",
        class_="kernels",
        style=f"--columns:{columns}",
    )
    grey = bool((evidence.filters == evidence.filters[:, :1]).all())
    over = ", red, green and blue added up" if grey else " over red, green and blue"
    caption = (
        f"{counted(f, 'kernel')} of {k} × {k} pixels{over}. Mid-grey is a weight of zero; each "
        "kernel is scaled by its own largest weight."
    )
    return element("figure", picture, element("figcaption", caption))


def what_was_done(evidence: ReportEvidence) -> Markup:
    """List recipe, preprocessing, split sizes, machine and the pictures left out."""
    sizes = {name: counted(n, "picture") for name, n in evidence.split_sizes.items()}
    others = {k: v for k, v in evidence.facts.items() if k not in HEADLINE_FACTS}
    return join(
        _part("Pictures", sizes),
        _part("From file to numbers", evidence.preprocessing),
        _recipe(evidence),
        _part("Machine and versions", others),
        _skipped(evidence.skipped),
    )


def repeat(evidence: ReportEvidence, files: Sequence[str]) -> Markup:
    """Show the command that makes the run again, and name the files beside the page."""
    command = element("pre", element("code", evidence.command), class_="command")
    links = [element("li", element("a", name, href=name)) for name in files]
    return join(
        command,
        element("p", "Beside this page, the figures as pictures and the data as tables:"),
        element("ul", *links, class_="files"),
    )


def _interval_bar(evidence: ReportEvidence) -> Markup:
    """Draw the interval on a line from 0 to 100 %, with the commonest class for comparison."""
    results = evidence.results
    low, high = results.top1_interval.low, results.top1_interval.high
    share = evidence.confusion.sum(axis=1).max() / max(evidence.confusion.sum(), 1)
    said = (
        f"{percent(results.top1)} right, interval {percent(low)} to {percent(high)}; always "
        f"answering the commonest class would be right in {percent(float(share))}"
    )
    floor = element("span", f"commonest class {percent(float(share))}")
    return element(
        "div",
        element("i", class_="base", style=f"left:{100 * share:.2f}%"),
        element("i", class_="band", style=f"left:{100 * low:.2f}%;right:{100 - 100 * high:.2f}%"),
        element("i", class_="point", style=f"left:{100 * results.top1:.2f}%"),
        element("span", floor, class_="floor", style=f"left:{100 * share:.2f}%"),
        class_="interval",
        role="img",
        aria_label=said,
    )


def _headline_facts(evidence: ReportEvidence) -> dict[str, str]:
    results = evidence.results
    found = {"balanced accuracy": percent(results.balanced_accuracy)}
    if len(evidence.classes) > 5:
        found["among the first five"] = percent(results.top5)
    found["mean loss"] = f"{number(results.loss)} nats"
    found["crops"] = str(results.crops)
    return found | {name: evidence.facts[name] for name in HEADLINE_FACTS if name in evidence.facts}


def _all_notes(evidence: ReportEvidence) -> list[str]:
    notes = list(evidence.notes)
    if missing := evidence.results.missing_classes:
        named = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        notes.append(f"{counted(len(missing), 'class', 'classes')} had no picture here: {named}.")
    if unreadable := evidence.results.unreadable:
        notes.append(
            f"{counted(len(unreadable), 'picture')} could not be read and are not counted."
        )
    return notes


def _class_row(evidence: ReportEvidence, k: int, score: ClassScore) -> Markup:
    low_high = wilson(score.recall, score.images) if score.recall is not None else None
    bar = None
    if low_high is not None:
        low, high = 100 * low_high.low, 100 * low_high.high
        bar = element(
            "span",
            element("i", class_="band", style=f"left:{low:.1f}%;right:{100 - high:.1f}%"),
            element("i", class_="point", style=f"left:{100 * (score.recall or 0):.1f}%"),
            class_="bar",
            title=f"95 % interval {percent(low_high.low)} to {percent(low_high.high)}",
        )
    code = element("small", bdi(score.name)) if evidence.name(k) != score.name else None
    name = element("th", element("span", bdi(evidence.name(k)), code), scope="row")
    return element(
        "tr",
        name,
        element("td", percent(score.recall), data_v=score.recall),
        element("td", bar, class_="bars"),
        element("td", percent(score.precision), data_v=score.precision),
        element("td", f"{score.images:,}", data_v=score.images),
    )


def _recipe(evidence: ReportEvidence) -> Markup:
    """List every field; those that differ from the defaults stand out."""
    usual = Recipe().to_json()
    rows = [
        element(
            "div",
            element("dt", name.replace("_", " ")),
            element("dd", _setting(value)),
            class_="own" if name not in usual or usual[name] != value else None,
        )
        for name, value in evidence.recipe.items()
    ]
    if not rows:
        return join()
    small = element("small", "Bold: other than the default.")
    return join(element("h3", "Recipe", small), element("dl", *rows, class_="facts dense"))


def _setting(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, np.ravel(np.asarray(value, dtype=object)))) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _part(title: str, facts: Mapping[str, str]) -> Markup:
    if not facts:
        return join()
    return join(element("h3", title), _definitions(facts, "facts dense"))


def _definitions(facts: Mapping[str, str], kind: str) -> Markup:
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in facts.items()
    ]
    return element("dl", *rows, class_=kind)


def _skipped(skipped: Sequence[tuple[str, str]]) -> Markup:
    heading = element("h3", "Left out")
    if not skipped:
        return join(heading, element("p", "Every picture could be read.", class_="empty"))
    rows = [element("li", bdi(path), element("small", why)) for path, why in skipped[:_SKIPPED]]
    more = len(skipped) - len(rows)
    return join(
        heading,
        element("p", f"{counted(len(skipped), 'picture')} could not be read."),
        element("ul", *rows, class_="skipped"),
        element("p", f"... and {more:,} more.") if more else None,
    )


def preprocessing_in_words(preprocessing: Preprocessing) -> dict[str, str]:
    """Return a phrase for each step by its name, in the order in which they are done."""
    side, cut = preprocessing.image_px, preprocessing.crop_px
    square = {
        "crop": f"the shorter side becomes {side} pixels, the central square is kept",
        "squash": f"both sides become {side} pixels, whatever their proportions",
        "pad": f"the longer side becomes {side} pixels, the rest is mid-grey",
    }
    whole = "the whole square" if cut == side else f"{cut} × {cut} pixels, the centre or as drawn"
    channels = {"RGB": "red, green, blue", "BGR": "blue, green, red"}
    return {
        "decoded": "to 8 bits in red, green and blue, upright as the camera noted",
        "made square": square[preprocessing.fit],
        "cut": whole,
        "subtracted": _subtracted(preprocessing),
        "divided": (
            "by nothing"
            if preprocessing.scale is None
            else f"by the deviation of each channel: {_levels(preprocessing.scale)}"
        ),
        "channels": channels[preprocessing.order],
    }


def _subtracted(preprocessing: Preprocessing) -> str:
    mean = preprocessing.mean
    if mean is None:
        return "nothing"
    if mean.ndim == 1:
        return f"the mean colour of the training pictures: {_levels(mean)}"
    where = "its central cut" if preprocessing.mean_at == "centre" else "cut where the crop lies"
    return f"the mean image of the training pictures, {where}"


def _levels(values: NDArray[np.float32]) -> str:
    return ", ".join(f"{float(value):.1f}" for value in values)


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
