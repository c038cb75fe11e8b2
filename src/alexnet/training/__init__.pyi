from .checkpoint import Checkpoint, SaveEvery
from .cuda_graph import Capture, capture_for
from .diagnosis import (
    Cause,
    diagnose_stall,
    is_stalled,
    label_entropy,
    stalled_error,
)
from .gradients import GradientSums
from .loop import (
    Parts,
    SaveDue,
    Shares,
    State,
    StepDone,
    Training,
    Validation,
    Validator,
    train_epochs,
)
from .loss import LossFunction, class_weights, make_loss
from .optimizer import PaperMomentum, Rates
from .schedule import FEW_VALIDATION_IMAGES, Schedule
from .step import BatchLike, Stepper, can_step_in_backward
from .stopping import StopRequest, stop_on_signals
from .symptoms import Symptom, SymptomName, find_symptoms

__all__ = [
    "FEW_VALIDATION_IMAGES",
    "BatchLike",
    "Capture",
    "Cause",
    "Checkpoint",
    "GradientSums",
    "LossFunction",
    "PaperMomentum",
    "Parts",
    "Rates",
    "SaveDue",
    "SaveEvery",
    "Schedule",
    "Shares",
    "State",
    "StepDone",
    "Stepper",
    "StopRequest",
    "Symptom",
    "SymptomName",
    "Training",
    "Validation",
    "Validator",
    "can_step_in_backward",
    "capture_for",
    "class_weights",
    "diagnose_stall",
    "find_symptoms",
    "is_stalled",
    "label_entropy",
    "make_loss",
    "stalled_error",
    "stop_on_signals",
    "train_epochs",
]
