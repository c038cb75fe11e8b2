"""The fields of the recipe as keywords of a verb, for those who check types.

Names and types alone, since no type checker derives them from the dataclass; a test compares both.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from alexnet.recipe.recipe import (
    Activation,
    ClassWeights,
    ColorJitterForm,
    Initialization,
    Loss,
    Mean,
    ResizeMode,
    Sampling,
    Schedule,
)

__all__ = ["WITH_WEIGHTS", "RecipeChanges"]

WITH_WEIGHTS = (
    *("model", "activation", "dropout", "initialization", "resize_mode", "mean", "normalize"),
)
"""Fields that come with trained weights, and that a fine-tuning of these cannot choose again."""


class RecipeChanges(TypedDict, total=False):
    """The fields of `Recipe`, each optional: what a caller changes in a named recipe."""

    model: str
    activation: Activation | None
    dropout: float | None
    initialization: Initialization
    image_px: int | None
    crop_px: int | None
    resize_mode: ResizeMode
    mean: Mean
    normalize: bool
    val_fraction: float
    flip: bool
    random_resized_crop: float
    crop_group: int
    color_jitter_form: ColorJitterForm
    color_jitter: float
    color_jitter_until: int | None
    loss: Loss
    label_smoothing: float
    class_weights: ClassWeights
    sampling: Sampling
    epochs: int
    batch_size: int
    lr: float | Literal["auto"]
    momentum: float
    weight_decay: float | None
    bias_lr_ratio: float
    bias_weight_decay: bool
    layer_lr: tuple[str, ...]
    layer_weight_decay: tuple[str, ...]
    layer_momentum: tuple[str, ...]
    schedule: Schedule
    milestones: tuple[int, ...]
    max_lr_drops: int
    lr_factor: float
    bias_lr_drops: int | None
    patience: int
    warmup_epochs: float
    early_stop: int | None
    seed: int
