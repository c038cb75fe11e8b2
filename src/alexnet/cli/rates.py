"""`--lr auto`: the rate of the range test, found once and written down in the run."""

from __future__ import annotations

import logging
from pathlib import Path

from alexnet.build import Job
from alexnet.errors import AlexNetError
from alexnet.files import read_json
from alexnet.progress import track
from alexnet.recipe import Recipe, changed, recipe_from_json
from alexnet.search import RangeTest, range_test

__all__ = ["AUTO", "range_test_shown", "settled_rate"]

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
