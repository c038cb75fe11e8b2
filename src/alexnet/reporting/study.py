"""The page of a study: what was searched, what was found, and the argument for random search."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.files import replace_file, write_csv
from alexnet.records import SearchedField, SearchReport, TrialRecord
from alexnet.reporting.charts.study import (
    draw_argument,
    draw_best_so_far,
    draw_curves_of_trials,
    draw_importance,
    draw_pairs,
)
from alexnet.reporting.html.markup import NARROW, Markup, bdi, element, join, number, percent
from alexnet.reporting.html.page import Section, document
from alexnet.text import counted

__all__ = ["draw_study_page", "write_study_report"]

_ROWS = 400  # trials in the table; trials.csv has them all


def draw_study_page(
    report: SearchReport, layouts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> str:
    """Draw the whole page.

    Args:
        report: the study.
        layouts: under "random" and "grid" the values that each would try in as many trials.
    """
    sections = [
        Section(
            "best",
            "Best so far",
            (
                "How much another trial brought. Dots are trials, in the order in which they "
                "began; crosses failed."
            ),
            draw_best_so_far(report),
        ),
        Section(
            "trials",
            "Every trial",
            "Lines that end early were given up, since they had fallen behind.",
            draw_curves_of_trials(report),
        ),
        Section(
            "decides",
            "What decides",
            (
                "How much of the way to a good trial each field decides (PED-ANOVA). Few "
                "trials say little: look at the pairs, too."
            ),
            draw_importance(report),
        ),
        Section(
            "argument",
            "Random against grid",
            (
                "Bergstra and Bengio 2012: where one field matters more than the others, random "
                "search tries more values of it in the same number of trials."
            ),
            draw_argument(report, layouts),
        ),
        Section("pairs", "Pairs", "The fields that decide most, two by two.", draw_pairs(report)),
        Section("space", "What moved", "", _space(report)),
        Section("table", "All trials", "A click on a heading sorts.", _trials(report)),
        Section("next", "The answer", "", _answer(report)),
    ]
    title = report.source.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return document(f"{title} · alexnet search", _headline(report, title), sections)


def _headline(report: SearchReport, title: str) -> Markup:
    best = report.best
    if best is None or best.error is None:
        result = element("p", "No trial has come to its end yet.")
    else:
        digits = element("span", f"{100 * best.error:.1f}", element("small", f"{NARROW}%"))
        words = element(
            "p",
            f"validation error at best, trial {best.number}.",
            element("br"),
            ", ".join(f"{name} {_shown(value)}" for name, value in best.values.items()),
        )
        result = join(element("p", digits, class_="figure"), words)
    states = [each.state for each in report.trials]
    facts = {
        "trials": f"{len(report.trials)} of {report.wanted}",
        **{state: str(states.count(state)) for state in dict.fromkeys(states)},
        "sampler": report.sampler,
        "pruner": report.pruner,
        "epochs of a trial": str(report.epochs),
    }
    rows = [element("div", element("dt", n), element("dd", v)) for n, v in facts.items()]
    return element(
        "header",
        element("p", f"alexnet search · {report.model}", class_="eyebrow"),
        element("h1", bdi(title)),
        element("div", result, class_="result"),
        element("dl", *rows, class_="facts"),
        *[element("p", note, class_="note") for note in _notes(report)],
    )


def _notes(report: SearchReport) -> list[str]:
    flatters = (
        "The validation pictures chose among the trials, so the lowest error flatters: a test "
        "split that no trial has seen gives a fair figure (--retrain)."
    )
    notes = [flatters]
    if report.retrained:
        notes = [_retrained_in_words(report)]
    if not report.done:
        notes.append("The study is not done; the same command goes on with it.")
    return notes


def _retrained_in_words(report: SearchReport) -> str:
    errors = [each.error for each in report.retrained if each.error is not None]
    spread = f" ± {percent(statistics.stdev(errors), 2)}" if len(errors) > 1 else ""
    first = report.retrained[0]
    return (
        f"Trained again with {counted(len(errors), 'other seed')}, the best recipe has "
        f"{percent(statistics.mean(errors), 2)}{spread} error on "
        f"{counted(first.images, f'{first.split} picture')}."
    )


def _space(report: SearchReport) -> Markup:
    head = element("tr", *[element("th", each) for each in ("field", "values", "scale", "recipe")])
    rows = [
        element(
            "tr",
            element("th", each.field, scope="row"),
            element("td", _values(each)),
            element("td", each.scale or "choices"),
            element("td", _shown(each.usual)),
        )
        for each in report.space
    ]
    return element("table", element("thead", head), element("tbody", *rows), class_="figures")


def _trials(report: SearchReport) -> Markup:
    fields = [each.field for each in report.space]
    columns = ("trial", "val. error", *fields, "epochs")
    head = [element("th", name, scope="col", data_sort=name) for name in columns]
    head.append(element("th", "ended", scope="col", class_="reason"))
    rows = [_row(report, each, fields) for each in report.trials[:_ROWS]]
    table = element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="figures sortable",
    )
    return element(
        "div", table, class_="scroll long", tabindex=0, role="group", aria_label="Trials"
    )


def _row(report: SearchReport, trial: TrialRecord, fields: Sequence[str]) -> Markup:
    best = report.best is not None and report.best.number == trial.number
    cells = [element("td", percent(trial.error, 2), data_v=trial.error)]
    for name in fields:
        value = trial.values.get(name)
        numeric = value if isinstance(value, int | float) else None
        cells.append(element("td", _shown(value), data_v=numeric))
    cells.append(element("td", len(trial.curve), data_v=len(trial.curve)))
    cells.append(element("td", trial.reason or trial.state, class_="reason"))
    first = element("th", trial.number, scope="row")
    return element("tr", first, *cells, class_="best" if best else None)


def _answer(report: SearchReport) -> Markup:
    if report.best_recipe is None:
        return element("p", "There is no best recipe yet.", class_="empty")
    source, recipe = shlex.quote(report.source), shlex.quote(report.best_recipe)
    rows = [
        element("li", f"seed {each.seed}: {percent(each.error, 2)} on {each.split}, {each.run}")
        for each in report.retrained
    ]
    return join(
        element("p", "Train with what was found:"),
        element(
            "pre", element("code", f"alexnet train {source} --recipe {recipe}"), class_="command"
        ),
        join(element("h3", "Trained again"), element("ul", *rows)) if rows else None,
        element("p", "Beside this page, every trial as a table:"),
        element("ul", element("li", element("a", "trials.csv", href="trials.csv")), class_="files"),
    )


def _values(field: SearchedField) -> str:
    condition = f", with {field.only_with}" if field.only_with else ""
    if field.choices is not None:
        return ", ".join(map(_shown, field.choices)) + condition
    return f"{_shown(field.low)} to {_shown(field.high)}{condition}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def write_study_report(
    folder: Path, report: SearchReport, layouts: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Path:
    """Write `report/index.html`, that opens from disk, and `report/trials.csv`.

    Args:
        folder: of the study.
        report: what was tried and found.
        layouts: the values that random search and a grid would try in as many trials.

    Returns:
        The page.

    Raises:
        RunError: the disk refuses.
    """
    page = folder / "report" / "index.html"
    text = draw_study_page(report, layouts)
    replace_file(page, lambda file: file.write(text.encode()))
    write_csv(folder / "report" / "trials.csv", _rows(report), odd="backslashreplace")
    return page


def _rows(report: SearchReport) -> Iterable[Sequence[object]]:
    fields = [each.field for each in report.space]
    yield ["trial", "state", "val_error", "val_loss", *fields, "epochs", "seconds", "reason", "run"]
    for each in report.trials:
        values = [each.values.get(name) for name in fields]
        beside = [len(each.curve), each.seconds, each.reason, each.run]
        yield [each.number, each.state, each.error, each.loss, *values, *beside]
