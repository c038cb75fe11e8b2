"""The learning rate as one function of the step, and of the validation errors so far.

Nothing is stepped along: `rates` can be asked for any step, so continuing a run cannot restart or
shift its schedule.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from alexnet.recipe import Recipe
from alexnet.text import format_count
from alexnet.training.optimizer import Rates

__all__ = ["FEW_VALIDATION_IMAGES", "Plan", "Schedule"]

FEW_VALIDATION_IMAGES = 100
"""Below so many their error says little of an epoch: of 24 images each is four hundredths of it."""

_SMOOTHED = 3  # epochs that a loss is averaged over


@dataclass
class Plan:
    """What the schedule remembers of the validation errors; part of every checkpoint."""

    best_error: float | None = None
    best_loss: float | None = None  # among epochs of that error; None: not known, or not finite
    best_epoch: int = 0  # 0: the network as it was before the first
    epochs_since: int = 0  # since the best error, or since the last drop after it
    lr_drops: int = 0
    stop_reason: str | None = None  # why the run ended, in words
    recent_losses: list[float] = field(default_factory=list[float])  # of few validation images


class Schedule:
    """Rates for each step, and what a validation error means for the steps to come.

    Args:
        recipe: schedule, milestones, max_lr_drops, lr_factor, bias_lr_drops, patience,
            warmup_epochs, epochs, early_stop, lr, bias_lr_ratio are read from it.
        steps_per_epoch: steps in one pass over the training images, at least 1.
        val_images: how many the validation error comes from; None: enough.
    """

    def __init__(
        self, recipe: Recipe, steps_per_epoch: int, *, val_images: int | None = None
    ) -> None:
        self.recipe = recipe
        self.steps_per_epoch = steps_per_epoch
        self.has_few_images = val_images is not None and val_images < FEW_VALIDATION_IMAGES
        self.plan = Plan()

    def rates(self, step: int) -> Rates:
        """Return the rates of a step, counted from 0 over the whole run."""
        recipe = self.recipe
        epoch = step // self.steps_per_epoch
        drops = self._lr_drops(epoch)
        bias_drops = drops if recipe.bias_lr_drops is None else min(drops, recipe.bias_lr_drops)
        shape = self._warmup(step) * self._cosine(step)
        return Rates(
            weights=recipe.lr * shape * recipe.lr_factor**drops,
            biases=recipe.lr * recipe.bias_lr_ratio * shape * recipe.lr_factor**bias_drops,
            epoch=epoch,
        )

    def observe(self, epoch: int, error: float | None, loss: float | None = None) -> bool:
        """Take in the validation error after an epoch; return if it is the best.

        Of equal errors the lower loss is the better: on few validation images many epochs make
        the same errors. A plateau is left by a lower error alone. Of fewer than 100 validation
        images the mean loss of the last three epochs decides instead, and `early_stop` is not
        followed. Without validation images every epoch counts as the best: the last weights are
        kept.

        Args:
            epoch: counted from 1; 0: of the network before the first.
            error: in 0..1; None: there are no validation images.
            loss: in nats.
        """
        recipe, plan = self.recipe, self.plan
        if self.has_few_images and error is not None:
            loss = self._smoothed(loss)
            lower = best = plan.best_error is None or _is_lower(loss, plan.best_loss)
        else:
            lower = error is None or plan.best_error is None or error < plan.best_error
            best = lower or (error == plan.best_error and _is_lower(loss, plan.best_loss))
        if best:
            plan.best_error, plan.best_epoch = error, epoch
            plan.best_loss = loss if loss is not None and math.isfinite(loss) else None
        plan.epochs_since = 0 if lower else plan.epochs_since + 1
        if recipe.schedule == "plateau" and plan.epochs_since >= recipe.patience:
            if plan.lr_drops == recipe.max_lr_drops:
                drops = format_count(plan.lr_drops, "drop")
                plan.stop_reason = f"the validation error stopped falling after {drops} of the rate"
            else:
                plan.lr_drops += 1
                plan.epochs_since = 0
        if self._stops_early(epoch):
            plan.stop_reason = f"{recipe.early_stop} epochs without a better validation error"
        if epoch >= recipe.epochs:
            verb = "is" if recipe.epochs == 1 else "are"
            plan.stop_reason = f"{format_count(recipe.epochs, 'epoch')} {verb} done"
        return best

    def _smoothed(self, loss: float | None) -> float | None:
        """Return the mean of the last three losses, this one included; None: it is not known."""
        if loss is None:
            return None
        recent = self.plan.recent_losses = [*self.plan.recent_losses, loss][-_SMOOTHED:]
        return sum(recent) / len(recent)

    def _stops_early(self, epoch: int) -> bool:
        early_stop = self.recipe.early_stop
        if early_stop is None or self.has_few_images:
            return False
        return epoch - self.plan.best_epoch >= early_stop

    def state(self) -> dict[str, Any]:
        """Return what `load_state` takes: plain values."""
        return asdict(self.plan)

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.plan = Plan(**state)

    def _lr_drops(self, epoch: int) -> int:
        if self.recipe.schedule == "steps":
            return sum(epoch >= milestone for milestone in self.recipe.milestones)
        return self.plan.lr_drops if self.recipe.schedule == "plateau" else 0

    def _warmup(self, step: int) -> float:
        steps = self.recipe.warmup_epochs * self.steps_per_epoch
        return (step + 1) / (steps + 1) if step < steps else 1.0

    def _cosine(self, step: int) -> float:
        if self.recipe.schedule != "cosine":
            return 1.0
        warm = self.recipe.warmup_epochs * self.steps_per_epoch
        total = max(self.recipe.epochs * self.steps_per_epoch - warm, 1)
        return 0.5 * (1 + math.cos(math.pi * min(max(step - warm, 0) / total, 1.0)))


def _is_lower(loss: float | None, best: float | None) -> bool:
    return loss is not None and math.isfinite(loss) and (best is None or loss < best)
