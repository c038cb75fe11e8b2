from .calibrated_loss import calibrated_loss
from .calibration import fit_temperature, with_temperature
from .comparison import difference_interval, holm, mcnemar
from .crops import (
    Crops,
    CropView,
    crop_view_tensor,
    crop_views,
)
from .cross_validation import cross_validation_interval, effective_images
from .ensemble import Ensemble, load_ensemble
from .evaluate import evaluate_pack, evaluate_weights
from .fold_check import FoldDifficulty, fold_difficulty, fold_warning
from .held_out import choose_split, class_indices
from .metrics import (
    MetricAccumulator,
    compute_metrics,
    expected_calibration_error,
    topk_credit,
    wilson_interval,
)
from .predict import (
    InferencePrecision,
    Member,
    PredictFunction,
    average_crop_views,
    average_members,
    make_predictor,
    predict_batches,
    probabilities,
)
from .predictor import Predictor
from .stored_images import BATCH, ComputedBatch, StoredBatch, stored_images
from .temperature import best_temperature
from .together import predict_together

__all__ = [
    "BATCH",
    "ComputedBatch",
    "CropView",
    "Crops",
    "Ensemble",
    "FoldDifficulty",
    "InferencePrecision",
    "Member",
    "MetricAccumulator",
    "PredictFunction",
    "Predictor",
    "StoredBatch",
    "average_crop_views",
    "average_members",
    "best_temperature",
    "calibrated_loss",
    "choose_split",
    "class_indices",
    "compute_metrics",
    "crop_view_tensor",
    "crop_views",
    "cross_validation_interval",
    "difference_interval",
    "effective_images",
    "evaluate_pack",
    "evaluate_weights",
    "expected_calibration_error",
    "fit_temperature",
    "fold_difficulty",
    "fold_warning",
    "holm",
    "load_ensemble",
    "make_predictor",
    "mcnemar",
    "predict_batches",
    "predict_together",
    "probabilities",
    "stored_images",
    "topk_credit",
    "wilson_interval",
    "with_temperature",
]
