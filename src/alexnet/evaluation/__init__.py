"""How good is it: crop views, averaged answers, figures with intervals.

Works on networks and preprocessing, from wherever they come: `training` validates through it, the
verbs `evaluate` and `predict` answer through it, and so all three agree.
"""

from alexnet.evaluation.answers import (
    BATCH,
    Ask,
    Exactness,
    Member,
    beliefs,
    evaluate_pack,
    mean_over_views,
    probabilities,
)
from alexnet.evaluation.choice import choose_split, class_positions
from alexnet.evaluation.measure import Tally, credit, measure, wilson
from alexnet.evaluation.stream import Answers, Stored, answers, average, stored_pictures
from alexnet.evaluation.views import Crops, View, crop_views, view_tensor

__all__ = [
    "BATCH",
    "Answers",
    "Ask",
    "Crops",
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
    "mean_over_views",
    "measure",
    "probabilities",
    "stored_pictures",
    "view_tensor",
    "wilson",
]
