from .extract import extract_features
from .heads import Taught, head_from_source, teach_head

__all__ = [
    "Taught",
    "extract_features",
    "head_from_source",
    "teach_head",
]
