"""The options of one call of `search`, and the config of the study that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alexnet.data import CacheMode, UnreadableMode
from alexnet.devices import Precision
from alexnet.errors import AlexNetError, RecipeError
from alexnet.files import read_json
from alexnet.nn import Dropout
from alexnet.recipe import Recipe, RecipeChanges
from alexnet.runs import Job
from alexnet.runs.config import RUNS, dated_name, new_folder
from alexnet.studies.config import Pruner, Sampler, StudyConfig
from alexnet.studies.space import SearchSpace, default_space
from alexnet.studies.space_syntax import parse_space, read_space

__all__ = ["SearchOptions", "find_study_folder", "named_space", "study_config"]


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The parameters of `search`, which describes them."""

    source: Path
    recipe: str | None
    changes: RecipeChanges
    folder: Path | None
    vary: tuple[str, ...]
    space: Path | None
    sampler: Sampler
    pruner: Pruner
    trials: int
    minutes: float | None
    workers: int
    storage: str | None
    retrain: int
    dry_run: bool
    cache: CacheMode
    unreadable: UnreadableMode
    precision: Precision
    exact_convolutions: bool = False
    threads: int | None
    save_every: float | str
    class_depth: int | None = None
    join_classes: bool = False
    name_encoding: str | None = None
    cache_gb: float | None = None


def named_space(options: SearchOptions, recipe: Recipe) -> SearchSpace | None:
    """Return the search space of `--space` or `--vary`, if there is one.

    Raises:
        RecipeError: it is invalid, or a field in it has a value on the command line as well.
    """
    if options.space is not None:
        space = read_space(options.space, recipe)
    elif options.vary:
        space = parse_space(options.vary, recipe)
    else:
        return None
    for dimension in space.dimensions:
        if dimension.field in options.changes:
            flag = f"--{dimension.field.replace('_', '-')}"
            raise RecipeError(
                f"{dimension.field} is to vary and has a value, too: take {flag} away."
            )
    return space


def study_config(
    options: SearchOptions, recipe: Recipe, space: SearchSpace | None, job: Job
) -> StudyConfig:
    """Return the config of a study.

    Args:
        options: of the call.
        recipe: of the study.
        space: what `named_space` returned.
        job: the recipe's, prepared; it has the images and the network.

    Raises:
        RecipeError: dropout is to vary in a network without, or there are no validation images.
    """
    has_dropout = any(isinstance(module, Dropout) for module in job.network.modules())
    if space is None:
        space = default_space(recipe, tuple(options.changes), has_dropout=has_dropout)
    elif not has_dropout and any(each.field == "dropout" for each in space.dimensions):
        raise RecipeError(f"{recipe.model} has no dropout layer. Leave dropout out.")
    if not len(job.splits.get("val", ())):
        raise RecipeError(
            "A search minimizes the validation error, and there are no validation images. Give "
            "--val-fraction above 0."
        )
    return StudyConfig(
        recipe=recipe,
        space=space,
        sampler=options.sampler,
        pruner=options.pruner,
        trials=options.trials,
        fingerprint=job.pack.fingerprint,
        classes=tuple(job.pack.classes),
    )


def find_study_folder(source: Path, config: StudyConfig) -> Path:
    """Return the newest folder of the same study in `runs`, else a new one with date and name."""
    files = sorted(RUNS.glob("*/study.json"), key=lambda path: path.stat().st_mtime)
    for path in reversed(files):
        try:
            if not StudyConfig.from_json(read_json(path)["config"], str(path)).differences(config):
                return path.parent
        except (AlexNetError, LookupError, TypeError):
            continue  # not readable: another version's
    name = f"{dated_name(source, config.recipe.model)}-search"
    return new_folder(name, lambda folder: not folder.exists())
