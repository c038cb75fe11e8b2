"""Training: the momentum rule, the schedule, checkpoints, the loop and the run folder.

The room is handed a network and batches; it builds neither.
"""

from alexnet.training.checkpoint import Checkpoint
from alexnet.training.diagnosis import (
    Cause,
    causes_of_standstill,
    is_stuck,
    label_entropy,
    stuck_error,
)
from alexnet.training.graphed import Capture, capture_for
from alexnet.training.loop import (
    State,
    Training,
    Validation,
    train_epochs,
    train_step,
)
from alexnet.training.objective import Objective, class_weights, make_objective
from alexnet.training.optimiser import PaperMomentum, Rates
from alexnet.training.run import Run, find_run, is_free, open_run
from alexnet.training.saving import SaveEvery
from alexnet.training.schedule import Schedule
from alexnet.training.step import BatchLike, Stepper
from alexnet.training.stopping import StopRequest, stop_on_signals

__all__ = [
    "BatchLike",
    "Capture",
    "Cause",
    "Checkpoint",
    "Objective",
    "PaperMomentum",
    "Rates",
    "Run",
    "SaveEvery",
    "Schedule",
    "State",
    "Stepper",
    "StopRequest",
    "Training",
    "Validation",
    "capture_for",
    "causes_of_standstill",
    "class_weights",
    "find_run",
    "is_free",
    "is_stuck",
    "label_entropy",
    "make_objective",
    "open_run",
    "stop_on_signals",
    "stuck_error",
    "train_epochs",
    "train_step",
]
