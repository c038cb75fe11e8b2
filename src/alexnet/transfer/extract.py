"""Features: what a layer of a trained network computes of each image.

Legend: N images, n images of a batch, D features of each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from alexnet.data import ImageFiles, Pack
from alexnet.devices import ConvolutionForm, convolving
from alexnet.errors import WeightsError
from alexnet.evaluation import (
    BATCH,
    ComputedBatch,
    InferencePrecision,
    Member,
    PredictFunction,
    average_crop_views,
    stored_images,
)
from alexnet.models import Block, Network, for_inference

__all__ = ["layer_features", "make_layer_extractor"]


def make_layer_extractor(
    network: Network,
    layer: str,
    precision: InferencePrecision,
    *,
    convolutions: ConvolutionForm | None = None,
) -> PredictFunction:
    """Return a function from (n, 3, c, c) to a layer's output, flattened: (n, D).

    Args:
        network: in evaluation mode when the function is called.
        layer: its name; "mean:NAME" for the means of its maps, (n, C).
        precision: of the arithmetic.
        convolutions: their form in fp32; None: that of the moment.

    Raises:
        RecipeError: the network has no layer of this name, or it has no maps.
    """
    if layer.startswith("mean:"):
        block = Block.parse(layer)
        with convolving(convolutions):
            until_maps = for_inference(network, precision, until=block.layer)
        return lambda x: block(until_maps(x))
    with convolving(convolutions):
        until_layer = for_inference(network, precision, until=layer)
    return lambda x: until_layer(x).float().flatten(1)


def layer_features(
    member: Member,
    images: ImageFiles | Pack,
    indices: NDArray[np.int64],
    *,
    layer: str,
    crops: int = 1,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
) -> Iterator[ComputedBatch]:
    """Yield a layer's output for images, batch by batch, averaged over the crops.

    The output is exactly the layer's own: "fc7" before its activation, "relu7" after it. A layer
    of maps is flattened channel by channel, or averaged over each map where it is named as
    "mean:NAME". Dropout is off, as in every evaluation.

    Raises:
        RecipeError: the network has no layer of this name.
        WeightsError: an output that is no number.
    """
    extractor = make_layer_extractor(
        member.network, layer, precision, convolutions=member.convolutions
    )
    for stored in stored_images([member.preprocessing], images, indices, batch_size=batch_size):
        features = average_crop_views(member, stored.images[0], extractor, crops=crops)
        if not np.isfinite(features).all():
            raise WeightsError(
                f'The output of the layer "{layer}" is no number for some images: the weights are '
                "not finite or overflow, as after a training that diverged. Use other weights."
            )
        yield ComputedBatch(stored.indices, features, stored.failures)
