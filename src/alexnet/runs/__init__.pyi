from .finetune import (
    finetuning_recipe,
    last_layer,
    scratch_recipe,
    with_first_weights,
    with_new_head,
)
from .folder import (
    Run,
    find_run,
    is_free,
    open_run,
)
from .saver import SaveEvery

__all__ = [
    "Run",
    "SaveEvery",
    "find_run",
    "finetuning_recipe",
    "is_free",
    "last_layer",
    "open_run",
    "scratch_recipe",
    "with_first_weights",
    "with_new_head",
]
