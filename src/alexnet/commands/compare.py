"""`alexnet compare`: is one classifier better than another on the same images?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alexnet.commands.arguments import optional_path
from alexnet.errors import RecipeError, RunError
from alexnet.records import ComparedClassifier, ComparisonReport, Difference, Epoch, Results
from alexnet.text import format_count, quote_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["compare"]

_BY_CHANCE = 0.05  # how often two that are equally good may be told apart
_MOST = 20


@dataclass(frozen=True)
class _Classifier:
    """What one classifier predicted; N images, K classes."""

    name: str
    what: str  # "val images of photos"
    paths: Sequence[str]  # N
    labels: Sequence[str]  # N, names of the true classes
    predicted: Sequence[str]  # N, likewise
    results: Results
    model: str
    recipe: Mapping[str, Any]
    epochs: Sequence[Epoch]
    seconds: float | None = None
    report: str | None = None
    pixels: tuple[Any, ...] | None = None  # how images were stored, and their fingerprint

    @property
    def right(self) -> dict[str, bool]:
        """Whether each image was predicted rightly, by its path."""
        return {
            path: label == predicted
            for path, label, predicted in zip(self.paths, self.labels, self.predicted, strict=True)
        }


def compare(
    *runs: Path | str,
    on: Path | str | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    crops: Literal[1, 5, 10] = 1,
    out: Path | str | None = None,
) -> ComparisonReport:
    """Compare trainings on the same images: which is better, and whether it was chance.

    Runs are compared on the images that they were measured on, which must be the same; with --on,
    runs and weights files predict the images of a source first. McNemar's exact test and a paired
    bootstrap say whether one is really better, corrected for the number of pairs (Holm). The page
    shows curves, figures and the settings that differ side by side.

    Args:
        runs: run folders; with --on weights files and names, too. At least two.
        on: labeled images to predict with each: a folder, archive, table or pack.
        split: of these; none: as for evaluate.
        crops: of each of these images.
        out: page to write; none: none is written.

    Returns:
        Each classifier, each pair, and the settings that differ.

    Raises:
        RecipeError: fewer than two, or more than 20.
        RunError: a run that is not finished, or runs that were measured on different images.
        SourceError, WeightsError: the images or weights cannot be used.
    """
    if not 2 <= len(runs) <= _MOST:
        raise RecipeError(
            f"compare takes 2 to {_MOST} runs; got {len(runs)}. See: alexnet compare --help"
        )
    if on is None and (split is not None or crops != 1):
        raise RecipeError(
            "--split and --crops belong to --on SOURCE: without it runs are compared on what they "
            "were measured on. Name the images."
        )
    paths = [Path(run) for run in runs]
    if on is None:
        classifiers = [_finished(path) for path in paths]
        for other in classifiers[1:]:
            _require_same_images(classifiers[0], other)
    else:
        classifiers = _predicted(paths, Path(on), split, crops)
    report = _report(classifiers)
    page = optional_path(out)
    if page is None:
        return report
    from alexnet.reporting import write_comparison

    write_comparison(page, report, [each.epochs for each in classifiers])
    return replace(report, page=str(page))


def _finished(folder: Path) -> _Classifier:
    """Read what a finished run was measured on."""
    from alexnet.files import read_json
    from alexnet.reporting import read_report_data

    if not (folder / "run.json").is_file():
        raise RunError(
            f"{folder} is no run folder. Name folders that alexnet train wrote, or the images that "
            "weights are to be compared on: --on SOURCE."
        )
    if not (folder / "results.json").is_file():
        raise RunError(
            f"The run in {folder} is not finished. The command that began it goes on with it."
        )
    data = read_report_data(folder / "report")
    config, facts = read_json(folder / "run.json"), read_json(folder / "results.json")
    recipe = dict(data.recipe)
    labels: list[int] = data.labels.tolist()
    predicted: list[int] = data.probabilities.argmax(axis=1).tolist()
    stored = (recipe.get("image_px"), recipe.get("resize_mode"), recipe.get("model"))
    return _Classifier(
        name=str(folder),
        what=f"{data.split} images of {Path(config['source']).name}",
        paths=data.paths,
        labels=[data.classes[label] for label in labels],
        predicted=[data.classes[label] for label in predicted],
        results=data.results,
        model=recipe["model"],
        recipe={**recipe, "way": facts.get("way"), "start": config.get("start")},
        epochs=data.epochs,
        seconds=facts["seconds"],
        report=str(folder / "report" / "index.html"),
        pixels=(stored, config["fingerprint"]),
    )


def _predicted(paths: Sequence[Path], on: Path, split: str | None, crops: int) -> list[_Classifier]:
    """Predict the images of a source with each."""
    from alexnet.data import open_source, unreadable_source
    from alexnet.evaluation import MetricAccumulator, class_indices, load_ensemble, predict_batches
    from alexnet.evaluation.held_out import held_out_images
    from alexnet.progress import track

    source = open_source(on, fewest_classes=1)
    name, indices = held_out_images(source, split, paths, where=on)
    made: list[_Classifier] = []
    for path in paths:
        ensemble = load_ensemble([path])
        labels = class_indices(source.classes, ensemble.classes, where=on)
        metrics = MetricAccumulator(ensemble.classes)
        shown: list[str] = []
        truth: list[str] = []
        predicted: list[str] = []
        failures: list[tuple[str, str]] = []
        with track(f"predicting with {path}", len(indices)) as advance:
            for batch in predict_batches(ensemble.members, source, indices, crops=crops):
                own = labels[source.labels[batch.indices]]
                metrics.update(batch.numbers, own)
                shown += [source.paths[index] for index in batch.indices]
                truth += [ensemble.classes[label] for label in own]
                best = batch.numbers.argmax(axis=1)
                predicted += [ensemble.classes[each] for each in best]
                failures += [(source.paths[index], reason) for index, reason in batch.failures]
                advance(len(batch.indices) + len(batch.failures))
        if not shown:
            raise unreadable_source(on, failures)
        results = metrics.results(crops=crops, missing=[], unreadable=failures)
        network = ensemble.members[0].network
        made.append(
            _Classifier(
                name=str(path),
                what=f"{name} images of {on.name}",
                paths=shown,
                labels=truth,
                predicted=predicted,
                results=results,
                model=network.model,
                recipe={"model": network.model, "crop_px": network.crop_px},
                epochs=[],
            )
        )
    return made


def _require_same_images(first: _Classifier, other: _Classifier) -> None:
    """Raise RunError where two were measured on different images, with how they differ."""
    mine, theirs = set(first.paths), set(other.paths)
    differing = mine ^ theirs
    if differing:
        raise RunError(
            f"{first.name} and {other.name} were measured on different images: "
            f"{format_count(len(mine), 'image')} ({first.what}) and "
            f"{format_count(len(theirs), 'image')} ({other.what}), of which "
            f"{len(mine & theirs)} are the same; for example {quote_names(sorted(differing)[:1])} "
            "is in one alone. Compare them on images that neither learned from: --on SOURCE."
        )
    own = dict(zip(first.paths, first.labels, strict=True))
    changed = [
        path for path, label in zip(other.paths, other.labels, strict=True) if own[path] != label
    ]
    if changed:
        raise RunError(
            f"{first.name} and {other.name} were measured with different labels for "
            f"{format_count(len(changed), 'image')}, for example {quote_names(changed[:1])}. Train "
            "one of them again on the labels of today, or compare them with --on SOURCE."
        )
    stored_alike = first.pixels and other.pixels and first.pixels[0] == other.pixels[0]
    if stored_alike and first.pixels != other.pixels:
        raise RunError(
            f"{first.name} and {other.name} were trained on sources of the same names and other "
            "pixels: files were changed, added or taken away between them. Compare them with --on "
            "SOURCE."
        )


def _report(classifiers: Sequence[_Classifier]) -> ComparisonReport:
    import numpy as np

    from alexnet.evaluation import holm, mcnemar

    order = sorted(classifiers[0].paths)
    known = [each.right for each in classifiers]
    right = [np.array([own[path] for path in order]) for own in known]
    pairs = list(itertools.combinations(range(len(classifiers)), 2))
    p_values = [mcnemar(right[first], right[second]) for first, second in pairs]
    names = [each.name for each in classifiers]
    return ComparisonReport(
        images=len(order),
        measured_on=classifiers[0].what,
        classifiers=[_row(each) for each in classifiers],
        differences=[
            _difference((names[i], names[j]), (right[i], right[j]), p, corrected)
            for (i, j), p, corrected in zip(pairs, p_values, holm(p_values), strict=True)
        ],
        settings=_settings_that_differ([each.recipe for each in classifiers]),
        page=None,
    )


def _row(classifier: _Classifier) -> ComparedClassifier:
    results = classifier.results
    return ComparedClassifier(
        name=classifier.name,
        model=classifier.model,
        top1=results.top1,
        top1_interval=results.top1_interval,
        top5=results.top5,
        balanced_accuracy=results.balanced_accuracy,
        loss=results.loss,
        calibration_error=results.calibration_error,
        epochs=len(classifier.epochs) or None,
        seconds=classifier.seconds,
        report=classifier.report,
    )


def _difference(
    names: tuple[str, str],
    right: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    p: float,
    corrected: float,
) -> Difference:
    from alexnet.evaluation import difference_interval

    first, second = right
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    told_apart = corrected < _BY_CHANCE
    return Difference(
        first=names[0],
        second=names[1],
        difference=(only_second - only_first) / len(first),
        interval=difference_interval(first, second),
        only_first=only_first,
        only_second=only_second,
        p=p,
        p_corrected=corrected,
        better=names[only_second > only_first] if told_apart else None,
    )


def _settings_that_differ(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return by field the values of each, where they are not all the same."""
    fields = sorted({name for recipe in recipes for name in recipe})
    values = {name: [recipe.get(name) for recipe in recipes] for name in fields}
    return {name: own for name, own in values.items() if any(each != own[0] for each in own)}
