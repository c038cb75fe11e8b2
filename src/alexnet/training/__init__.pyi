from .checkpoint import Checkpoint
from .cuda_graph import Capture, capture_for
from .diagnosis import (
    Cause,
    causes_of_standstill,
    is_stuck,
    label_entropy,
    stuck_error,
)
from .loop import (
    State,
    Training,
    Validation,
    train_epochs,
    train_step,
)
from .loss import Objective, class_weights, make_objective
from .optimizer import PaperMomentum, Rates
from .schedule import Schedule
from .step import BatchLike, Stepper
from .stopping import StopRequest, stop_on_signals

__all__ = [
    "BatchLike",
    "Capture",
    "Cause",
    "Checkpoint",
    "Objective",
    "PaperMomentum",
    "Rates",
    "Schedule",
    "State",
    "Stepper",
    "StopRequest",
    "Training",
    "Validation",
    "capture_for",
    "causes_of_standstill",
    "class_weights",
    "is_stuck",
    "label_entropy",
    "make_objective",
    "stop_on_signals",
    "stuck_error",
    "train_epochs",
    "train_step",
]
