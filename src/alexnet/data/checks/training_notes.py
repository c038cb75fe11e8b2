"""What `train` and `finetune` would refuse or warn of in a source, said before the first training.

Legend: N images of the source, n of them that can be read, K classes.
"""

from __future__ import annotations

import numpy as np

from alexnet.data.checks.scan import Scan
from alexnet.data.loading.copies import content_ids
from alexnet.data.packs.unreadable import MAX_SHARE
from alexnet.data.sources.names import SPLITS
from alexnet.data.sources.source import Source
from alexnet.data.sources.validation import alike_warnings, validate_classes
from alexnet.errors import SourceError
from alexnet.text import format_count, quote_names

__all__ = ["training_notes"]

_NONE, _TRAIN, _VAL = (SPLITS.index(name) for name in ("", "train", "val"))

_NOTHING_TO_TRAIN_ON = (
    "it has no images to train on, only some for validation or testing. Put training images into "
    "a folder train."
)
_NOTHING_TO_HOLD_OUT = (
    "no image could be held out for validation: each is the only one of its class (duplicates "
    "count once). Add images, or bring a folder val."
)


def training_notes(source: Source, scan: Scan) -> list[str]:
    """Return a sentence for each reason for which a source cannot be trained on, or not well.

    Args:
        source: labeled images, opened `as_found`.
        scan: of its images.
    """
    refused = [f"train and finetune refuse this source: {each}" for each in _refusals(source, scan)]
    return [*refused, *alike_warnings(source.where, source.classes)]


def _refusals(source: Source, scan: Scan) -> list[str]:
    reasons: list[str] = []
    try:
        validate_classes(
            source.where, source.classes, source.labels, source.splits, at_least=2, warn_alike=False
        )
    except SourceError as error:
        reasons.append(str(error))
    unreadable, total = len(scan.unreadable), len(source)
    if not len(scan.indices):
        return [*reasons, "not one of its images can be read."]
    if unreadable > MAX_SHARE * total:
        reasons.append(
            f"{unreadable:,} of {format_count(total, 'image')} cannot be read, more than "
            f"{MAX_SHARE:.0%}. Mend or remove them, exclude them (--exclude-to), or copy them "
            "aside with --quarantine FOLDER."
        )
    return reasons or _split_refusals(source, scan)


def _split_refusals(source: Source, scan: Scan) -> list[str]:
    """Say what keeps the readable images from being divided: none to train on, none to hold out."""
    splits, labels = source.splits[scan.indices], source.labels[scan.indices]
    is_train = (splits == _NONE) | (splits == _TRAIN)
    if not is_train.any():
        return [_NOTHING_TO_TRAIN_ON]
    counts = np.bincount(labels[is_train], minlength=len(source.classes))
    known = np.bincount(source.labels, minlength=len(source.classes)) > 0
    without = [source.classes[k] for k in np.flatnonzero((counts == 0) & known).tolist()]
    if without:
        return [f"no training image of {quote_names(without)} can be read."]
    contents = np.unique(content_ids(scan.facts["digest"][is_train]))
    if not (splits == _VAL).any() and len(contents) <= len(source.classes):
        return [_NOTHING_TO_HOLD_OUT]
    return []
