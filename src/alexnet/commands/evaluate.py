"""`alexnet evaluate`: how good weights are on labeled images."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from alexnet.commands.arguments import optional_path, require_weights_first
from alexnet.commands.processes import launch_processes
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.files import as_path
from alexnet.records import Results
from alexnet.text import format_count
from alexnet.urls import shown_place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["evaluate", "require_batch_size", "require_finite"]

_log = logging.getLogger(__name__)


def evaluate(
    weights: Path | str,
    source: Path | str,
    *,
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] | None = None,
    also: tuple[Path | str, ...] = (),
    unreadable: Literal["skip", "fail"] = "skip",
    exclude: Path | str | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    exact_convolutions: bool = False,
    fully_connected: Literal["fp32", "fp16", "int8"] | None = None,
    batch_size: int = 128,
    cluster: str | None = None,
    processes: int | None = None,
) -> Results:
    """Measure weights on labeled images: top-1, top-5, loss, each class, the confusion matrix.

    The classes come from the weights. A class that the source has and the weights lack is an
    error; one that the source lacks is reported.

    Args:
        weights: weights file, or run folder (its best weights).
        source: folder, archive, table or pack of labeled images.
        crops: crops of each image whose predictions are averaged: 1 is the center, 5 adds the
            corners, 10 their mirror images.
        split: which images; none: test where there is one, else val, else what the run held
            out of this source, else all.
        also: further weights, whose predictions are averaged with the first's.
        unreadable: skip names unreadable images in the result, fail stops at the first one.
        exclude: list of images to leave out: a path a line, or what check --exclude-to wrote.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0), those of
            the weights, too.
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cache_gb: GB that the cache keeps of packs at s3://, gs://, az://, hf:// or https://; none:
            half of the free disk.
        precision: of convolutions and products; fp32 gives the same accuracy as training did.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        fully_connected: how weights of large fully connected layers are kept on a CPU; none: as
            they were saved; fp16 and int8 round them, as alexnet.Predictor can to predict single
            images in less time.
        batch_size: images of a batch.
        cluster: compute on a Ray cluster: auto is the one that RAY_ADDRESS names, else this
            machine alone; or the address of its head.
        processes: how many processes of this machine share the batches, as "torchrun
            --nproc-per-node" does; every figure is the same.

    Returns:
        The metrics; accuracies are fractions in 0..1.

    Raises:
        SourceError: the images cannot be used.
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
    """
    launched = launch_processes(processes, "evaluate")
    if launched is not None:
        return Results.from_json(launched)
    require_batch_size(batch_size)
    source = as_path(source, SourceError, "A source of images")
    weights = as_path(weights, WeightsError, "A weights file")
    require_weights_first(weights, [source], verb="evaluate")
    paths = [as_path(path, WeightsError, "A weights file") for path in (weights, *also)]
    from alexnet.data import UnreadablePolicy, exclude_listed, open_source, unreadable_source
    from alexnet.distributed import together
    from alexnet.evaluation import MetricAccumulator, class_indices, load_ensemble
    from alexnet.evaluation.batch_shards import images_signature, predicting
    from alexnet.evaluation.held_out import held_out_images

    with together():
        ensemble = load_ensemble(paths, precision=precision, exact_convolutions=exact_convolutions)
        opened = open_source(
            source,
            fewest_classes=1,
            class_depth=class_depth,
            join_classes=join_classes,
            name_encoding=name_encoding,
            cache_gb=cache_gb,
        )
        where = shown_place(source)
        images = exclude_listed(opened, optional_path(exclude))
        labels = class_indices(
            images.classes, ensemble.classes, where=where, join_classes=join_classes
        )
        name, indices = held_out_images(images, split, paths, where=where)
        policy = UnreadablePolicy(unreadable)
        metrics = MetricAccumulator(ensemble.classes)
        failures: list[tuple[str, str]] = []
        with predicting(
            ensemble.members,
            images,
            indices,
            title="evaluating",
            weights=paths,
            signature=lambda: images_signature(images),
            cluster=cluster,
            output=None,
            crops=crops,
            batch_size=batch_size,
            precision=precision,
            fully_connected=fully_connected,
        ) as batches:
            for batch in batches:
                policy.handle(images, batch.failures)
                failures += [(images.paths[index], reason) for index, reason in batch.failures]
                require_finite(batch.numbers, weights)
                metrics.update(batch.numbers, labels[images.labels[batch.indices]])
    if failures and len(failures) == len(indices):
        raise unreadable_source(where, failures)
    missing = _missing_classes(labels[images.labels[indices]], ensemble.classes)
    results = metrics.results(crops=crops, missing=missing, unreadable=failures)
    count = format_count(results.images, "image")
    _log.info("Measured on %s (%s) of %s.", count, name, where)
    return results


def require_batch_size(batch_size: Any) -> None:
    """Raise RecipeError for a batch without an image."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise RecipeError(f"batch_size must be at least 1 image; got {batch_size}.")


def require_finite(probabilities: NDArray[np.float32], weights: Path | str) -> None:
    """Raise WeightsError for probabilities that are NaN: they would be counted as mistakes."""
    import numpy as np

    if not bool(np.isfinite(probabilities).all()):
        raise WeightsError(
            f"{weights} predicts probabilities that are not finite: its training went wrong, or it "
            "is damaged. Use other weights, or train again at a lower rate."
        )


def _missing_classes(labels: NDArray[np.int64], classes: tuple[str, ...]) -> list[str]:
    """Return the classes that the weights know and none of the chosen images shows."""
    shown = {*labels.tolist()}
    return [name for label, name in enumerate(classes) if label not in shown]
