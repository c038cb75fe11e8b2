"""One or several weights files as one classifier: the same classes in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet.data import normalize_name
from alexnet.distributed import device_of_all
from alexnet.errors import WeightsError
from alexnet.evaluation.predict import InferencePrecision, Member
from alexnet.weights import Weights, load_weights

__all__ = ["Ensemble", "load_ensemble"]


@dataclass(frozen=True)
class Ensemble:
    """Networks whose probabilities are averaged; K classes, in the order of the first weights."""

    members: tuple[Member, ...]
    classes: tuple[str, ...]
    class_words: dict[str, str]


def load_ensemble(
    paths: Sequence[Path],
    *,
    precision: InferencePrecision = "fp32",
    exact_convolutions: bool = False,
) -> Ensemble:
    """Load weights files or run folders and place their networks on the device.

    Args:
        paths: at least one; each a weights file or a run folder.
        precision: of the arithmetic.
        exact_convolutions: see `choose_device`.

    Raises:
        WeightsError: a file cannot be used, or the files know different classes.
    """
    loaded = [load_weights(path) for path in paths]
    first = loaded[0]
    columns = [
        _columns(weights, first, path, paths[0])
        for path, weights in zip(paths, loaded, strict=True)
    ]
    # Only now: the first choice on a machine takes seconds, and bad weights are said before it.
    device = device_of_all(precision, exact_convolutions=exact_convolutions)
    members: list[Member] = []
    for order, weights in zip(columns, loaded, strict=True):
        network = weights.network(copy=False)  # the weights are dropped at once
        device.place(network)
        members.append(
            Member(network, weights.preprocessing, columns=order, convolutions=device.convolutions)
        )
    words: dict[str, str] = {}
    for weights in reversed(loaded):
        words |= weights.class_words
    return Ensemble(tuple(members), first.classes, words)


def _columns(
    weights: Weights, first: Weights, path: Path, first_path: Path
) -> tuple[int, ...] | None:
    """Return where the first weights' classes stand among these weights' classes."""
    if weights.classes == first.classes:
        return None
    names, wanted = map(normalize_name, weights.classes), [*map(normalize_name, first.classes)]
    index = {name: i for i, name in enumerate(names)}
    differing = sorted({*index} ^ {*wanted})
    if differing:
        raise WeightsError(
            f"{path} and {first_path} cannot be averaged: they know different classes "
            f'({len(weights.classes)} and {len(first.classes)}; for example "{differing[0]}" is in '
            "one alone). Average weights that were trained on the same classes."
        )
    return tuple(index[name] for name in wanted)
