from .config import Pruner, Sampler, StudyConfig
from .lr_finder import RangeTest, range_test
from .options import SearchOptions
from .points import grid_levels, grid_points, quasi_random_point, random_point
from .results import best_trial, field_importance, trial_records, write_best_recipe
from .search import run_search
from .space import EXCLUDED, SEARCHABLE, Dimension, SearchSpace, default_space
from .space_syntax import parse_space, read_space
from .storage import is_url, redact_url
from .study import JOURNAL, Progress, Study, open_study
from .trial_cost import estimate_trial_cost
from .trial_worker import TrainTrial, TrialWorker

__all__ = [
    "EXCLUDED",
    "JOURNAL",
    "SEARCHABLE",
    "Dimension",
    "Progress",
    "Pruner",
    "RangeTest",
    "Sampler",
    "SearchOptions",
    "SearchSpace",
    "Study",
    "StudyConfig",
    "TrainTrial",
    "TrialWorker",
    "best_trial",
    "default_space",
    "estimate_trial_cost",
    "field_importance",
    "grid_levels",
    "grid_points",
    "is_url",
    "open_study",
    "parse_space",
    "quasi_random_point",
    "random_point",
    "range_test",
    "read_space",
    "redact_url",
    "run_search",
    "trial_records",
    "write_best_recipe",
]
