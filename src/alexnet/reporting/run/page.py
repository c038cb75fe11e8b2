"""What the page of a run shows, section by section; `templates/run.html` says how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from alexnet.evaluation import wilson_interval
from alexnet.recipe import Recipe
from alexnet.records import ClassScore, Epoch, Interval
from alexnet.reporting.charts.curves import TrainingCharts
from alexnet.reporting.charts.images import filter_columns, filter_grid
from alexnet.reporting.html.format import percent
from alexnet.reporting.html.render import render
from alexnet.reporting.run.data import ReportData
from alexnet.reporting.run.examples import Examples
from alexnet.reporting.run.matrix import Card, card_of, matrix_of
from alexnet.reporting.thumbnails import Thumbnails, data_uri, encode_png
from alexnet.text import describe_reliability, format_count, format_number, format_setting

__all__ = ["draw_page"]

_HEADLINE = ("images", "training time", "images/s", "machine")  # of the facts
_SPLITS = {"all": "", "train": "training ", "val": "validation ", "cross-validation": ""}
_ROWS = 200  # most epochs in the page; curves.csv has them all
_OUT_OF_FOLD = (
    "The figures are out of fold: each image was predicted by a classifier that had not learned "
    "from it. The classifier that was saved learned from all of them."
)
_NAMED = 10  # classes without an image


class _EpochRow(NamedTuple):
    number: int
    best: bool
    figures: dict[str, str]


class _ClassRow(NamedTuple):
    name: str
    code: str  # where the name is words for one
    score: ClassScore
    interval: Interval | None  # of the recall


class _Gallery(NamedTuple):
    title: str
    caption: str
    cards: list[Card]


class _Filters(NamedTuple):
    uri: str
    columns: int
    alt: str
    caption: str


class _Field(NamedTuple):
    name: str
    value: str
    own: bool  # other than the default


def draw_page(
    data: ReportData, examples: Examples, thumbnails: Thumbnails, files: Sequence[str]
) -> str:
    """Draw the whole page.

    Args:
        data: the run and its predictions.
        examples: which images to show.
        thumbnails: those images.
        files: names of the files beside the page, to link to.
    """
    results, counts = data.results, data.confusion.sum(axis=1)
    epochs = [_epoch_row(epoch) for epoch in _thinned(data.epochs)]
    return render(
        "run.html",
        side_px=thumbnails.side_px,
        data=data,
        results=results,
        interval=results.top1_interval,
        reliability=describe_reliability(
            results.images, results.top1_interval.low, results.top1_interval.high
        ),
        split=_SPLITS.get(data.split, f"{data.split} "),
        most_frequent=float(counts.max() / max(counts.sum(), 1)),
        headline=_headline(data),
        remarks=_remarks(data),
        views=_views(data.baselines),
        charts=_charts(data),
        epochs=epochs,
        saved_epoch=next(
            (row for row in reversed(epochs) if row.best), epochs[-1] if epochs else None
        ),
        matrix=matrix_of(data, examples, thumbnails),
        classes=_class_rows(data),
        galleries=_galleries(data, examples, thumbnails),
        filters=_filters(data),
        settings=_settings(data),
        recipe=_recipe(data.recipe),
        file_names=files,
        has_figures=any(name.endswith(".png") for name in files),
    )


def _headline(data: ReportData) -> dict[str, str]:
    results = data.results
    facts = {"balanced accuracy": percent(results.balanced_accuracy)}
    if len(data.classes) > 5:
        facts["top-5 accuracy"] = percent(results.top5)
    facts["mean loss"] = f"{format_number(results.loss)} nats"
    if results.calibration_error is not None:
        facts["calibration error"] = percent(results.calibration_error)
    facts["crops"] = str(results.crops)
    return facts | {name: data.facts[name] for name in _HEADLINE if name in data.facts}


def _remarks(data: ReportData) -> list[str]:
    notes = list(data.notes)
    if data.split == "cross-validation":
        notes.insert(0, _OUT_OF_FOLD)
    if missing := data.results.missing_classes:
        named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        notes.append(
            f"{format_count(len(missing), 'class', 'classes')} had no image here: {named}."
        )
    if unreadable := data.results.unreadable:
        count = format_count(len(unreadable), "image")
        notes.append(f"{count} could not be read and are not counted.")
    return notes


def _views(baselines: Sequence[Mapping[str, Any]]) -> str:
    measured = [each["results"] for each in baselines if each["results"]]
    crops = measured[0]["crops"] if measured else 1
    return "the center crop" if crops == 1 else f"the mean of {crops} crops"


def _charts(data: ReportData) -> list[tuple[str, str]]:
    if not data.epochs:
        return []
    return TrainingCharts(data.epochs, data.recipe, len(data.classes)).svgs()


def _thinned(epochs: Sequence[Epoch]) -> list[Epoch]:
    """Return epochs spread evenly where they are many, the last one and the best among them."""
    step = -(-len(epochs) // _ROWS)
    last = len(epochs) - 1
    best = max((i for i, epoch in enumerate(epochs) if epoch.best), default=last)
    return [epoch for i, epoch in enumerate(epochs) if i % step == 0 or i in (best, last)]


def _epoch_row(epoch: Epoch) -> _EpochRow:
    speed = epoch.images_per_s
    figures = {
        "learning rate": format_number(epoch.lr),
        "train loss": format_number(epoch.train_loss),
        "train error": percent(epoch.train_error, 2),
        "val. loss": format_number(epoch.val_loss),
        "val. error": percent(epoch.val_error, 2),
        "images/s": f"{speed:,.0f}" if math.isfinite(speed) else "–",
    }
    return _EpochRow(epoch.epoch, epoch.best, figures)


def _class_rows(data: ReportData) -> list[_ClassRow]:
    """Return the classes, the lowest recall first; the script sorts by any column."""
    scores = sorted(
        enumerate(data.results.per_class),
        key=lambda pair: (pair[1].recall is None, pair[1].recall or 0.0, -pair[1].images),
    )
    return [
        _ClassRow(
            data.name(k),
            "" if data.name(k) == score.name else score.name,
            score,
            None if score.recall is None else wilson_interval(score.recall, score.images),
        )
        for k, score in scores
    ]


def _galleries(data: ReportData, examples: Examples, thumbnails: Thumbnails) -> list[_Gallery]:
    """Return mistakes, the most confident first, then what is correct: the least confident first.

    Where there are none, a gallery without cards says so.
    """
    correct = int(data.correct.sum())
    mistakes = len(data.correct) - correct
    galleries = [
        _Gallery(title, caption, [card_of(data, item, thumbnails) for item in items])
        for title, caption, items in (
            (
                "Mistakes",
                _of(examples.mistakes, mistakes, "mistake", "most confident first"),
                examples.mistakes,
            ),
            (
                "Correct, least confident",
                _of(examples.least_confident, correct, "correct prediction", "least first"),
                examples.least_confident,
            ),
            (
                "Correct, most confident",
                "The most confident of each class.",
                examples.most_confident,
            ),
        )
    ]
    if not mistakes:
        galleries[0] = _Gallery("", "Every image was predicted correctly.", [])
    if not correct:
        galleries[1:] = [_Gallery("", "No image was predicted correctly.", [])]
    return galleries


def _of(items: Sequence[int], total: int, what: str, order: str) -> str:
    count = format_count(total, what)
    return f"{count}, {order}." if len(items) == total else f"{len(items)} of {count}, {order}."


def _filters(data: ReportData) -> _Filters | None:
    if data.filters is None or not len(data.filters):
        return None
    f, _, k, _ = data.filters.shape
    kernels, columns = format_count(f, "kernel"), filter_columns(f)
    gray = bool((data.filters == data.filters[:, :1]).all())
    over = ", red, green and blue added up" if gray else " over red, green and blue"
    return _Filters(
        data_uri(encode_png(filter_grid(data.filters))),
        columns,
        f"{kernels} of the first layer, {k} by {k} pixels, in rows of {columns}",
        f"{kernels} of {k} × {k} pixels{over}. Mid-gray is a weight of zero; each kernel is "
        "scaled by its own largest weight.",
    )


def _settings(data: ReportData) -> dict[str, Mapping[str, str]]:
    return {
        "Images": {name: format_count(n, "image") for name, n in data.split_sizes.items()},
        "Preprocessing": data.preprocessing,
        "Machine and versions": {k: v for k, v in data.facts.items() if k not in _HEADLINE},
    }


def _recipe(recipe: Mapping[str, Any]) -> list[_Field]:
    defaults = Recipe().to_json()
    return [
        _Field(name, format_setting(value), name not in defaults or defaults[name] != value)
        for name, value in recipe.items()
    ]
