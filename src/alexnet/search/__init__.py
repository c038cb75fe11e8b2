"""Searching for a recipe: what may move, how values are drawn, workers, and what was found.

On Optuna, which is asked for when a study is opened; the learning-rate range test needs nothing.
"""

from alexnet.search.cost import cost_of
from alexnet.search.outcome import best_of, field_importance, trial_records, write_best
from alexnet.search.plan import Plan, Pruner, Sampler
from alexnet.search.points import grid_levels, grid_points, quasi_random_point, random_point
from alexnet.search.range_test import RangeTest, range_test
from alexnet.search.space import Dimension, Space, usual_space
from alexnet.search.spelling import read_space, space_of
from alexnet.search.storage import is_address, shown_address
from alexnet.search.study import JOURNAL, Progress, Study, open_study
from alexnet.search.worker import TrainTrial, Worker

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
