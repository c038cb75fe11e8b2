from .extract import extract_features
from .heads import FittedHead, fit_head, fit_head_on_source

__all__ = [
    "FittedHead",
    "extract_features",
    "fit_head",
    "fit_head_on_source",
]
