from .crops import (
    Crops,
    View,
    crop_views,
    view_tensor,
)
from .ensemble import Ensemble, load_ensemble
from .held_out import choose_split, class_positions
from .metrics import (
    Tally,
    credit,
    measure,
    wilson,
)
from .predict import (
    BATCH,
    Answers,
    Ask,
    Exactness,
    Member,
    Stored,
    answers,
    average,
    beliefs,
    evaluate_pack,
    evaluate_weights,
    mean_over_views,
    probabilities,
    stored_pictures,
)

__all__ = [
    "BATCH",
    "Answers",
    "Ask",
    "Crops",
    "Ensemble",
    "Exactness",
    "Member",
    "Stored",
    "Tally",
    "View",
    "answers",
    "average",
    "beliefs",
    "choose_split",
    "class_positions",
    "credit",
    "crop_views",
    "evaluate_pack",
    "evaluate_weights",
    "load_ensemble",
    "mean_over_views",
    "measure",
    "probabilities",
    "stored_pictures",
    "view_tensor",
    "wilson",
]
