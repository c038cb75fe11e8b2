"""The layers that compute the output: from the end of the network back to its image.

Blobs may be overwritten (a ReLU in place), so each layer's inputs are resolved to the layer that
wrote them last. Losses, accuracies and branches that the output does not need are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import WeightsError
from alexnet.importers.caffe.net import CaffeLayer, CaffeNet, ImageInput

__all__ = ["BlobSource", "Subgraph", "inference_subgraph"]

_AFTER_THE_END = frozenset(("Accuracy", "ArgMax", "Silence", "HDF5Output"))


@dataclass(frozen=True)
class BlobSource:
    """Where a blob comes from: a layer (None: the image), and which of its tops it is."""

    layer: int | None
    top: int = 0


@dataclass(frozen=True)
class Subgraph:
    """The layers that are needed, in order, with the sources of their inputs, and the output."""

    image: ImageInput
    layers: tuple[tuple[int, CaffeLayer, tuple[BlobSource, ...]], ...]
    output: BlobSource


def inference_subgraph(net: CaffeNet) -> Subgraph:
    """Find the output of a network and what it needs.

    A softmax at the end is left out, since our networks return logits. Of several losses the last
    one's input is the output.

    Raises:
        WeightsError: no output, several, or an input that nothing makes.
    """
    inputs = {each.blob: place for place, each in enumerate(net.images)}
    written: dict[str, BlobSource] = {}
    sources: dict[int, tuple[BlobSource, ...]] = {}
    taken: set[BlobSource] = set()
    loss_inputs: list[BlobSource] = []
    for place, layer in enumerate(net.layers):
        ended = layer.type in _AFTER_THE_END or layer.type.endswith("Loss")
        found: list[BlobSource] = []
        for blob in layer.bottoms[:1] if ended else layer.bottoms:
            if blob not in written and blob not in inputs:
                raise layer.error(f'takes "{blob}", which nothing before it makes.')
            found.append(written.get(blob, BlobSource(None, inputs.get(blob, 0))))
        if ended:
            loss_inputs += found if layer.type.endswith("Loss") else []
            continue
        sources[place] = tuple(found)
        taken |= set(found)
        written |= {blob: BlobSource(place, top) for top, blob in enumerate(layer.tops)}
    ends = [
        BlobSource(place, top)
        for place in sources
        for top in range(len(net.layers[place].tops))
        if BlobSource(place, top) not in taken
    ]
    output = _without_softmax(net, sources, _output(net, ends, loss_inputs))
    needed = _needed(sources, output)
    used = {each.top for place in needed for each in sources[place] if each.layer is None}
    if len(used) != 1:
        raise WeightsError(
            f"{net.path} describes a network whose output needs {len(used)} inputs; networks that "
            "take one image can be read."
        )
    layers = tuple((place, net.layers[place], sources[place]) for place in sorted(needed))
    return Subgraph(net.images[used.pop()], layers, output)


def _output(net: CaffeNet, ends: list[BlobSource], loss_inputs: list[BlobSource]) -> BlobSource:
    """Choose among the blobs that no layer takes any more."""
    losses = [source for source in loss_inputs if source.layer is not None]
    if losses:
        return losses[-1]
    if len(ends) == 1:
        return ends[0]
    names = ", ".join(f'"{net.layers[e.layer].name}"' for e in ends if e.layer is not None)
    raise WeightsError(
        f"{net.path} describes a network with {len(ends)} outputs ({names or 'none'}); a network "
        "that classifies has one. Take the layers of the others out of the description."
    )


def _without_softmax(
    net: CaffeNet, sources: dict[int, tuple[BlobSource, ...]], output: BlobSource
) -> BlobSource:
    while output.layer is not None and net.layers[output.layer].type == "Softmax":
        before = sources[output.layer]
        if len(before) != 1:
            raise net.layers[output.layer].error(f"takes {len(before)} inputs instead of one.")
        output = before[0]
    return output


def _needed(sources: dict[int, tuple[BlobSource, ...]], output: BlobSource) -> set[int]:
    """Return the positions of all layers that the output needs."""
    found: set[int] = set()
    waiting = [output.layer]
    while waiting:
        place = waiting.pop()
        if place is not None and place not in found:
            found.add(place)
            waiting += [each.layer for each in sources[place]]
    return found
