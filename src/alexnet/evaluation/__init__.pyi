from .crops import (
    Crops,
    CropView,
    crop_view_tensor,
    crop_views,
)
from .ensemble import Ensemble, load_ensemble
from .evaluate import evaluate_pack, evaluate_weights
from .held_out import choose_split, class_indices
from .metrics import (
    MetricAccumulator,
    compute_metrics,
    topk_credit,
    wilson_interval,
)
from .predict import (
    InferencePrecision,
    Member,
    PredictedBatch,
    Predictor,
    average_crop_views,
    average_members,
    make_predictor,
    predict_batches,
    probabilities,
)
from .stored_images import BATCH, StoredBatch, stored_images

__all__ = [
    "BATCH",
    "CropView",
    "Crops",
    "Ensemble",
    "InferencePrecision",
    "Member",
    "MetricAccumulator",
    "PredictedBatch",
    "Predictor",
    "StoredBatch",
    "average_crop_views",
    "average_members",
    "choose_split",
    "class_indices",
    "compute_metrics",
    "crop_view_tensor",
    "crop_views",
    "evaluate_pack",
    "evaluate_weights",
    "load_ensemble",
    "make_predictor",
    "predict_batches",
    "probabilities",
    "stored_images",
    "topk_credit",
    "wilson_interval",
]
