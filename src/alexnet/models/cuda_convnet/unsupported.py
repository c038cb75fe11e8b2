"""Types of the program that are not here: what its parser checks of them, and why they are not."""

from __future__ import annotations

from alexnet.errors import RecipeError
from alexnet.models.cuda_convnet.plan import Plan
from alexnet.models.cuda_convnet.sections import Section

__all__ = ["UNSUPPORTED", "unsupported_error"]

_DATA_PATH = (
    "belongs to the program's own path of data. Cut and mirror images with --crop-px and --flip, "
    "and take this layer out"
)
_COST = "is a cost other than softmax regression. Use cost.logreg"
_ABSENT = "is not supported"

UNSUPPORTED = {
    "href": _DATA_PATH,
    "resize": _DATA_PATH,
    "rscale": _DATA_PATH,
    "rgb2yuv": _DATA_PATH,
    "rgb2lab": _DATA_PATH,
    "crop": _DATA_PATH,
    "blur": _ABSENT,
    "nailbed": _ABSENT,
    "treefc": _ABSENT,
    "sfc": _ABSENT,
    "sum": _ABSENT,
    "cmpool": _ABSENT,
    "pass": _ABSENT,
    "cost.msm": _COST,
    "cost.crossent": _COST,
    "cost.crossent2": _COST,
    "cost.ce": _COST,
    "cost.bce": _COST,
    "cost.dce": _COST,
    "cost.sum2": _COST,
    "cost.gsum2": _COST,
    "cost.tica": _COST,
    "cost.rflickr": _COST,
}
"""Each type that is not supported, and why."""

_BEFORE_WEIGHTS = ("resize", "rscale", "rgb2yuv", "rgb2lab", "crop")


def unsupported_error(section: Section, plan: Plan) -> RecipeError:
    """Return the error for an unsupported type, after the checks of the program's parser."""
    kind = section.text("type")
    sources = plan.sources(section)
    if kind == "href":
        section.integer("channels", least=1, most=3)
    if kind == "resize":
        section.number("scale", least=0.5, most=2)
    if kind == "rscale":
        section.number("maxScale", least=1, most=2)
    if kind == "blur" and section.integer("filterSize") not in (3, 5, 7, 9):
        return section.error(
            f"filterSize of a blur must be 3, 5, 7 or 9; got {section.text('filterSize')}."
        )
    if kind in _BEFORE_WEIGHTS and plan.trainable(sources):
        return section.error(
            f"type {kind} passes no gradient, and a layer with weights is below it."
        )
    if kind.startswith("cost."):
        plan.settings(section).number("coeff")
    return section.error(f"type {kind} {UNSUPPORTED[kind]}.")
