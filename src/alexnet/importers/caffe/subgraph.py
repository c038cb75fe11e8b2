"""The layers that compute the output: from the end of the network back to its image.

Blobs may be overwritten (a ReLU in place), so each layer's inputs are resolved to the layer that
wrote them last. Losses, accuracies and branches that the output does not need are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from alexnet.errors import WeightsError
from alexnet.importers.caffe.caffe_layer import CaffeLayer
from alexnet.importers.caffe.inputs import ImageInput
from alexnet.importers.caffe.net import CaffeNet
from alexnet.text import quote_names, shorten

__all__ = ["BlobSource", "Subgraph", "inference_subgraph"]

_ABOUT_LABELS = (
    " Descriptions for training hand labels to some layers: give the one for deployment."
)
_SHAPING = ("Flatten", "Reshape", "Split", "Dropout")
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
    remarks: tuple[str, ...] = ()  # which of several outputs was taken, in a sentence


def inference_subgraph(net: CaffeNet) -> Subgraph:
    """Find the output of a network and what it needs.

    A softmax at the end is left out, since our networks return logits. Of several losses the last
    one's input is the output; of several outputs without losses the only one that is a softmax.

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
        silenced = layer.type == "Silence"
        for blob in layer.bottoms[:1] if ended and not silenced else layer.bottoms:
            if blob not in written and blob not in inputs:
                raise layer.error(f'takes "{blob}", which nothing before it makes.')
            found.append(written.get(blob, BlobSource(None, inputs.get(blob, 0))))
        if ended:
            loss_inputs += found if layer.type.endswith("Loss") else []
            taken |= set(found) if silenced else set()
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
    chosen, remarks = _output(net, ends, loss_inputs)
    output = _without_softmax(net, sources, chosen)
    needed = _needed(sources, output)
    used = {each.top for place in needed for each in sources[place] if each.layer is None}
    if len(used) != 1:
        names = quote_names([net.images[place].blob for place in sorted(used)])
        raise WeightsError(
            f"{net.path} describes a network whose output needs {len(used)} inputs"
            f"{f': {names}' if used else ''}; networks that take one image can be read."
            f"{_ABOUT_LABELS if net.data_layers else ''}"
        )
    layers = tuple((place, net.layers[place], sources[place]) for place in sorted(needed))
    return Subgraph(
        net.images[used.pop()], layers, output, (*remarks, *_said_of(net, sources, output))
    )


def _output(
    net: CaffeNet, ends: list[BlobSource], loss_inputs: list[BlobSource]
) -> tuple[BlobSource, tuple[str, ...]]:
    """Choose among the blobs that no layer takes any more, and say what was left out."""
    losses = [source for source in loss_inputs if source.layer is not None]
    if losses:
        return losses[-1], ()
    if len(ends) == 1:
        return ends[0], ()
    makers = [(end, net.layers[end.layer]) for end in ends if end.layer is not None]
    names = {end: maker.tops[end.top] for end, maker in makers}
    classes = [end for end, maker in makers if maker.type == "Softmax"]
    if len(classes) == 1:
        taken = shorten(names.pop(classes[0]))
        said = f'Of {len(ends)} outputs "{taken}" is taken, the only softmax'
        return classes[0], (f"{said}; left out: {quote_names(names.values())}.",)
    listed = quote_names(names.values()) or "none"
    raise WeightsError(
        f"{net.path} describes a network with {len(ends)} outputs ({listed}); a network "
        "that classifies has one. Take the layers of the others out of the description, or let a "
        "layer of the type Silence take them."
    )


def _without_softmax(
    net: CaffeNet, sources: dict[int, tuple[BlobSource, ...]], output: BlobSource
) -> BlobSource:
    """Go back over a softmax at the end, and over layers behind it that only give it a shape."""
    end = output
    while end.layer is not None and net.layers[end.layer].type in ("Softmax", *_SHAPING):
        layer, before = net.layers[end.layer], sources[end.layer]
        if len(before) != 1:
            raise layer.error(f"takes {len(before)} inputs instead of one.")
        end = before[0]
        if layer.type == "Softmax":
            output = end
    return output


def _said_of(
    net: CaffeNet, sources: dict[int, tuple[BlobSource, ...]], output: BlobSource
) -> tuple[str, ...]:
    """Say of outputs that they were no logits of classes that exclude each other."""
    place = output.layer
    while place is not None and net.layers[place].type in ("Pooling", "Eltwise", *_SHAPING):
        place = sources[place][0].layer if sources[place] else None
    if place is not None and net.layers[place].type == "Softmax":
        said = (
            f"Behind the {net.layers[place].title} come further layers, so the outputs are "
            "probabilities, of which the softmax is taken once more: classes keep their order, "
            "and their probabilities come too close to each other."
        )
        return (said,)
    if output.layer is None or net.layers[output.layer].type != "Sigmoid":
        return ()
    said = (
        f"The network ends in the {net.layers[output.layer].title}, as for several classes in one "
        "image; here the softmax of its outputs is taken, so that probabilities add up to 1."
    )
    return (said,)


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
