from .lr_finder import RangeTest, range_test
from .plan import (
    Plan,
    Pruner,
    Sampler,
    grid_levels,
    grid_points,
    quasi_random_point,
    random_point,
)
from .results import (
    best_of,
    field_importance,
    trial_records,
    write_best,
)
from .space import Dimension, Space, usual_space
from .spelling import read_space, space_of
from .storage import is_address, shown_address
from .study import (
    JOURNAL,
    Progress,
    Study,
    open_study,
)
from .trial_cost import cost_of
from .worker import TrainTrial, Worker

__all__ = [
    "JOURNAL",
    "Dimension",
    "Plan",
    "Progress",
    "Pruner",
    "RangeTest",
    "Sampler",
    "Space",
    "Study",
    "TrainTrial",
    "Worker",
    "best_of",
    "cost_of",
    "field_importance",
    "grid_levels",
    "grid_points",
    "is_address",
    "open_study",
    "quasi_random_point",
    "random_point",
    "range_test",
    "read_space",
    "shown_address",
    "space_of",
    "trial_records",
    "usual_space",
    "write_best",
]
