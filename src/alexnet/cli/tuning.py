"""One call of `tune lr`: prepare, test, draw."""

from __future__ import annotations

import dataclasses
import shlex
import time
from pathlib import Path

from alexnet.build import Job, Packing, prepare
from alexnet.cli.rates import range_test_shown
from alexnet.cli.run_names import RUNS, dated_name, source_name
from alexnet.data import Cache, Unreadable, open_source
from alexnet.devices import Precision, choose_device
from alexnet.recipe import RecipeChanges
from alexnet.recipes import choose_recipe
from alexnet.reporting import write_range_page
from alexnet.search import RangeTest
from alexnet.search_records import TuneReport

__all__ = ["conduct_tuning"]


def conduct_tuning(
    source: Path,
    name: str | None,
    changes: RecipeChanges,
    *,
    out: Path | None,
    cache: Cache,
    unreadable: Unreadable,
    precision: Precision,
    threads: int | None,
) -> TuneReport:
    """Test, and write the page; the parameters are those of `tune`."""
    started = time.monotonic()
    recipe = choose_recipe(name, changes)
    device = choose_device(precision, threads)
    packing = Packing(cache=cache, unreadable=unreadable)
    job = prepare(open_source(source), recipe, device=device, packing=packing)
    report = _report(range_test_shown(job), job, started)
    page = out or RUNS / f"{dated_name(source, recipe.model)}-lr.html"
    words = ["alexnet", "train", str(source), "--lr", f"{report.lr:g}"]
    words += ["--recipe", name] if name else ["--model", recipe.model]
    write_range_page(page, report, source_name(source), shlex.join(words))
    return dataclasses.replace(report, page=str(page))


def _report(found: RangeTest, job: Job, started: float) -> TuneReport:
    first, last = found.fall
    return TuneReport(
        lr=found.lr,
        reason=found.reason,
        rates=found.rates,
        losses=found.losses,
        smoothed=found.smoothed,
        falls_from=found.rates[first],
        falls_to=found.rates[last],
        exploded=found.rates[-1] if found.exploded else None,
        model=job.recipe.model,
        batch=job.recipe.batch,
        seconds=time.monotonic() - started,
    )
