"""A graph's description for other classes: the same layers, and class scores that nothing bends."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["without_bent_scores"]

_HEADS = ("conv", "linear")
_BENDING = (
    *("relu", "prelu", "clip", "elu", "sigmoid", "tanh", "softplus", "swish", "abs", "step"),
    "dropout",
)


def without_bent_scores(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description without the activations that follow its last layer with weights.

    SqueezeNet has a ReLU between its last convolution and the average over the map. Scores of
    trained classes are well above 0 there; those of new classes that fall below get no gradient
    any more, and a training whose scores are all 0 stands still at ln(classes).

    Args:
        description: as `build_graph` takes it, of a graph that can be built.

    Returns:
        A description of the same tensors; what read such an activation reads what it read.
    """
    changed = copy.deepcopy(dict(description))
    nodes = cast("list[dict[str, Any]]", changed["nodes"])
    last = max((i for i, node in enumerate(nodes) if node["op"] in _HEADS), default=len(nodes))
    source_of: dict[Any, Any] = {}
    kept = nodes[: last + 1]
    for node in nodes[last + 1 :]:
        node["inputs"] = [source_of.get(name, name) for name in node["inputs"]]
        if node["op"] in _BENDING:
            source_of[node["name"]] = node["inputs"][0]
        else:
            kept.append(node)
    changed["nodes"] = kept
    return changed
