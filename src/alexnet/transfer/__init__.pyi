from .feature_table import extract_features
from .head_fitting import FittedHead, fit_head
from .heads import fit_head_on_source
from .pooled_rows import PooledRows, pooled_rows
from .ridge_trials import (
    RidgeChoice,
    RidgeTrials,
    Views,
    averaged_head,
    fit_head_of_views,
    scores_head,
)

__all__ = [
    "FittedHead",
    "PooledRows",
    "RidgeChoice",
    "RidgeTrials",
    "Views",
    "averaged_head",
    "extract_features",
    "fit_head",
    "fit_head_of_views",
    "fit_head_on_source",
    "pooled_rows",
    "scores_head",
]
