"""Write the report of a study: the page, and every trial as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.csv_files import write_csv
from alexnet.files import replace_file
from alexnet.reporting.study_page import draw_study_page
from alexnet.search import Plan, grid_points, random_point
from alexnet.search_records import SearchReport

__all__ = ["write_study_report"]


def write_study_report(folder: Path, report: SearchReport, plan: Plan) -> Path:
    """Write `report/index.html`, that opens from disk, and `report/trials.csv`.

    Args:
        folder: of the study.
        report: what was tried and found.
        plan: of the study; what random search and a grid would try is drawn from it.

    Returns:
        The page.

    Raises:
        RunError: the disk refuses.
    """
    page = folder / "report" / "index.html"
    text = draw_study_page(report, _layouts(plan, len(report.ended) or plan.wanted))
    replace_file(page, lambda file: file.write(text.encode()))
    write_csv(folder / "report" / "trials.csv", _rows(report), odd="backslashreplace")
    return page


def _layouts(plan: Plan, trials: int) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the values that random search and a grid would try in as many trials."""
    d = len(plan.space.dimensions)
    points = {
        "random": [random_point(plan.seed, slot, d) for slot in range(trials)],
        "grid": grid_points(plan.space, plan.recipe, trials, plan.seed),
    }
    return {
        name: [plan.space.values(point, plan.recipe) for point in some]
        for name, some in points.items()
    }


def _rows(report: SearchReport) -> Iterable[Sequence[object]]:
    fields = [each.field for each in report.space]
    yield ["trial", "state", "val_error", "val_loss", *fields, "epochs", "seconds", "reason", "run"]
    for each in report.trials:
        values = [each.values.get(name) for name in fields]
        beside = [len(each.curve), each.seconds, each.reason, each.run]
        yield [each.number, each.state, each.error, each.loss, *values, *beside]
