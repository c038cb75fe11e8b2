"""A network from its description alone, without the trained arrays."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import WeightsError
from alexnet.importers.caffe.channels import GUESSED_CHANNELS, require_channels
from alexnet.importers.caffe.fields import require_known_fields
from alexnet.importers.caffe.inputs import ImageInput
from alexnet.importers.caffe.layers import build_graph
from alexnet.importers.caffe.model_match import network_of_graph
from alexnet.importers.caffe.net import CaffeNet, read_net
from alexnet.importers.caffe.remarks import describe_maker, image_px_of, number_remarks
from alexnet.importers.caffe.subgraph import inference_subgraph
from alexnet.models import Network

__all__ = ["read_description"]


def read_description(
    path: Path, *, image_px: int | None = None, crop_px: int | None = None
) -> tuple[Network, tuple[str, ...]]:
    """Build the network that a .prototxt describes, on the meta device.

    Args:
        path: the description: for deployment, or for training and testing; or a solver.
        image_px: side of the stored image; None: as `import` takes it.
        crop_px: side of the input, where the description does not say it; None: image_px.

    Returns:
        The network, and what the description says of its images, in sentences.

    Raises:
        WeightsError: no such file, or a network that could not be imported either.
    """
    net = read_net(path)
    subgraph = inference_subgraph(net)
    image = subgraph.image
    require_known_fields(net, (layer for _, layer, _ in subgraph.layers))
    image.require_image(net.path)
    side = image.side or crop_px or image_px
    if side is None:
        raise WeightsError(
            f"{net.path} does not say of which side its images are, as descriptions for training "
            "often do not. Give it as --crop-px."
        )
    channels = require_channels(image.channels, image.blob)
    graph = build_graph(net, subgraph, channels=channels, side=side, order="BGR")
    stored = max(side, image_px or image_px_of(image, side, None))
    network, _ = network_of_graph(graph, {}, image_px=stored, crop_px=side)
    return network, (*net.remarks, *subgraph.remarks, *_said(net, image, channels))


def _said(net: CaffeNet, image: ImageInput, channels: int) -> list[str]:
    """Say of mean and scale what the description says, and what it leaves open."""
    found: list[str] = []
    if image.maker is not None:
        found.append(f"Nothing is known of the images: {describe_maker(image.maker)}.")
    if image.channels is None:
        found.append(GUESSED_CHANNELS.format(channels))
    if image.mean_values:
        values = ",".join(f"{each:.9g}" for each in image.mean_values)
        found.append(f"The mean {values} is taken off.")
    if image.scale is not None:
        found.append(f"What is left after the mean is multiplied by {image.scale:.9g}.")
    found += number_remarks(net, image, has_mean=False, has_scale=False)
    if not image.is_square:
        found.append(
            f"The whole image is squashed to {image.height} x {image.width} (height x width)."
        )
    return found
