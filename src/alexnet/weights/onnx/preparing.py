"""The preprocessing as nodes: from bytes as a picture library gives them to the network's numbers.

The same steps in the same order and in float32, as `Preprocessing.to_tensor` has them.
"""

from __future__ import annotations

import numpy as np

from alexnet.images import Preprocessing
from alexnet.weights.exporting import Takes
from alexnet.weights.onnx.draft import Draft
from alexnet.weights.onnx.windows import part

__all__ = ["write_preprocessing"]


def write_preprocessing(draft: Draft, taken: str, rule: Preprocessing, takes: Takes) -> str:
    """Write the way from the input to (N, 3, c, c).

    Args:
        draft: the graph.
        taken: name of the input.
        rule: the preprocessing.
        takes: what the input is.
    """
    if takes == "numbers":
        return draft.narrow(taken, "input")
    x, c = taken, rule.crop_px
    if takes == "picture" and c < rule.image_px:
        start = rule.centre
        x = part(draft, "crop", x, (1, 2), (start,) * 2, (start + c,) * 2)
    x = draft.cast_picture(x, "bytes")
    mean = rule.central_mean
    if mean is not None:
        x = draft.node("Sub", [x, draft.tensor("preprocessing.mean", mean, full=True)], "centred")
    if rule.scale is not None:
        scale = draft.tensor("preprocessing.scale", rule.scale, full=True)
        x = draft.node("Div", [x, scale], "scaled")
    if rule.order == "BGR":
        turned = draft.tensor("preprocessing.order", np.array([2, 1, 0], dtype=np.int64))
        x = draft.node("Gather", [x, turned], "bgr", axis=3)
    x = draft.node("Transpose", [x], "numbers", perm=[0, 3, 1, 2])
    return draft.narrow(x, "input")
