"""What one does with a trained network: ask it, take its features, teach it other classes."""

from alexnet.transfer.ensemble import Ensemble, load_ensemble
from alexnet.transfer.export import BOUNDS, ExportFormat, export_weights
from alexnet.transfer.features import extract_features
from alexnet.transfer.finetune import (
    finetuning_recipe,
    last_layer,
    scratch_recipe,
    with_first_weights,
    with_new_head,
)
from alexnet.transfer.heads import Taught, head_from_source, teach_head
from alexnet.transfer.vectors import write_vectors

__all__ = [
    "BOUNDS",
    "Ensemble",
    "ExportFormat",
    "Taught",
    "export_weights",
    "extract_features",
    "finetuning_recipe",
    "head_from_source",
    "last_layer",
    "load_ensemble",
    "scratch_recipe",
    "teach_head",
    "with_first_weights",
    "with_new_head",
    "write_vectors",
]
