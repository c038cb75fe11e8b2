"""What the epochs of a training say of it: standing still, a rate too high, over- and underfitting.

Each rule asks for epochs enough and for what was measured, so that a sound training of few steps is
never warned of. Causes, and what mends them, are for `diagnosis` and for whoever knows the command.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from alexnet.records import Epoch

__all__ = ["Symptom", "SymptomName", "find_symptoms"]

SymptomName = Literal["stalled", "rate too high", "overfitting", "underfitting"]

_WINDOW = 5  # epochs whose mean is compared with that of as many before
_STALLED_EPOCHS = 15
_CLOSE = 0.995  # of the entropy of the labels: nothing but their frequencies was learned
_STILL = 0.005  # of the entropy: less than that in so many epochs is no progress
_NEAR_CHANCE = 0.8  # of the majority rule's error
_FAR_ABOVE = 1.5  # times the entropy: worse than knowing nothing
_LEARNED_BY_HEART = 0.05  # training error
_PAST_BEST = 3  # epochs
_LOSS_RISE = 0.2  # nats
_FAIR = 0.1  # a validation error below is no reason for advice
_GAP = 0.2  # by which the training error exceeds the validation error


@dataclass(frozen=True)
class Symptom:
    """What is wrong, by name, and a sentence with what was measured."""

    name: SymptomName
    sentence: str


def find_symptoms(
    epochs: Sequence[Epoch], *, entropy: float, majority_error: float | None
) -> list[Symptom]:
    """Return what is wrong with a training, after its last epoch so far.

    Args:
        epochs: all of it, in order.
        entropy: of the training labels, in nats: the loss of knowing nothing but the class sizes.
        majority_error: validation error of always predicting its largest class; None: there are no
            validation images.
    """
    found = [
        _stalled(epochs, entropy, majority_error),
        _rate_too_high(epochs, entropy),
        _overfitting(epochs),
        _underfitting(epochs),
    ]
    return [symptom for symptom in found if symptom is not None]


def _means(epochs: Sequence[Epoch]) -> tuple[float, float]:
    """Return the mean training loss of the last epochs, and that of as many before them."""
    losses = [epoch.train_loss for epoch in epochs]
    return statistics.fmean(losses[-_WINDOW:]), statistics.fmean(losses[-2 * _WINDOW : -_WINDOW])


def _stalled(
    epochs: Sequence[Epoch], entropy: float, majority_error: float | None
) -> Symptom | None:
    """Small sets make few steps an epoch; so epochs count here, and whether anything moves."""
    if len(epochs) < _STALLED_EPOCHS:
        return None
    now, before = _means(epochs)
    if not _CLOSE * entropy < now <= _FAR_ABOVE * entropy or before - now > _STILL * entropy:
        return None
    errors = [each.val_error for each in epochs[-_WINDOW:] if each.val_error is not None]
    chance = _NEAR_CHANCE * (majority_error or 0.0)
    if errors and statistics.fmean(errors) < chance:
        return None  # the network learns; dropout and augmentation keep the loss up
    last = epochs[-1]
    return Symptom(
        "stalled",
        f"The training loss stands still: {now:.4f} over the last {_WINDOW} of {last.epoch} epochs "
        f"({last.step} steps), and knowing nothing but the class sizes gives {entropy:.4f}.",
    )


def _rate_too_high(epochs: Sequence[Epoch], entropy: float) -> Symptom | None:
    if len(epochs) < 2 * _WINDOW:
        return None
    now, before = _means(epochs)
    if now <= _FAR_ABOVE * entropy or now < 0.9 * before:
        return None
    last = epochs[-1]
    return Symptom(
        "rate too high",
        f"The training loss, {now:.4f} over the last {_WINDOW} of {last.epoch} epochs, is far "
        f"above that of knowing nothing but the class sizes ({entropy:.4f}), and does not fall: "
        f"the rate {last.lr:g} is too high.",
    )


def _overfitting(epochs: Sequence[Epoch]) -> Symptom | None:
    """The training images are known by heart, and the validation loss has doubled meanwhile."""
    measured = [(each.val_loss, each) for each in epochs if each.val_loss is not None]
    if not measured or epochs[-1].val_error is None:
        return None
    least, best = min(measured, key=lambda pair: pair[0])
    loss, last = measured[-1]
    known = last.train_error <= _LEARNED_BY_HEART and last.train_loss <= loss / 2
    risen = loss >= 2 * least and loss - least >= _LOSS_RISE
    if not known or not risen or last.epoch - best.epoch < _PAST_BEST:
        return None
    if epochs[-1].val_error < _FAIR:
        return None
    return Symptom(
        "overfitting",
        f"Overfitting: the training error is {last.train_error:.1%}, and the validation loss has "
        f"risen from {least:.3f} (epoch {best.epoch}) to {loss:.3f} (epoch {last.epoch}), with "
        f"{epochs[-1].val_error:.1%} of the validation images wrong. The network knows the "
        "training images by heart; more epochs do not help.",
    )


def _underfitting(epochs: Sequence[Epoch]) -> Symptom | None:
    if len(epochs) < 2 * _WINDOW:
        return None
    last = epochs[-_WINDOW:]
    gaps = [each.train_error - each.val_error for each in last if each.val_error is not None]
    worst = max((each.val_error or 0.0 for each in last), default=0.0)
    if len(gaps) < _WINDOW or min(gaps) < _GAP or worst < 3 * _FAIR:
        return None
    train, val = last[-1].train_error, last[-1].val_error
    return Symptom(
        "underfitting",
        f"Underfitting: the training error, {train:.1%}, is far above the validation error, "
        f"{val:.1%}: with augmentation and dropout the training images are harder than the network "
        "has learned so far.",
    )
