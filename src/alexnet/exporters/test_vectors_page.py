"""The page of the test vectors: the preprocessing, said exactly enough to be written again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alexnet.exporters.request import ExportRequest
from alexnet.text import format_count
from alexnet.weights import Weights

__all__ = ["render_readme"]


def render_readme(weights: Weights, request: ExportRequest, count: int) -> str:
    """Return the page in Markdown, from `templates/test_vectors.md`.

    Args:
        weights: whose preprocessing it is.
        request: what the network gives.
        count: images beside it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - Markdown, not HTML
        loader=PackageLoader("alexnet.exporters"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rule = weights.preprocessing
    return environment.get_template("test_vectors.md").render(
        model=weights.model,
        digest=weights.digest,
        images=format_count(count, "image"),
        rule=rule,
        side=rule.image_px,
        crop=rule.crop_px,
        start=rule.center_offset,
        mean_color=_listed(rule.mean) if rule.mean is not None and rule.mean.ndim == 1 else "",
        std="" if rule.std is None else _listed(rule.std),
        output_type=request.output_type,
        classes=len(weights.classes),
    )


def _listed(values: NDArray[np.float32]) -> str:
    return ", ".join(f"{value:.9g}" for value in values.tolist())
