from .choice import CHOICE_FIELDS, Candidates, prepare_candidates
from .chosen import follow_best_way
from .config import is_command_line, run_config
from .finetune import (
    finetuning_recipe,
    last_layer,
    resized_weights,
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
from .job import Job, Packing, Start, as_begun, prepare
from .results import train_report
from .session import FitOptions, fit, format_epoch, preparing
from .together import AnyParallel

__all__ = [
    "CHOICE_FIELDS",
    "AnyParallel",
    "Candidates",
    "FitOptions",
    "Job",
    "Packing",
    "Run",
    "Start",
    "as_begun",
    "find_run",
    "finetuning_recipe",
    "fit",
    "follow_best_way",
    "format_epoch",
    "is_command_line",
    "is_free",
    "last_layer",
    "open_run",
    "prepare",
    "prepare_candidates",
    "preparing",
    "resized_weights",
    "run_config",
    "scratch_recipe",
    "train_report",
    "with_first_weights",
    "with_new_head",
]
