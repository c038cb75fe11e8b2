"""`alexnet tune lr`: the learning-rate range test."""

from __future__ import annotations

import dataclasses
import logging
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from alexnet.commands.arguments import optional_path
from alexnet.devices import Precision
from alexnet.errors import AlexNetError
from alexnet.files import read_json
from alexnet.recipe import Recipe, RecipeChanges, changed, recipe_from_json
from alexnet.records import TuneReport
from alexnet.urls import shown_place

if TYPE_CHECKING:
    from alexnet.runs import Job
    from alexnet.studies import RangeTest

__all__ = ["AUTO", "resolve_lr", "tune"]

AUTO = {"lr": "auto"}
"""What `run.json` holds beside the recipe, whose rate is the one that was tested."""

_log = logging.getLogger(__name__)


def tune(
    field: Literal["lr"],
    source: Path | str,
    *,
    recipe: str | None = None,
    out: Path | str | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    **changes: Unpack[RecipeChanges],
) -> TuneReport:
    """Find a learning rate by the range test: it rises over one short pass.

    A hundred steps from the initial weights, while the rate rises evenly in powers of ten from
    1e-7 to 10; it stops where the loss diverges. The suggestion is the middle of the fall of the
    smoothed loss, in powers of ten. Only the chart is written. `train --lr auto` does the same.

    Args:
        field: lr, the learning rate.
        source: labeled images, as for train.
        recipe: how to train, as for train; its rate and schedule are not used.
        out: page to write, with the chart; none: runs/<date>-<source>-<model>-lr.html.
        cache: auto keeps the decoded images in the cache folder, none in memory.
        unreadable: skip names unreadable images in a list, fail stops at the first one.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cache_gb: GB that the cache keeps of packs at s3://, gs://, az://, hf:// or https://; none:
            half of the free disk.
        precision: of convolutions and products; auto measures which is faster here.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        threads: threads of arithmetic; none: every core.
        **changes: any field of the recipe.

    Returns:
        The suggestion with its reason, and rate and loss of every step.

    Raises:
        SourceError: the images cannot be used.
        RecipeError: a setting cannot work.
        Diverged: the loss falls at no rate.
    """
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.recipes import choose_recipe
    from alexnet.reporting import write_lr_finder_report
    from alexnet.runs import Packing, prepare
    from alexnet.runs.config import RUNS, dated_name, source_name
    from alexnet.studies import range_test
    from alexnet.trust import trusting

    started, path = time.monotonic(), Path(source)
    with trusting(changes.get("model")):
        chosen = choose_recipe(recipe, changes)
        packing = Packing(cache=cache, unreadable=unreadable)
        images = open_source(
            path,
            class_depth=class_depth,
            join_classes=join_classes,
            name_encoding=name_encoding,
            cache_gb=cache_gb,
        )
        device = choose_device(precision, threads, exact_convolutions=exact_convolutions)
        job = prepare(images, chosen, device=device, packing=packing)
        report = _report(range_test(job), job, started)
    page = optional_path(out) or RUNS / f"{dated_name(path, chosen.model)}-lr.html"
    command = ["alexnet", "train", shown_place(path), "--lr", f"{report.lr:g}"]
    command += ["--recipe", recipe] if recipe else ["--model", chosen.model]
    command += ["--class-depth", str(class_depth)] if class_depth else []
    command += ["--join-classes"] if join_classes else []
    command += ["--name-encoding", name_encoding] if name_encoding else []
    write_lr_finder_report(page, report, source_name(path), shlex.join(command))
    return dataclasses.replace(report, page=str(page))


def resolve_lr(job: Job, folder: Path | None) -> Recipe:
    """Return the recipe with a rate: that of the run which is continued, else a tested one.

    Args:
        job: prepared for this alone; its network is changed by the test.
        folder: of the run; None: it is looked for in `runs`.
    """
    from alexnet.studies import range_test

    files = [folder / "run.json"] if folder else sorted(Path("runs").glob("*/run.json"))
    for path in reversed(files):
        earlier = _earlier_recipe(path, job)
        if earlier is not None:
            return earlier
    test = range_test(job)
    _log.info("Learning rate %g. %s", test.lr, test.reason)
    return changed(job.recipe, {"lr": test.lr})


def _earlier_recipe(path: Path, job: Job) -> Recipe | None:
    """Return the recipe of a run of the same config, with the rate that was tested for it."""
    if not path.is_file():
        return None
    try:
        config = read_json(path)
        recipe = recipe_from_json(config["recipe"], str(path))
        images = (config["fingerprint"], tuple(config["classes"]))
        tested = config.get("lr") == "auto"
    except (AlexNetError, LookupError, TypeError, AttributeError):
        return None  # the run folder itself will say what is wrong
    same_recipe = changed(job.recipe, {"lr": recipe.lr}) == recipe
    same_images = images == (job.pack.fingerprint, tuple(job.pack.classes))
    return recipe if tested and same_recipe and same_images else None


def _report(test: RangeTest, job: Job, started: float) -> TuneReport:
    first, last = test.fall
    return TuneReport(
        lr=test.lr,
        reason=test.reason,
        lrs=test.lrs,
        losses=test.losses,
        smoothed_losses=test.smoothed,
        fall_start_lr=test.lrs[first],
        fall_end_lr=test.lrs[last],
        diverged_at_lr=test.lrs[-1] if test.diverged else None,
        model=job.recipe.model,
        batch_size=job.recipe.batch_size,
        seconds=time.monotonic() - started,
    )
