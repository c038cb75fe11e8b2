"""`alexnet tune lr`: the learning-rate range test."""

from __future__ import annotations

import dataclasses
import logging
import shlex
import time
from pathlib import Path
from typing import Literal, Unpack

from alexnet.commands.signature import Place, optional_path, recipe_flags
from alexnet.data import Cache, Unreadable, open_source
from alexnet.devices import Precision, choose_device
from alexnet.errors import AlexNetError
from alexnet.files import read_json
from alexnet.progress import track
from alexnet.recipe import Recipe, RecipeChanges, changed, recipe_from_json
from alexnet.recipes import choose_recipe
from alexnet.records import TuneReport
from alexnet.reporting import write_range_page
from alexnet.runs.identity import RUNS, dated_name, source_name
from alexnet.runs.job import Job, Packing, prepare
from alexnet.studies import RangeTest, range_test

__all__ = ["AUTO", "conduct_tuning", "range_test_shown", "settled_rate", "tune"]

AUTO = {"lr": "auto"}
"""What `run.json` holds beside the recipe, whose rate is the one that was found."""

_log = logging.getLogger(__name__)


def settled_rate(job: Job, folder: Path | None) -> Recipe:
    """Return the recipe with a rate: that of the run which is gone on with, else a tested one.

    Args:
        job: prepared for this alone; its network is spoilt by the test.
        folder: of the run; None: it is looked for in `runs`.
    """
    kept = [folder / "run.json"] if folder else sorted(Path("runs").glob("*/run.json"))
    for path in reversed(kept):
        earlier = _earlier(path, job)
        if earlier is not None:
            return earlier
    found = range_test_shown(job)
    _log.info("Learning rate %g. %s", found.lr, found.reason)
    return changed(job.recipe, {"lr": found.lr})


def range_test_shown(job: Job) -> RangeTest:
    """Make the range test with its progress shown."""
    with track("testing rates", 100) as advance:
        return range_test(job, lambda rate, loss: advance(1, note=f"{rate:.1e}  loss {loss:.3f}"))


def _earlier(path: Path, job: Job) -> Recipe | None:
    """Return the recipe of a run for which the same was asked, with the rate that it found."""
    if not path.is_file():
        return None
    try:
        asked = read_json(path)
        recipe = recipe_from_json(asked["recipe"], str(path))
        pictures = (asked["fingerprint"], tuple(asked["classes"]))
        tested = asked.get("lr") == "auto"
    except (AlexNetError, LookupError, TypeError, AttributeError):
        return None  # the run folder itself will say what is wrong
    same = changed(job.recipe, {"lr": recipe.lr}) == recipe
    there = pictures == (job.pack.fingerprint, tuple(job.pack.classes))
    return recipe if tested and same and there else None


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


@recipe_flags
def tune(
    field: Literal["lr"],
    source: Place,
    *,
    recipe: str | None = None,
    out: Place | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    precision: Precision = "auto",
    threads: int | None = None,
    **changes: Unpack[RecipeChanges],
) -> TuneReport:
    """Find a learning rate by the range test: it rises over one short pass.

    A hundred steps from first weights, while the rate rises evenly in powers of ten from 1e-7 to
    10; it stops where the loss explodes. The suggestion is the middle of the fall of the smoothed
    loss, in powers of ten. Nothing is kept but the picture. `train --lr auto` does the same.

    Args:
        field: lr, the learning rate.
        source: labelled pictures, as for train.
        recipe: how to train, as for train; its rate and schedule are not used.
        out: page to write, with the picture; none: runs/<date>-<source>-<model>-lr.html.
        cache: auto keeps the decoded pictures in the cache folder, none in memory.
        unreadable: skip names unreadable pictures in a list, fail stops at the first one.
        precision: of convolutions and products; auto measures which is faster here.
        threads: threads of arithmetic; none: every core.
        **changes: any field of the recipe.

    Returns:
        The suggestion with its reason, and rate and loss of every step.

    Raises:
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        Diverged: the loss falls at no rate.
    """
    from alexnet.trust import trusting

    with trusting(changes.get("model")):
        return conduct_tuning(
            Path(source),
            recipe,
            changes,
            out=optional_path(out),
            cache=cache,
            unreadable=unreadable,
            precision=precision,
            threads=threads,
        )
